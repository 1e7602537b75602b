"""The next click of a simulated user, by the rule of the CVPR 2025 challenge on interactive segmentation.

Source: the evaluation of "Foundation Models for Interactive 3D Biomedical Image Segmentation", CVPR 2025: after a box,
five clicks follow, each at the centre of the largest error; the centre is where the distance to the error's end is
largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Click:
    """Where a user clicks.

    Attributes
    ----------
    place : tuple of int
        Index of the pixel or voxel, in the order of the array's axes.
    adds : bool
        Whether the mask lacks the place; otherwise the place does not belong to it.
    """

    place: tuple[int, ...]
    adds: bool


def next_click(truth: np.ndarray, mask: np.ndarray) -> Click | None:
    """Find the centre of a mask's largest error.

    Parameters
    ----------
    truth, mask : ndarray
        bool, of one shape of two or three axes.

    Returns
    -------
    Click or None
        None where the mask has no error. Of errors of one size, one that lacks comes first; of places of one depth,
        the first.

    Notes
    -----
    Errors are connected by faces, edges and corners. The array's border ends an error.
    """
    from scipy import ndimage

    largest: np.ndarray | None = None
    size, adds = 0, False
    for errors, lacks in ((truth & ~mask, True), (mask & ~truth, False)):
        parts, count = ndimage.label(errors, np.ones((3,) * errors.ndim))
        sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
        if count and sizes.max() > size:
            size, adds = int(sizes.max()), lacks
            largest = parts == 1 + int(sizes.argmax())
    if largest is None:
        return None
    window = ndimage.find_objects(largest.astype(np.uint8))[0]
    depth = ndimage.distance_transform_edt(np.pad(largest[window], 1))[(slice(1, -1),) * largest.ndim]
    inside = np.unravel_index(int(depth.argmax()), depth.shape)
    place = tuple(int(at) + part.start for at, part in zip(inside, window, strict=True))
    return Click(place, adds)
