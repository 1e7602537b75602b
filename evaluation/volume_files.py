"""Reads truths and masks from files of volumes with the engine's readers, and compares their grids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LiteMedSamError
from .truth import Prompted, Truth, checked_labels, on_grid

if TYPE_CHECKING:
    from ..engine.scan.scan import Scan


class VolumeFiles:
    """One label map a file, with the header's spacing; see `litemedsam.evaluation.truth.LabelFiles`.

    A file of two axes is a single image, and so is one of one slice whose name begins with ``2D``.

    Attributes
    ----------
    name : str
        The engine's name of the format.
    suffixes : tuple of str
    """

    def __init__(self, name: str, suffixes: tuple[str, ...]):
        self.name = name
        self.suffixes = suffixes

    def truth(self, path: Path, axes: int | None) -> Truth:
        """See `LabelFiles.truth`."""
        scan = self._read(path)
        labels = _labels(path, scan, scan)
        stored = len(getattr(scan.origin, "shape", labels.shape))
        if labels.ndim == 3 and len(labels) == 1 and (axes == 2 or (axes is None and stored == 2)):
            labels = labels[0]
        if axes not in (None, labels.ndim):
            raise LiteMedSamError(
                f"{path}: holds an array {labels.shape}, the name says {axes}D",
                f"begin the name with {labels.ndim}D, or store {'one slice' if axes == 2 else 'a volume'}",
            )
        if labels.ndim == 2:
            return Truth(path.name, labels, None, scan.geometry)
        if scan.spacing is None:
            raise LiteMedSamError(f"{path}: does not state how far its voxels are apart", "write its spacing")
        x, y, z = (float(s) for s in scan.spacing)
        return Truth(path.name, labels, (x, y, z), scan.geometry)

    def masks(self, path: Path, truth: Truth) -> np.ndarray:
        """See `LabelFiles.masks`."""
        from ..engine.scan.scan import Scan

        if not path.is_file():
            raise LiteMedSamError(f"{path}: no such file", "every ground truth needs masks of the same file name")
        scan = self._read(path)
        # Some readers give an image a first axis of one slice.
        own = on_grid(truth.labels, scan.grid)
        grid = Scan(truth.name, own, is_volume=own.ndim == 3, geometry=truth.geometry)
        return on_grid(_labels(path, scan, grid), truth.labels.shape)

    def _read(self, path: Path) -> Scan:
        # Late: folders of npz files need no reader of the engine.
        from ..engine.io.formats import FORMATS

        try:
            return FORMATS[self.name].read(path)
        except LiteMedSamError as error:
            # The engine's advice is for scans.
            if "--frame" not in str(error):
                raise
            raise LiteMedSamError(
                f"{path}: holds several volumes, expected one label map", "store each volume in a file of its own"
            ) from error

    def prompted(self, path: Path, shape: tuple[int, ...]) -> Prompted:
        """Refuse it, because such a file contains neither boxes nor an image."""
        raise LiteMedSamError(
            f"{path}: holds no imgs and boxes, which rivals need", "leave --rivals out, or give npz files"
        )


def _labels(path: Path, read: Scan, grid: Scan) -> np.ndarray:
    from ..engine.scan.mask import mask_of_scan

    return checked_labels(str(path), mask_of_scan(path, read, grid).labels)
