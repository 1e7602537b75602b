"""Naive rivals. They make masks from the boxes alone, or from boxes and colours.

Each object gets a mask of its own; where boxes overlap, so do the masks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import cv2
import numpy as np

from .pieces import Piece
from .truth import Prompted

# k-means for five Gaussians needs at least as many pixels on either side.
_GRABCUT_PIXELS = 5


class Rival(Protocol):
    """A way to fill a box."""

    name: str

    def fill(self, image: np.ndarray, region: tuple[slice, ...]) -> np.ndarray:
        """Fill one box.

        Parameters
        ----------
        image : ndarray
            uint8 (H, W), (H, W, 3), (D, H, W) or (D, H, W, 3).
        region : tuple of slice
            The box, one slice per axis of the image but the colours'; not empty.

        Returns
        -------
        ndarray
            bool, as large as the region.
        """
        ...


@dataclass(frozen=True)
class FilledBox:
    """The whole box."""

    name = "box"

    def fill(self, image: np.ndarray, region: tuple[slice, ...]) -> np.ndarray:
        """See `Rival.fill`."""
        return np.ones([s.stop - s.start for s in region], bool)


@dataclass(frozen=True)
class Ellipse:
    """The ellipse or ellipsoid that touches the box's outer edges."""

    name = "ellipse"

    def fill(self, image: np.ndarray, region: tuple[slice, ...]) -> np.ndarray:
        """See `Rival.fill`."""
        return _squared_radius([s.stop - s.start for s in region]) <= 1


@dataclass(frozen=True)
class GrabCut:
    """GrabCut, slice by slice in a volume.

    Outside of the box is background; the middle of the ellipse in it is object, the rest of the ellipse perhaps
    object, the box's corners perhaps background. Without a certain middle the cut often leaves nothing in grey images.

    After Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph cuts", 2004,
    https://doi.org/10.1145/1015706.1015720. Without pixels around the box, or with fewer in it than colour models
    need, the box is filled.

    Attributes
    ----------
    iterations : int
        At least 1.
    margin : float
        Of the background taken on each side, in sides of the box; at least 8 pixels.
    core : float
        Size of the certain middle, in axes of the ellipse; 0 for none.
    """

    iterations: int = 5
    margin: float = 0.5
    core: float = 0.5
    name = "grabcut"

    def fill(self, image: np.ndarray, region: tuple[slice, ...]) -> np.ndarray:
        """See `Rival.fill`."""
        if len(region) == 2:
            return self._plane(image, region)
        return np.stack([self._plane(image[z], region[1:]) for z in range(region[0].start, region[0].stop)])

    def _plane(self, image: np.ndarray, region: tuple[slice, ...]) -> np.ndarray:
        around, inner = [], []
        for s, length in zip(region, image.shape[:2], strict=True):
            extra = max(8, round(self.margin * (s.stop - s.start)))
            low, high = max(s.start - extra, 0), min(s.stop + extra, length)
            around.append(slice(low, high))
            inner.append(slice(s.start - low, s.stop - low))
        cut = image[tuple(around)]
        colours = np.ascontiguousarray(np.stack([cut] * 3, -1) if cut.ndim == 2 else cut)
        marks = np.full(cut.shape[:2], cv2.GC_BGD, np.uint8)
        sides = [s.stop - s.start for s in region]
        inside = sides[0] * sides[1]
        radius = _squared_radius(sides)
        marks[tuple(inner)] = np.select(
            [radius <= self.core**2, radius <= 1], [cv2.GC_FGD, cv2.GC_PR_FGD], cv2.GC_PR_BGD
        )
        objects = np.count_nonzero(marks & 1)
        if min(objects, marks.size - inside) < _GRABCUT_PIXELS:
            return np.ones(sides, bool)
        # The colour models start from random clusters.
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        # The rectangle is not looked at where there are marks.
        cv2.grabCut(colours, marks, (0, 0, 1, 1), *models, self.iterations, cv2.GC_INIT_WITH_MASK)
        return np.isin(marks[tuple(inner)], (cv2.GC_FGD, cv2.GC_PR_FGD))


def _squared_radius(sides: list[int]) -> np.ndarray:
    """Squared distance float64 (*sides) of each voxel from a box's centre, 1 on the ellipse that touches its edges."""
    places = np.ogrid[tuple(slice(0, n) for n in sides)]
    # Voxel centres lie half a voxel inside the edges.
    squares = (((2 * k + 1) / n - 1) ** 2 for k, n in zip(places, sides, strict=True))
    return reduce(np.add, squares)


RIVALS: tuple[Rival, ...] = (FilledBox(), Ellipse(), GrabCut())


def fill_boxes(rival: Rival, case: Prompted) -> Mapping[int, Piece]:
    """A rival's masks of a case.

    Parameters
    ----------
    rival : Rival
    case : Prompted
        Boxes are clipped to the image.

    Returns
    -------
    mapping of int to Piece
        By label, box i as label i + 1; empty masks are left out.
    """
    axes = case.boxes.shape[1] // 2
    masks = {}
    for k, box in enumerate(case.boxes.tolist(), 1):
        lows, highs = box[:axes][::-1], box[axes:][::-1]
        region = tuple(
            slice(max(low, 0), min(high + 1, length))
            for low, high, length in zip(lows, highs, case.image.shape[:axes], strict=True)
        )
        if any(s.start >= s.stop for s in region):
            continue
        mask = rival.fill(case.image, region)
        if mask.any():
            masks[k] = Piece(tuple(s.start for s in region), mask)
    return masks
