"""Truths and masks in NIfTI files, read by the engine's own reader: bounded, and compared grid by grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LiteMedSamError
from .truth import Prompted, Truth, checked_labels, on_grid

if TYPE_CHECKING:
    from ..engine.scan.scan import Scan


class NiftiFiles:
    """One label map a file, with the header's spacing; see `litemedsam.evaluation.truth.LabelFiles`.

    A file of two axes is a single image, and so is one of one slice whose name begins with ``2D``.
    """

    suffixes: tuple[str, ...] = (".nii.gz", ".nii", ".hdr")

    def truth(self, path: Path, axes: int | None) -> Truth:
        """See `LabelFiles.truth`."""
        # Late: folders of npz files need no reader of the engine.
        from ..engine.io.nifti import Nifti
        from ..engine.scan.mask import mask_of_scan

        with _one_label_map(path):
            scan = Nifti().read(path)
            labels = checked_labels(str(path), mask_of_scan(path, scan, scan).labels)
        flat = len(labels) == 1 and (axes == 2 or (axes is None and len(scan.origin.shape) == 2))
        if axes == 2 and not flat:
            raise LiteMedSamError(
                f"{path}: holds {len(labels)} slices, the name says 2D", "begin the name with 3D, or store one slice"
            )
        if flat or scan.geometry is None:
            return Truth(path.name, labels[0] if flat else labels, None, scan.geometry)
        x, y, z = (float(s) for s in scan.geometry.spacing)
        return Truth(path.name, labels, (x, y, z), scan.geometry)

    def masks(self, path: Path, truth: Truth) -> np.ndarray:
        """See `LabelFiles.masks`."""
        from ..engine.io.nifti import Nifti

        if not path.is_file():
            raise LiteMedSamError(f"{path}: no such file", "every ground truth needs masks of the same file name")
        with _one_label_map(path):
            labels = Nifti().read_mask(path, _grid_of(truth)).labels
        return on_grid(checked_labels(str(path), labels), truth.labels.shape)

    def prompted(self, path: Path, shape: tuple[int, ...]) -> Prompted:
        """Refuse it: NIfTI holds neither boxes nor the image beside its truth."""
        raise LiteMedSamError(
            f"{path}: NIfTI holds no imgs and boxes, which rivals need", "leave --rivals out, or give npz files"
        )


@contextmanager
def _one_label_map(path: Path) -> Iterator[None]:
    """A context in which the engine's advice for scans of several volumes becomes one for label maps."""
    try:
        yield
    except LiteMedSamError as error:
        if "--frame" not in str(error):
            raise
        raise LiteMedSamError(
            f"{path}: holds several volumes, expected one label map", "store each volume in a file of its own"
        ) from error


def _grid_of(truth: Truth) -> Scan:
    """The truth as the scan whose grid masks are compared with; the reader gives every file three axes."""
    from ..engine.scan.scan import Scan

    labels = truth.labels if truth.labels.ndim == 3 else truth.labels[None]
    return Scan(truth.name, labels, is_volume=True, geometry=truth.geometry)
