"""Turns logits in the frame into a mask in the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .frame import Frame

# Rows interpolated at a time, so that the working set of a large mask fits into the processor's cache.
_ROWS = 128


@dataclass(frozen=True)
class Region:
    """A mask confined to a rectangle; false everywhere else.

    Attributes
    ----------
    top, left : int
        The rectangle's first row and column in the image.
    mask : ndarray
        bool (h, w); h and w are 0 for an empty mask.
    """

    top: int
    left: int
    mask: np.ndarray

    @property
    def window(self) -> tuple[slice, slice]:
        """The rectangle, as an index into the image."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def paint(self, labels: np.ndarray, number: int) -> None:
        """Write `number` where the mask is true, unless a higher number is there; labels (H, W)."""
        view = labels[self.window]
        np.maximum(view, self.mask.astype(labels.dtype) * labels.dtype.type(number), out=view)

    def full(self, height: int, width: int) -> np.ndarray:
        """The mask as bool (height, width)."""
        image = np.zeros((height, width), bool)
        image[self.window] = self.mask
        return image

    def within(self, bounds: tuple[int, int, int, int]) -> Region:
        """The part inside x_min, y_min, x_max, y_max of the image, ends included."""
        x_min, y_min, x_max, y_max = bounds
        rows = slice(max(y_min - self.top, 0), max(y_max + 1 - self.top, 0))
        columns = slice(max(x_min - self.left, 0), max(x_max + 1 - self.left, 0))
        return Region(max(self.top, y_min), max(self.left, x_min), self.mask[rows, columns])

    def extent(self) -> tuple[int, int, int, int] | None:
        """First and last true column and row (x_min, y_min, x_max, y_max) in the image; None for an empty mask."""
        columns, rows = np.flatnonzero(self.mask.any(axis=0)), np.flatnonzero(self.mask.any(axis=1))
        if len(rows) == 0:
            return None
        return (
            int(columns[0]) + self.left,
            int(rows[0]) + self.top,
            int(columns[-1]) + self.left,
            int(rows[-1]) + self.top,
        )


_EMPTY = Region(0, 0, np.zeros((0, 0), bool))


def _taps(size: int, scaled: int, first: int, last: int) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray]:
    """Bilinear taps of the output positions that depend on any of the input positions first..last."""
    # Single precision throughout, as in the published pipeline, so that pixels on the threshold fall on the same side.
    scale, half = np.float32(scaled) / np.float32(size), np.float32(0.5)
    centre = np.clip((np.arange(size, dtype=np.float32) + half) * scale - half, 0, scaled - 1)
    low = centre.astype(np.int64)
    high = np.minimum(low + 1, scaled - 1)
    seen = np.flatnonzero((high >= first) & (low <= last))
    # If the image is smaller than its frame, the rectangle can lie between its pixels.
    start, stop = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)
    share = centre - low.astype(np.float32)
    return start, stop, low[start:stop], high[start:stop], share[start:stop]


def to_region(logits: np.ndarray, frame: Frame) -> Region:
    """Crop the padding, resize bilinearly to the image's pixels, and keep the positive pixels.

    Only the rectangle that can be positive is computed. The result equals that of the whole image bit for bit.

    Parameters
    ----------
    logits : ndarray
        float32 (S, S).
    frame : Frame

    Returns
    -------
    Region
        Bilinear with half-pixel centres and without anti-aliasing.
    """
    logits = logits[: frame.scaled_height, : frame.scaled_width]
    positive = logits > 0
    rows, columns = np.flatnonzero(positive.any(axis=1)), np.flatnonzero(positive.any(axis=0))
    if len(rows) == 0:
        return _EMPTY
    top, bottom, above, below, down = _taps(frame.height, frame.scaled_height, rows[0], rows[-1])
    left, right, before, after, along = _taps(frame.width, frame.scaled_width, columns[0], columns[-1])
    wide = logits[:, before] * (1 - along) + logits[:, after] * along
    mask = np.empty((bottom - top, right - left), bool)
    for start in range(0, len(mask), _ROWS):
        part = slice(start, start + _ROWS)
        share = down[part, None]
        mask[part] = wide[above[part]] * (1 - share) + wide[below[part]] * share > 0
    return Region(top, left, mask)
