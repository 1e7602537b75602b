"""Masks of single objects, beside the label map in which the highest number hides the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from .prompt import Target
    from .region import Region


class MaskSink(Protocol):
    """Gets every mask of a case as it is made."""

    def add(self, target: Target, region: Region) -> None:
        """Take the mask of one object on one image or slice."""
        ...


class SeparateMasks:
    """The mask of each object by itself, with what others cover.

    Kept as rectangles, which take about a byte for each voxel in the objects' boxes.
    """

    def __init__(self) -> None:
        self._regions: dict[int, list[tuple[int, Region]]] = {}

    def add(self, target: Target, region: Region) -> None:
        """See `MaskSink.add`."""
        self._regions.setdefault(target.number, []).append((target.slice_index, region))

    def mask(self, number: int, grid: tuple[int, ...]) -> np.ndarray:
        """The mask of one object.

        Parameters
        ----------
        number : int
            Its label, from 1.
        grid : tuple of int
            (H, W) or (D, H, W) of the case.

        Returns
        -------
        ndarray
            bool, of that shape.
        """
        mask = np.zeros(grid, bool)
        pages = mask if mask.ndim == 3 else mask[None]
        for slice_index, region in self._regions.get(number, ()):
            pages[slice_index][region.window] |= region.mask
        return mask
