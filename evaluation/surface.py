"""Normalised surface distance (NSD), also called surface Dice, on masks of voxels.

After Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and neck anatomy for
radiotherapy", 2018, https://arxiv.org/abs/1809.04430. The surface of a mask lies between voxels: every cell of
2×2(×2) neighbouring voxel centres that holds both inside and outside contains one element, whose length or area is
that of the marching squares or cubes contour in the cell, with the cut edges halved. Distances run between the
centres of such cells. The image's border counts as outside.
"""

from functools import cache
from itertools import pairwise

import numpy as np
from scipy import ndimage

from ..errors import LiteMedSamError

# A corner of a cell is a number whose bit a is its place (0 or 1) along axis a; a cell's code has bit p set where
# corner p is inside.
_AXES = range(3)
_CORNERS = range(8)


def contour_lengths(spacing: tuple[float, ...]) -> np.ndarray:
    """Length of the contour in a cell of 2×2 pixels, for each of the 16 ways to fill it.

    Parameters
    ----------
    spacing : tuple of float
        (2,), distance of pixel centres along each axis of the array.

    Returns
    -------
    ndarray
        float64 (16,), in the unit of `spacing`. Two corners across a diagonal are cut off one by one.
    """
    half_diagonal = float(np.hypot(spacing[0], spacing[1])) / 2
    lengths = np.zeros(16)
    for code in range(1, 15):
        inside = [p for p in range(4) if code >> p & 1]
        if len(inside) != 2:
            lengths[code] = half_diagonal
        else:
            differ = inside[0] ^ inside[1]
            lengths[code] = 2 * half_diagonal if differ == 3 else spacing[differ >> 1]
    return lengths


def surface_areas(spacing: tuple[float, ...]) -> np.ndarray:
    """Area of the surface in a cell of 2×2×2 voxels, for each of the 256 ways to fill it.

    Parameters
    ----------
    spacing : tuple of float
        (3,), distance of voxel centres along each axis of the array.

    Returns
    -------
    ndarray
        float64 (256,), in the unit of `spacing` squared. A code and its complement have the same area: of a face
        with two corners across its diagonal, the corners that are fewer in the cell are cut off one by one.
    """
    s0, s1, s2 = spacing
    # Stretching space by the spacing stretches a normal by the product of the other two axes' spacings.
    areas: np.ndarray = np.linalg.norm(_triangle_normals() * (s1 * s2, s0 * s2, s0 * s1), axis=-1).sum(axis=-1)
    return areas


@cache
def _triangle_normals() -> np.ndarray:
    """Normals (256, 4, 3) of the at most four triangles per code in a unit cell, as long as the triangles' areas."""
    normals = np.zeros((256, 4, 3))
    for code in range(1, 255):
        inside = {p for p in _CORNERS if code >> p & 1}
        few = inside if len(inside) <= 4 else set(_CORNERS) - inside
        found = [normal for piece in _pieces(few) for normal in _fan(_ring(piece))]
        normals[code, : len(found)] = found
    return normals


def _pieces(corners: set[int]) -> list[set[int]]:
    left, pieces = set(corners), []
    while left:
        piece, edge = set(), {left.pop()}
        while edge:
            piece |= edge
            edge = {p ^ 1 << a for p in edge for a in _AXES} & left
            left -= edge
        pieces.append(piece)
    return pieces


def _ring(piece: set[int]) -> list[tuple[int, int]]:
    """The cuts (corner inside, axis of the cut edge) around a piece, in the order in which the faces join them."""
    first = next((p, a) for p in sorted(piece) for a in _AXES if p ^ 1 << a not in piece)
    ring, previous = [first], None
    while True:
        corner, axis = ring[-1]
        neighbours = []
        for other in _AXES:
            if other == axis:
                continue
            beside = corner ^ 1 << other
            beyond = beside ^ 1 << axis
            if beside not in piece:
                neighbours.append((corner, other))
            elif beyond not in piece:
                neighbours.append((beside, axis))
            else:
                neighbours.append((beyond, other))
        following = neighbours[0] if neighbours[0] != previous else neighbours[1]
        if following == first:
            return ring
        previous = ring[-1]
        ring.append(following)


def _fan(ring: list[tuple[int, int]]) -> list[np.ndarray]:
    """Area normals of a polygon's triangles, all from one of its points."""
    n = len(ring)
    # Polygons that are not plane hold two cuts of parallel edges that are not neighbours; the others split anywhere.
    apart = (k for k in range(n) if any(ring[k][1] == ring[(k + step) % n][1] for step in range(2, n - 1)))
    start = next(apart, 0)
    points = []
    for corner, axis in ring[start:] + ring[:start]:
        point = np.array([corner >> a & 1 for a in _AXES], float)
        point[axis] = 0.5
        points.append(point)
    return [np.cross(b - points[0], c - points[0]) / 2 for b, c in pairwise(points[1:])]


def _cell_codes(mask: np.ndarray) -> np.ndarray:
    """Codes uint8 (n + 1 along each axis) of the cells around and between the mask's voxels."""
    padded = np.pad(mask, 1).view(np.uint8)
    codes = np.zeros([side + 1 for side in mask.shape], np.uint8)
    for corner in range(2**mask.ndim):
        window = (slice(corner >> a & 1, (corner >> a & 1) + side) for a, side in enumerate(codes.shape))
        codes |= padded[tuple(window)] << corner
    return codes


def surface_dice(truth: np.ndarray, mask: np.ndarray, spacing: tuple[float, ...], tolerance: float) -> float:
    """Share of both surfaces that lies within a tolerance of the other one.

    Parameters
    ----------
    truth, mask : ndarray
        bool (H, W) or (D, H, W), of one shape. Voxels outside of all objects may be cropped off both alike.
    spacing : tuple of float
        Distance of voxel centres along each axis of the arrays, in the order of the axes, above 0.
    tolerance : float
        In the unit of `spacing`; a distance equal to it is within.

    Returns
    -------
    float
        In [0, 1]; 0 where one mask is empty, NaN where both are.

    Raises
    ------
    LiteMedSamError
        Shapes that differ, neither two nor three axes, or a spacing of another length or not above 0.
    """
    if truth.shape != mask.shape or truth.ndim not in (2, 3):
        raise LiteMedSamError(f"NSD: masks of shapes {truth.shape} and {mask.shape}, expected one shape of 2 or 3 axes")
    if len(spacing) != truth.ndim or not all(0 < s < np.inf for s in spacing):
        raise LiteMedSamError(f"NSD: spacing {tuple(spacing)}, expected {truth.ndim} finite numbers above 0")
    sizes = (contour_lengths if truth.ndim == 2 else surface_areas)(spacing)
    codes = [_cell_codes(np.ascontiguousarray(m, bool)) for m in (truth, mask)]
    elements = [(c != 0) & (c != len(sizes) - 1) for c in codes]
    if not elements[0].any() or not elements[1].any():
        return float("nan") if not elements[0].any() and not elements[1].any() else 0.0
    within = total = 0.0
    for own, other in ((0, 1), (1, 0)):
        size = sizes[codes[own][elements[own]]]
        distance = ndimage.distance_transform_edt(~elements[other], sampling=spacing)[elements[own]]
        within += size[distance <= tolerance].sum()
        total += size.sum()
    return float(within / total)
