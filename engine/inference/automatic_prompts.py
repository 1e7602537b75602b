"""Automatic prompts: four points and a scribble, drawn inside the box.

They follow the published pipeline (strokes after Yu et al., "Free-Form Image Inpainting with Gated Convolution", 2019,
https://arxiv.org/abs/1806.03589), but each object has its own random stream. A bundle whose weights were trained with
another scribble names that scribble.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .prompt import POINTS, Prompt, Target

_SCRIBBLE_TRIES = 6
_SCRIBBLE_PIXELS = 5


@dataclass(frozen=True)
class AutomaticPrompts:
    """Points drawn at random from the foreground inside the box, and a scribble.

    They depend on the seed, the box and the image alone. "Foreground" is every pixel brighter than the image's
    darkest, as in the published pipeline.

    Attributes
    ----------
    seed : int
        At least 0.
    kinds : tuple of str
        The prompts that the model takes. Of ``points`` and ``scribbles``, only those named here are drawn.
    scribble : str
        The name of the scribble: a key of `SCRIBBLES`.
    """

    seed: int = 0
    kinds: tuple[str, ...] = ("points", "scribbles")
    scribble: str = "stroke"

    def prompt(self, target: Target, box: np.ndarray, foreground: np.ndarray) -> Prompt:
        """See `PromptSource.prompt`; the target is ignored."""
        box = np.asarray(box, np.float32)
        rng = np.random.default_rng([self.seed, *box.view(np.uint32).tolist()])
        points = draw_points(rng, box, foreground) if "points" in self.kinds else None
        scribble = SCRIBBLES[self.scribble](rng, box, foreground) if "scribbles" in self.kinds else None
        return Prompt(box, points, scribble)


def _integer_below(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high)) if low < high else 0


def _shrunk(rng: np.random.Generator, box: np.ndarray, ranges: list[tuple[int, int]]) -> tuple[int, int, int, int]:
    by_x, by_y = (_integer_below(rng, low, high) for low, high in ranges)
    x0, y0, x1, y1 = (int(c) for c in box)
    return x0 + by_x, y0 + by_y, x1 - by_x, y1 - by_y


def _sides(box: np.ndarray) -> tuple[float, float]:
    return float(box[2] - box[0]), float(box[3] - box[1])


def draw_points(rng: np.random.Generator, box: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Draw one point in each quadrant of the shrunk box.

    Parameters
    ----------
    rng : numpy.random.Generator
    box : ndarray
        (4,) in pixels of the frame.
    foreground : ndarray
        bool (S, S).

    Returns
    -------
    ndarray
        float32 (4, 2), x, y: top left, bottom left, bottom right, top right. x and y are drawn independently
        from the quadrant's foreground. A quadrant without foreground gives the box's centre.
    """
    x0, y0, x1, y1 = _shrunk(rng, box, [(int(s // 5), int(s // 2) - 1) for s in _sides(box)])
    centre_x, centre_y = int((box[0] + box[2]) // 2), int((box[1] + box[3]) // 2)
    quadrants = [
        (x0, y0, centre_x, centre_y),
        (x0, centre_y, centre_x, y1),
        (centre_x, centre_y, x1, y1),
        (centre_x, y0, x1, centre_y),
    ]
    points = np.empty((POINTS, 2), np.float32)
    for k, (left, top, right, bottom) in enumerate(quadrants):
        ys, xs = np.nonzero(foreground[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)])
        if len(xs) == 0:
            points[k] = centre_x, centre_y
        else:
            points[k] = rng.choice(xs) + max(left, 0), rng.choice(ys) + max(top, 0)
    return points


def draw_stroke(rng: np.random.Generator, box: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Draw one free-form stroke on the foreground inside the shrunk box.

    Parameters
    ----------
    rng : numpy.random.Generator
    box : ndarray
        (4,) in pixels of the frame.
    foreground : ndarray
        bool (S, S).

    Returns
    -------
    ndarray
        bool (S, S), the stroke's largest 8-connected piece on the foreground. Six strokes are tried; the result is
        empty if none of them leaves more than five pixels.
    """
    scribble = np.zeros(foreground.shape, bool)
    x0, y0, x1, y1 = _shrunk(rng, box, [(int(s // 8), int(s // 6)) for s in _sides(box)])
    left, top = max(x0, 0), max(y0, 0)
    allowed = foreground[top : max(y1, 0), left : max(x1, 0)]
    ys, xs = np.nonzero(allowed)
    if len(xs) <= _SCRIBBLE_PIXELS:
        return scribble
    for _ in range(_SCRIBBLE_TRIES):
        start = rng.integers(len(xs))
        stroke = _stroke(rng, (float(xs[start]), float(ys[start])), allowed.shape)
        piece = _largest_piece(stroke & allowed)
        if np.count_nonzero(piece) > _SCRIBBLE_PIXELS:
            scribble[top : top + piece.shape[0], left : left + piece.shape[1]] = piece
            break
    return scribble


def _stroke(rng: np.random.Generator, start: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    count = int(rng.integers(10, 30))
    heading, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0, 20)
    vertices = np.empty((count, 2))
    x, y = start
    for k in range(count):
        vertices[k] = x, y
        speed = min(max(speed + rng.uniform(-15, 15), 0), 20)
        heading += rng.uniform(-0.5, 0.5)
        x, y = x + speed * np.cos(heading), y + speed * np.sin(heading)
    brush = int(rng.integers(3, 10))
    direction, length = rng.uniform(0, 2 * np.pi), abs(rng.normal(0, 3))
    vertices += length * np.array([np.cos(direction), np.sin(direction)])
    moved = rng.random(count) < 0.5
    vertices[moved] += rng.integers(-3, 3, (int(moved.sum()), 2))
    canvas = np.zeros(shape, np.uint8)
    corners = np.rint(vertices).astype(np.int32)
    # OpenCV ends thick lines with round caps.
    cv2.polylines(canvas, [corners[:, None]], isClosed=False, color=1, thickness=brush)
    return canvas.astype(bool)


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count == 1:
        return np.zeros_like(mask)
    largest: np.ndarray = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return largest


def fill_ellipse(rng: np.random.Generator, box: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """Draw the ellipse that fills the box; the image is ignored.

    Parameters
    ----------
    rng : numpy.random.Generator
        Unused.
    box : ndarray
        (4,) in pixels of the frame, ends included.
    foreground : ndarray
        bool (S, S).

    Returns
    -------
    ndarray
        bool (S, S), true where a pixel's centre lies in the ellipse. The pixel at the box's centre is always true,
        provided that it lies in the frame.
    """
    low, high = np.asarray(box[:2], np.float64), np.asarray(box[2:], np.float64)
    centre, radii = (low + high) / 2, (high - low + 1) / 2
    y, x = np.ogrid[: foreground.shape[0], : foreground.shape[1]]
    inside: np.ndarray = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 <= 1
    column, row = (int(c) for c in np.rint(centre))
    inside[max(row, 0) : row + 1, max(column, 0) : column + 1] = True
    return inside


def no_scribble(rng: np.random.Generator, box: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """An empty scribble, bool (S, S), for weights that take a scribble but do not need one; `rng` is unused."""
    return np.zeros(foreground.shape, bool)


ScribblePainter = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]

SCRIBBLES: dict[str, ScribblePainter] = {"stroke": draw_stroke, "ellipse": fill_ellipse, "none": no_scribble}
"""The functions that draw a scribble from a box, by the names that bundles use."""
