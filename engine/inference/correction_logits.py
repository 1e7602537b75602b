"""Logits of a mask after a correction: right at every corrected place, and as before away from it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .prompt import ADDS

# Standard deviations, in frame pixels, of the changes around a point that the network does not obey.
_REACHES = 6.0, 3.0, 1.5, 0.75
# The logit that such a point gets.
_MARGIN = 2.0
# Beyond so many of them nothing changes.
_BEYOND = 4
CERTAIN = 10.0
"""Logits beyond it are as good as certain."""
# Of the network's answer; the rest is the mask before.
_SHARE = 0.6
# A correction that takes more of the mask than this is taken for a misunderstanding.
_MOST_REMOVED = 1 / 8
# Of the distance to the mask's edge: the standard deviation of the change that takes its place.
_DEPTH_SHARE = 0.7


def restrained(
    before: np.ndarray, decoded: np.ndarray, own: np.ndarray, places: np.ndarray, sides: np.ndarray
) -> np.ndarray:
    """What counts of the network's answer to a correction.

    Only the pieces that come or go around the correction's own places do. If more than an eighth of the mask would go,
    the surroundings of the places change instead: the network has taken a click for a new object.

    Parameters
    ----------
    before, decoded : ndarray
        float32 (S, S): the logits before, and the network's answer.
    own : ndarray
        float32 (k, 2), x, y in pixels of the frame, of the correction.
    places : ndarray
        float32 (m, 2), of this correction and all earlier ones.
    sides : ndarray
        int64 (m,), 1 inside and 0 outside.

    Returns
    -------
    ndarray
        float32 (S, S), with every place on its side.
    """
    blended = _SHARE * decoded + (1 - _SHARE) * np.clip(before, -CERTAIN, CERTAIN)
    answer = honoured(blended.astype(np.float32), places, sides)
    mask = before > 0
    changed = (answer > 0) != mask
    pieces = pieces_on(changed, _around(own, mask.shape))
    if np.count_nonzero(mask & pieces) > _MOST_REMOVED * np.count_nonzero(mask):
        surroundings = max(_DEPTH_SHARE * depth(mask, own), _REACHES[-1])
        return honoured(before, places, sides, (surroundings, *_REACHES[1:]))
    kept: np.ndarray = np.where(changed & ~pieces, before, answer)
    return honoured(kept, places, sides)


def followed(before: np.ndarray, guess: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """What counts of the network's answer on a neighbouring slice: the pieces that come or go where the guess says so.

    Parameters
    ----------
    before, guess, decoded : ndarray
        float32 (S, S): the logits before, those with the faded change, and the network's answer.

    Returns
    -------
    ndarray
        float32 (S, S).
    """
    mask = before > 0
    changed = (decoded > 0) != mask
    kept: np.ndarray = np.where(changed & ~pieces_on(changed, (guess > 0) != mask), before, decoded)
    return kept


def pieces_on(changed: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """The connected pieces of changed pixels that reach some ground.

    Parameters
    ----------
    changed, ground : ndarray
        bool (S, S). Pixels that touch at a corner are connected.

    Returns
    -------
    ndarray
        bool (S, S).
    """
    count, numbers = cv2.connectedComponents(changed.astype(np.uint8), connectivity=8)
    touched = np.zeros(count, bool)
    touched[numbers[ground]] = True
    # The number of all that has not changed.
    touched[0] = False
    found: np.ndarray = touched[numbers]
    return found


def _around(places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The pixels of places (k, 2) and those beside them, bool (S, S)."""
    ground = np.zeros(shape, bool)
    for x, y in _whole(places, shape):
        ground[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = True
    return ground


def depth(mask: np.ndarray, places: np.ndarray) -> float:
    """The smallest distance from places to the edge of a mask, from either side; the frame's border is an edge, too.

    So a stroke that begins at the edge takes little beside itself.

    Parameters
    ----------
    mask : ndarray
        bool (S, S).
    places : ndarray
        float32 (k, 2), x, y, at least one.

    Returns
    -------
    float
        In pixels, at least 1.
    """
    sides = [np.pad(side, 1).astype(np.uint8) for side in (mask, ~mask)]
    inside, outside = (cv2.distanceTransform(side, cv2.DIST_L2, 5)[1:-1, 1:-1] for side in sides)
    return float(min(max(inside[y, x], outside[y, x]) for x, y in _whole(places, mask.shape)))


def _whole(places: np.ndarray, shape: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = np.clip(np.rint(places), 0, np.array(shape[::-1]) - 1).astype(int).tolist()
    return found


def honoured(
    logits: np.ndarray, points: np.ndarray, labels: np.ndarray, reaches: Sequence[float] = _REACHES
) -> np.ndarray:
    """Change logits around points whose pixels lie on the wrong side, as little as makes them right.

    Parameters
    ----------
    logits : ndarray
        float32 (S, S).
    points : ndarray
        float32 (k, 2), x, y in pixels of the frame. Of points that contradict each other, the last counts.
    labels : ndarray
        int64 (k,), 1 inside and 0 outside.
    reaches : sequence of float
        Standard deviations of the changes, in pixels, one after the other.

    Returns
    -------
    ndarray
        float32 (S, S); `logits` itself if every point is on its side.
    """
    last = logits.shape[0] - 1
    changed = logits
    # Narrower every time, so that points beside each other do not undo each other.
    for reach in reaches:
        for (x, y), label in zip(np.clip(points, 0, last).astype(float), labels, strict=True):
            value, sign = value_at(changed, x, y), 1.0 if label == ADDS else -1.0
            if sign * value > 0:
                continue
            if changed is logits:
                changed = logits.copy()
            left, top = (max(int(at - _BEYOND * reach), 0) for at in (x, y))
            right, bottom = (int(at + _BEYOND * reach) + 2 for at in (x, y))
            window = changed[top:bottom, left:right]
            rows, columns = np.ogrid[top : top + window.shape[0], left : left + window.shape[1]]
            bump = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2))
            window += (sign * (abs(value) + _MARGIN) / value_at(bump, x - left, y - top) * bump).astype(np.float32)
    return changed


def value_at(values: np.ndarray, x: float, y: float) -> float:
    """Bilinear value of an array (S, S) at a place within it."""
    left, top = min(int(x), values.shape[1] - 2), min(int(y), values.shape[0] - 2)
    along, down = x - left, y - top
    square = values[top : top + 2, left : left + 2].astype(float)
    return float(np.array([1 - down, down]) @ square @ np.array([1 - along, along]))
