"""The grey levels of a scan on screen; what the model sees does not depend on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...engine.scan.intensity import Scaling, Window, usual_scaling
from ...errors import LiteMedSamError

if TYPE_CHECKING:
    from ...engine.scan.geometry import View
    from ...engine.scan.scan import Scan
    from .planes import Plane

# So many voxels suffice for the percentiles of a first window.
_SAMPLE = 500_000
_LARGEST = 1e9
# zlib's fastest: slices are shown while the user scrolls.
_PACKING = (cv2.IMWRITE_PNG_COMPRESSION, 1)


@dataclass(frozen=True)
class Display:
    """A scan's values as seen, and the window that they are first shown in.

    Attributes
    ----------
    values : ndarray
        (H, W) or (D, H, W), perhaps with a last axis of colours, as seen.
    padding : ndarray or None
        bool of the grid as seen: black.
    inverted : bool
        Whether high values are dark.
    level, width : float
        In the scan's own units.
    fixed : bool
        Whether the values are colours of 8 bits, which no window changes.
    hounsfield : bool
        Whether they are, or are taken for, Hounsfield units.
    """

    values: np.ndarray
    padding: np.ndarray | None
    inverted: bool
    level: float
    width: float
    fixed: bool
    hounsfield: bool

    @classmethod
    def of(cls, scan: Scan, view: View, scaling: Scaling | None) -> Display:
        """The display of a scan whose model sees `scaling`."""
        values = view.see(scan.voxels)
        padding = None if scan.padding is None else view.see(scan.padding)
        fixed = scan.coloured and scan.voxels.dtype == np.uint8
        ready = scan.ready or scan.voxels.dtype == np.uint8
        present = scan.voxels if scan.padding is None else scan.voxels[~scan.padding]
        hounsfield = scan.modality == "CT" or (not ready and usual_scaling(present, scan.modality)[1])
        level, width = (127.5, 255.0) if ready else _first_window(present, scan.modality, scaling)
        return cls(values, padding, scan.inverted, level, width, fixed, hounsfield)

    def picture(self, plane: Plane, k: int, level: float | None, width: float | None) -> bytes:
        """One slice as PNG, grey or in colour, 8 bits.

        Parameters
        ----------
        plane : Plane
        k : int
            Index of the slice.
        level, width : float or None
            The window; the display's own when None.

        Raises
        ------
        LiteMedSamError
            For windows that make no sense.
        """
        level, width = self.level if level is None else level, self.width if width is None else width
        if not (abs(level) <= _LARGEST and 0 < width <= _LARGEST):
            raise LiteMedSamError(f"window of level {level:g} and width {width:g}, expected a width above 0")
        page = plane.cut(self.values, k)
        if self.fixed:
            levels = page
        else:
            spread = (page.astype(np.float32) - np.float32(level - width / 2)) * np.float32(255 / width)
            levels = np.clip(np.rint(spread, out=spread), 0, 255, out=spread).astype(np.uint8)
        if self.inverted:
            levels = 255 - levels
        if self.padding is not None:
            levels = np.where(plane.cut(self.padding, k), np.uint8(0), levels)
        return png(levels if levels.ndim == 2 else levels[..., ::-1])


def png(pixels: np.ndarray) -> bytes:
    """Pixels uint8 (H, W), (H, W, 3) in BGR or (H, W, 4) in BGRA as PNG."""
    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels), _PACKING)[1])


def _first_window(values: np.ndarray, modality: str, scaling: Scaling | None) -> tuple[float, float]:
    """Level and width that come close to what the model sees."""
    scaling = usual_scaling(values, modality)[0] if scaling is None else scaling
    if isinstance(scaling, Window):
        return scaling.level, scaling.width
    some = values.ravel()[:: max(values.size // _SAMPLE, 1)]
    some = some if some.size == 0 or some.min() < 0 else some[some != 0]
    low, high = (0.0, 1.0) if some.size == 0 else (float(v) for v in np.percentile(some, [0.5, 99.5]))
    return (low + high) / 2, max(high - low, 1e-6)
