"""A scan as a file holds it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import LiteMedSamError
from ..case import checked_spacing
from .geometry import Geometry, View, radiological_view


@dataclass(frozen=True)
class Scan:
    """What a file holds, before anything is done to it.

    Attributes
    ----------
    name : str
        Where it comes from, for messages.
    voxels : ndarray
        An image (H, W), a volume (D, H, W), either with a last axis of 3 colours (uint8; uint16 in pictures) or
        without (any real type). The x of a box is an index along the last axis: NIfTI's first, a picture's column.
    is_volume : bool or None
        None where the boxes decide it, as in npz files.
    geometry : Geometry or None
        Of a volume's grid, where the file states it.
    spacing : ndarray or None
        float64, in mm along x, y and, for a volume, z; None where the file does not state it.
    modality : str
        As DICOM codes it (``CT``, ``MR``, ``PT``, …); empty where the file does not state it.
    inverted : bool
        Whether high values are dark.
    boxes : ndarray or None
        Those that the file itself holds.
    ready : bool
        Whether the voxels are pixels in 0..255 already and are never windowed.
    padding : ndarray or None
        bool of the shape of `grid`, where the scanner filled the image up: those voxels are black and do not count.
    notes : tuple of str
        What the reader decided, for the user.
    origin : object
        What the file's format needs to write results like it.
    """

    name: str
    voxels: np.ndarray
    is_volume: bool | None = None
    geometry: Geometry | None = None
    spacing: np.ndarray | None = None
    modality: str = ""
    inverted: bool = False
    boxes: np.ndarray | None = None
    ready: bool = False
    padding: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    origin: Any = None

    @property
    def coloured(self) -> bool:
        """Whether the last axis holds colours; False where it cannot be told."""
        return self.is_volume is not None and self.voxels.ndim == (4 if self.is_volume else 3)

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the label map: (H, W) or (D, H, W); for npz files all axes, colours included."""
        return self.voxels.shape[:-1] if self.coloured else self.voxels.shape

    def view(self) -> View:
        """How it is turned for the model; the identity unless it is a volume whose geometry is known."""
        if not self.is_volume or self.geometry is None:
            return View.identity(self.grid)
        return radiological_view(self.geometry, self.grid)


def with_spacing(scan: Scan, spacing: Sequence[float] | None) -> Scan:
    """A scan whose file does not state its spacing, with a given one; where it lies stays unknown.

    Parameters
    ----------
    scan : Scan
    spacing : sequence of float or None
        In mm along x, y and, for a volume, z; None leaves the scan as it is.

    Raises
    ------
    LiteMedSamError
        When the file states its spacing or may hold one, and for other than one positive number per axis.
    """
    if spacing is None:
        return scan
    if scan.is_volume is None:
        raise LiteMedSamError(
            f"{scan.name}: an npz file has its spacing under the key spacing, (3,) in mm", "leave --spacing out"
        )
    if scan.spacing is not None:
        known = " × ".join(f"{mm:g}" for mm in scan.spacing)
        raise LiteMedSamError(f"{scan.name}: tells its own spacing, {known} mm", "leave --spacing out")
    axes = len(scan.grid)
    if np.size(spacing) != axes:
        what = "a volume" if scan.is_volume else "an image"
        raise LiteMedSamError(
            f"{scan.name}: a spacing of {np.size(spacing)} numbers for {what}, expected {axes}",
            "give one number per axis",
        )
    return replace(scan, spacing=checked_spacing(scan.name, spacing, axes))
