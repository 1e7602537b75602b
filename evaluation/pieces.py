"""Cuts a label map into small masks, so that empty space costs no time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Piece:
    """One object's mask, cut out of its image.

    Attributes
    ----------
    start : tuple of int
        Index of the mask's first voxel in the image, one per axis.
    mask : ndarray
        bool, (h, w) or (d, h, w).
    """

    start: tuple[int, ...]
    mask: np.ndarray


def pieces_of(labels: np.ndarray) -> Mapping[int, Piece]:
    """Cut a label map into its objects.

    Parameters
    ----------
    labels : ndarray
        Integers at least 0, (H, W) or (D, H, W); 0 is background.

    Returns
    -------
    mapping of int to Piece
        By label, ascending; labels that do not occur are left out.
    """
    found = {}
    for k, region in enumerate(ndimage.find_objects(labels), 1):
        if region is not None:
            found[k] = Piece(tuple(s.start for s in region), labels[region] == k)
    return found


def together(a: Piece | None, b: Piece | None) -> tuple[np.ndarray, np.ndarray]:
    """Put two pieces of one image on the smallest grid that contains both.

    Parameters
    ----------
    a, b : Piece or None
        None is an empty mask; not both.

    Returns
    -------
    tuple of ndarray
        Two bool masks of one shape.
    """
    if a is None:
        if b is None:
            raise ValueError("two empty masks have no grid")
        return np.zeros_like(b.mask), b.mask
    if b is None:
        return a.mask, np.zeros_like(a.mask)
    start = np.minimum(a.start, b.start)
    stop = np.maximum(np.add(a.start, a.mask.shape), np.add(b.start, b.mask.shape))
    both = []
    for piece in (a, b):
        grid = np.zeros(stop - start, bool)
        grid[tuple(slice(p, p + n) for p, n in zip(piece.start - start, piece.mask.shape, strict=True))] = piece.mask
        both.append(grid)
    return both[0], both[1]
