"""The objects' masks on one slice as a transparent picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .display import png

if TYPE_CHECKING:
    from .masks import ObjectMask
    from .planes import Plane

_CROSS = np.ones((3, 3), np.uint8)


def overlay(plane: Plane, k: int, masks: Iterable[tuple[ObjectMask, str]], outline: bool) -> bytes:
    """Masks on one slice as PNG with transparency.

    Parameters
    ----------
    plane : Plane
    k : int
        Index of the slice.
    masks : iterable of (ObjectMask, str)
        Each with its colour ``#rrggbb``; later ones cover earlier ones.
    outline : bool
        Edges instead of areas.
    """
    pixels = np.zeros((plane.height, plane.width, 4), np.uint8)
    for mask, colour in masks:
        page = _page(plane, k, mask)
        if page is None:
            continue
        inside, rows, columns = page
        if outline:
            # With a margin, so that the image's edge counts as an edge of the mask.
            padded = np.pad(inside.astype(np.uint8), 1)
            inside = (padded - cv2.erode(padded, _CROSS))[1:-1, 1:-1] > 0
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        pixels[rows, columns][inside] = blue, green, red, 255
    return png(pixels)


def _page(plane: Plane, k: int, mask: ObjectMask) -> tuple[np.ndarray, slice, slice] | None:
    """The cut of a mask with its rows and columns on the plane; None where it does not meet the slice."""
    if plane.name == "image":
        low, sizes, cut = mask.low, mask.mask.shape[::-1], mask.mask
    else:
        low, sizes = mask.low, mask.mask.shape[::-1]
        inside = k - low[plane.through]
        if not 0 <= inside < sizes[plane.through]:
            return None
        cut = plane.cut(mask.mask, inside)
    rows = _place(low[plane.down], sizes[plane.down], plane.height, plane.down_reversed)
    columns = _place(low[plane.across], sizes[plane.across], plane.width, plane.across_reversed)
    return cut, rows, columns


def _place(low: int, size: int, whole: int, turned: bool) -> slice:
    start = whole - low - size if turned else low
    return slice(start, start + size)
