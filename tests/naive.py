"""A second, slow implementation of the NSD: every cell, every distance, and closed forms for the areas of cells."""

import itertools
from math import sqrt

import numpy as np

TRIANGLE, STRIP, HEXAGON = sqrt(3) / 8, sqrt(2) / 2, 3 * sqrt(3) / 4
PENTAGON = 0.5 + 3 * TRIANGLE
SKEW = 4 * TRIANGLE + 2 * sqrt(2) / 4


def _cell_area(cell: np.ndarray) -> float:
    """Area in a cell of 2×2×2 voxels of spacing 1."""
    inside = np.argwhere(cell if cell.sum() <= 4 else ~cell)
    area = 0.0
    while len(inside):
        piece = inside[:1]
        for _ in range(3):
            near = (np.abs(inside[:, None] - piece[None]).sum(-1) <= 1).any(1)
            piece = inside[near]
        inside = inside[~near]
        steps = np.abs(piece[:, None] - piece[None]).sum(-1)
        degrees = sorted((steps == 1).sum(1).tolist())
        area += {
            (0,): TRIANGLE,
            (1, 1): STRIP,
            (1, 1, 2): PENTAGON,
            (2, 2, 2, 2): 1.0,
            (1, 1, 1, 3): HEXAGON,
            (1, 1, 2, 2): SKEW,
        }[tuple(degrees)]
    return area


def _cell_length(cell: np.ndarray) -> float:
    """Length in a cell of 2×2 pixels of spacing 1."""
    if cell.sum() != 2:
        return sqrt(2) / 2
    return sqrt(2) if cell[0, 0] == cell[1, 1] else 1.0


def naive_surface_dice(truth: np.ndarray, mask: np.ndarray, tolerance: float) -> float:
    """NSD of masks of spacing 1, of two or three axes."""
    measure = _cell_length if truth.ndim == 2 else _cell_area
    places, sizes = [], []
    for volume in (np.pad(truth, 1), np.pad(mask, 1)):
        here = []
        for corner in itertools.product(*(range(n - 1) for n in volume.shape)):
            cell = volume[tuple(slice(c, c + 2) for c in corner)]
            if cell.any() and not cell.all():
                here.append((corner, measure(cell)))
        places.append(np.array([c for c, _ in here], float))
        sizes.append(np.array([a for _, a in here]))
    distances = np.sqrt(((places[0][:, None] - places[1][None]) ** 2).sum(-1))
    within = sizes[0][distances.min(1) <= tolerance].sum() + sizes[1][distances.min(0) <= tolerance].sum()
    return within / (sizes[0].sum() + sizes[1].sum())
