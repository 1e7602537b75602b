"""Boxes around the labels of a mask, and around their connected pieces."""

import cv2
import numpy as np

# Pixels that one step looks at; more would take more memory for their indices.
_PART = 1_000_000


def tight_boxes(labels: np.ndarray) -> dict[int, list[int]]:
    """The boxes (x_min, y_min, [z_min,] x_max, y_max[, z_max]), ends included, of a label map's numbers but 0.

    Parameters
    ----------
    labels : ndarray
        Integers (H, W) or (D, H, W).

    Returns
    -------
    dict of int to list of int
        By number, ascending.
    """
    numbers = np.unique(labels)
    numbers = numbers[numbers != 0]
    low = np.full((len(numbers), 3), np.iinfo(np.int64).max)
    high = np.full((len(numbers), 3), -1)
    pages = labels if labels.ndim == 3 else labels[None]
    rows = max(_PART // max(pages.shape[2], 1), 1)
    for z, page in enumerate(pages):
        for top in range(0, len(page), rows):
            ys, xs = np.nonzero(page[top : top + rows])
            which = np.searchsorted(numbers, page[ys + top, xs])
            for axis, place in enumerate((xs, ys + top, np.full(len(xs), z))):
                np.minimum.at(low[:, axis], which, place)
                np.maximum.at(high[:, axis], which, place)
    boxes = np.concatenate([low[:, : labels.ndim], high[:, : labels.ndim]], axis=1)
    return dict(zip(numbers.tolist(), boxes.tolist(), strict=True))


def piece_boxes(mask: np.ndarray) -> list[list[int]]:
    """The tight boxes of the connected pieces of a mask bool (H, W) or (D, H, W), in the order of their first voxel."""
    slices = mask if mask.ndim == 3 else mask[None]
    # One row x_min, y_min, z, x_max, y_max, z for each piece of a slice.
    found: list[np.ndarray] = []
    links: list[np.ndarray] = []
    below, count = np.zeros(slices.shape[1:], np.int32), 0
    for z, page in enumerate(slices):
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(page, np.uint8), connectivity=8)
        left, top, width, height = stats[1:, :4].T
        at = np.full_like(left, z)
        found.append(np.stack([left, top, at, left + width - 1, top + height - 1, at], axis=1))
        above = np.where(numbers > 0, numbers + count, 0)
        shared = (below > 0) & (above > 0)
        links.append(np.unique(np.stack([below[shared], above[shared]], axis=1), axis=0))
        below = above
        count += len(stats) - 1
    # Pieces that share a voxel with one on the slice before are united; the lowest number stands for all.
    root = np.arange(count + 1)

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = int(root[k])
        return k

    for a, b in np.concatenate(links):
        first, second = sorted((find(int(a)), find(int(b))))
        root[second] = first
    boxes = np.concatenate(found)
    roots, which = np.unique([find(k) for k in range(1, count + 1)], return_inverse=True)
    low = np.full((len(roots), 3), np.iinfo(np.int32).max)
    high = np.zeros((len(roots), 3), np.int64)
    np.minimum.at(low, which, boxes[:, :3])
    np.maximum.at(high, which, boxes[:, 3:])
    axes = [0, 1, 2][: mask.ndim]
    rows: list[list[int]] = np.concatenate([low[:, axes], high[:, axes]], axis=1).tolist()
    return rows
