"""Where a scan's voxels lie in the patient, and how they are turned for the model and for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

# An axis is taken for the direction of acquisition when its spacing is this many times every other one's.
_THICK = 1.5
_RIGHT, _ANTERIOR, _SUPERIOR = range(3)
# For each direction of the slices: the patient's axes across, down and through the slices, and whether the way
# goes against it; a radiologist's view, patient's right on the left, superior or anterior at the top.
_LAYOUTS = {
    _SUPERIOR: ((_RIGHT, True), (_ANTERIOR, True), (_SUPERIOR, False)),
    _RIGHT: ((_ANTERIOR, True), (_SUPERIOR, True), (_RIGHT, True)),
    _ANTERIOR: ((_RIGHT, True), (_SUPERIOR, True), (_ANTERIOR, True)),
}


@dataclass(frozen=True)
class Geometry:
    """Where a grid of voxels lies.

    Attributes
    ----------
    affine : ndarray
        float64 (4, 4), voxel index (x, y, z) of a centre to millimetres towards right, anterior, superior (RAS).
    """

    affine: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        """Distance between centres in mm along x, y, z, float64 (3,)."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_volume(self) -> float:
        """In cubic millimetres; right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def to_indices(self, points: np.ndarray) -> np.ndarray:
        """Voxel indices (n, 3), not rounded, of points (n, 3) in RAS millimetres."""
        inverse: np.ndarray = np.linalg.inv(self.affine[:3, :3])
        return np.asarray((np.asarray(points, np.float64) - self.affine[:3, 3]) @ inverse.T)


@dataclass(frozen=True)
class View:
    """How a stored volume is turned: which stored axis becomes which, and in which direction.

    An image has a view too, of two axes: the identity.

    Attributes
    ----------
    shape : tuple of int
        (D, H, W) or (H, W) as stored.
    axes : tuple of int
        The stored axis (0 for x, 1 for y, 2 for z) that is seen as x, y and, in a volume, z.
    reversed : tuple of bool
        Whether it is seen from its end, for x, y and z as seen.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...] = (0, 1, 2)
    reversed: tuple[bool, ...] = (False, False, False)

    @classmethod
    def identity(cls, shape: Sequence[int]) -> View:
        """The view that turns nothing, of an image (H, W) or a volume (D, H, W)."""
        return cls(tuple(shape), tuple(range(len(shape))), (False,) * len(shape))

    @property
    def through(self) -> str:
        """Name of the stored axis that counts the slices, ``x``, ``y`` or ``z``; empty for an image."""
        return "xyz"[self.axes[2]] if len(self.axes) > 2 else ""

    def _order(self) -> tuple[int, ...]:
        # Arrays are indexed z, y, x: the axis of a coordinate is the last axis less that coordinate.
        last = len(self.axes) - 1
        return tuple(last - axis for axis in self.axes[::-1])

    def _flips(self) -> tuple[int, ...]:
        return tuple(len(self.axes) - 1 - k for k, turned in enumerate(self.reversed) if turned)

    def _last(self) -> np.ndarray:
        """Index of the last voxel along each axis as seen, x first."""
        return np.array(self.shape[::-1])[list(self.axes)] - 1

    def see(self, stored: np.ndarray) -> np.ndarray:
        """A stored array of the shape, with or without a last axis of colours, as seen; a view of the same memory."""
        colours = tuple(range(len(self.axes), stored.ndim))
        return np.flip(stored.transpose(*self._order(), *colours), self._flips())

    def restore(self, seen: np.ndarray) -> np.ndarray:
        """The opposite of `see`, for an array without colours."""
        return np.flip(seen, self._flips()).transpose(*np.argsort(self._order()))

    def see_spacing(self, spacing: np.ndarray) -> np.ndarray:
        """Spacing, one number per axis, x first, as stored, as seen."""
        return np.asarray(spacing)[list(self.axes)]

    def see_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes, see `Case`, in stored indices, as seen; an end on the far edge of a reversed axis comes to 0."""
        rank = len(self.axes)
        low, high = boxes[:, list(self.axes)], boxes[:, [rank + axis for axis in self.axes]]
        last, turned = self._last(), np.array(self.reversed)
        first = np.where(turned, np.maximum(last - high, 0), low)
        return np.concatenate([first, np.where(turned, last - low, high)], axis=1)

    def stored_boxes(self, boxes: np.ndarray) -> np.ndarray:
        """The opposite of `see_boxes`, for boxes (N, 4) or (N, 6) of whole pixels as seen."""
        rank = len(self.axes)
        low, high = boxes[:, :rank], boxes[:, rank:]
        last, turned = self._last(), np.array(self.reversed)
        order = list(np.argsort(self.axes))
        first, end = np.where(turned, last - high, low), np.where(turned, last - low, high)
        return np.concatenate([first[:, order], end[:, order]], axis=1)

    def stored_point(self, point: np.ndarray) -> np.ndarray:
        """The opposite of `see_points`, for one point (2,) or (3,)."""
        return np.asarray(np.where(self.reversed, self._last() - point, point)[np.argsort(self.axes)])

    def see_points(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 2) x, y or (n, 3) x, y, z, one number per axis, in stored indices, as seen."""
        chosen = points[:, list(self.axes)]
        return np.where(self.reversed, self._last() - chosen, chosen)

    def stored_slice(self, z: int) -> tuple[str, int]:
        """Name and index of the stored slice that is seen as slice z; (``z``, 0) for an image."""
        if not self.through:
            return "z", z
        return self.through, int(self._last()[2]) - z if self.reversed[2] else z


def patient_axes(affine: np.ndarray) -> tuple[int, ...]:
    """Which of right, anterior, superior (0, 1, 2) each of x, y, z is closest to, each once; affine (4, 4) to RAS."""
    cosines = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    return max(permutations(range(3)), key=lambda order: sum(cosines[order[axis], axis] for axis in range(3)))


def radiological_view(geometry: Geometry, shape: tuple[int, ...]) -> View:
    """The view of a volume that does not depend on how its axes are stored.

    Slices are taken along the direction of acquisition: the only axis with a single voxel, else the axis whose
    spacing is at least 1.5 times that of both others, else the one closest to superior. Axial slices are seen
    with anterior at the top, sagittal ones with anterior on the left and superior at the top, coronal ones with
    superior at the top; the patient's right is on the left. Slices follow each other towards superior, left and
    posterior, as in a grid along left, posterior, superior (LPS). Oblique axes go by the closest of the three.

    Parameters
    ----------
    geometry : Geometry
    shape : tuple of int
        (D, H, W) as stored.

    Returns
    -------
    View
    """
    along = patient_axes(geometry.affine)
    single = [axis for axis in range(3) if shape[2 - axis] == 1]
    if len(single) == 1:
        through = along[single[0]]
    else:
        by_size = np.argsort(geometry.spacing)
        thick = geometry.spacing[by_size[2]] >= _THICK * geometry.spacing[by_size[1]]
        through = along[by_size[2]] if thick else _SUPERIOR
    axes, turned = [], []
    for patient_axis, against in _LAYOUTS[through]:
        axis = along.index(patient_axis)
        axes.append(axis)
        turned.append(bool((geometry.affine[patient_axis, axis] > 0) == against))
    return View(shape, tuple(axes), tuple(turned))
