"""From a sample to the network's input and targets. Frame and prompts are made as in inference."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..engine.inference.frame import Frame, to_frame
from .prompting import Prompting, tight_box
from .samples import Sample

# Windows start on the grid of the network's own 8 × 8 windows, at every stage.
_STRIDE = 32
# Margin around a box, so that the window shows where the object ends.
_SURROUND = 1.25
_SMALLEST_SCALE = 0.75
# Largest number of objects, in random order, that may share a window; the window lies around the first.
_TRIED = 12


@dataclass(frozen=True)
class Example:
    """One image with n prompts: a whole frame, or a window of it, of side S.

    Attributes
    ----------
    pixels : ndarray
        float32 (3, S, S) in [0, 1]; the whole frame if it is larger than S.
    boxes : ndarray
        float32 (n, 4), x_min, y_min, x_max, y_max in pixels of the frame.
    points : ndarray
        float32 (n, 4, 2).
    scribbles : ndarray
        float32 (n, 1, S, S), 0 or 1.
    targets : ndarray
        float32 (n, S, S) in [0, 1], the share of a pixel that the object covers.
    valid : ndarray
        bool (S, S), false on the frame's padding.
    origin : tuple of int
        x, y of the window's first pixel in the frame, multiples of 4; (0, 0) for a whole frame.
    """

    pixels: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    scribbles: np.ndarray
    targets: np.ndarray
    valid: np.ndarray
    origin: tuple[int, int] = (0, 0)


def focused(rng: np.random.Generator, example: Example, side: int) -> Example:
    """Cut a whole frame down to the part around one of its objects, to make the decoder's step cheaper.

    Parameters
    ----------
    rng : numpy.random.Generator
    example : Example
        A whole frame.
    side : int
        Side of the part in pixels, a multiple of 4.

    Returns
    -------
    Example
        The pixels of the whole frame, and the objects whose boxes lie in the part. If the chosen object does not fit
        into a part, the example is returned unchanged.
    """
    size = example.valid.shape[-1]
    low, high = np.floor(example.boxes[:, :2]), np.ceil(example.boxes[:, 2:]) + 1
    first = int(rng.integers(len(low)))
    if (_SURROUND * (high[first] - low[first]) > side).any() or side >= size:
        return example
    x, y = (4 * (_start(rng, low[first, axis], high[first, axis], side, size) // 4) for axis in (0, 1))
    origin = x, y
    kept = np.flatnonzero(((low >= origin) & (high <= np.add(origin, side))).all(axis=1))
    if first not in kept:
        return example
    rows, columns = (slice(origin[axis], origin[axis] + side) for axis in (1, 0))
    return Example(
        example.pixels,
        example.boxes[kept],
        example.points[kept],
        np.ascontiguousarray(example.scribbles[kept][..., rows, columns]),
        np.ascontiguousarray(example.targets[kept][:, rows, columns]),
        np.ascontiguousarray(example.valid[rows, columns]),
        origin,
    )


def _target(mask: np.ndarray, frame: Frame) -> np.ndarray:
    size = (frame.scaled_width, frame.scaled_height)
    how = cv2.INTER_AREA if frame.scale < 1 else cv2.INTER_LINEAR
    target = np.zeros((frame.size, frame.size), np.float32)
    target[: frame.scaled_height, : frame.scaled_width] = cv2.resize(mask.astype(np.float32), size, interpolation=how)
    return target


def make_example(
    rng: np.random.Generator, sample: Sample, size: int, prompting: Prompting
) -> tuple[Example, np.ndarray]:
    """Choose objects and make their prompts and targets.

    Parameters
    ----------
    rng : numpy.random.Generator
    sample : Sample
    size : int
        Side of the frame in pixels.
    prompting : Prompting

    Returns
    -------
    example : Example
    chosen : ndarray
        int (n,), indices of the chosen objects in the sample.
    """
    chosen = rng.permutation(len(sample.masks))[: prompting.objects]
    return _example(rng, sample, size, chosen, prompting), chosen


def _example(rng: np.random.Generator, sample: Sample, size: int, chosen: np.ndarray, prompting: Prompting) -> Example:
    pixels, frame = to_frame(sample.image, size)
    made, targets = [], []
    for k in chosen:
        targets.append(_target(sample.masks[k], frame))
        made.append(prompting.prompt(rng, int(k) + 1, sample.masks[k], targets[-1], pixels, frame))
    valid = np.zeros((size, size), bool)
    valid[: frame.scaled_height, : frame.scaled_width] = True
    return Example(
        pixels,
        np.stack([prompt.box for prompt in made]),
        np.stack([np.asarray(prompt.points, np.float32) for prompt in made]),
        np.stack([np.asarray(prompt.scribble, bool) for prompt in made])[:, None].astype(np.float32),
        np.stack(targets),
        valid,
    )


def make_window(rng: np.random.Generator, sample: Sample, size: int, side: int, prompting: Prompting) -> Example:
    """Make an example of a window around one object, anywhere in the frame.

    Parameters
    ----------
    rng : numpy.random.Generator
    sample : Sample
        It is shrunk further if the object would not fit into the window.
    size : int
        Side of the frame in pixels.
    side : int
        Side of the window in pixels, at most `size`.
    prompting : Prompting

    Returns
    -------
    Example
        With the objects whose boxes lie entirely in the window; coordinates are those of the frame.
    """
    order = rng.permutation(len(sample.masks))[:_TRIED]
    box = tight_box(sample.masks[order[0]])
    longest = _SURROUND * (1 + max(box[2] - box[0], box[3] - box[1])) / max(sample.image.shape[:2])
    scaled = max(side, int(min(size, side / longest) * rng.uniform(_SMALLEST_SCALE, 1.0)))
    whole = _example(rng, sample, scaled, order, prompting)
    low, high = np.floor(whole.boxes[:, :2]), np.ceil(whole.boxes[:, 2:]) + 1
    start = [_start(rng, low[0, axis], high[0, axis], side, scaled) for axis in (0, 1)]
    kept = np.flatnonzero(((low >= start) & (high <= np.add(start, side))).all(axis=1))[: prompting.objects]
    kept = kept if len(kept) else np.zeros(1, int)
    x, y = (int(rng.integers((size - side) // _STRIDE + 1)) * _STRIDE for _ in range(2))
    origin = x, y
    rows, columns = (slice(start[axis], start[axis] + side) for axis in (1, 0))
    moved = np.array(origin, np.float32) - np.array(start, np.float32)
    return Example(
        np.ascontiguousarray(whole.pixels[:, rows, columns]),
        whole.boxes[kept] + np.tile(moved, 2),
        whole.points[kept] + moved,
        np.ascontiguousarray(whole.scribbles[kept][..., rows, columns]),
        np.ascontiguousarray(whole.targets[kept][:, rows, columns]),
        np.ascontiguousarray(whole.valid[rows, columns]),
        origin,
    )


def _start(rng: np.random.Generator, low: float, high: float, side: int, end: int) -> int:
    """Draw the start of a window of `side` pixels within [0, end) that contains [low, high)."""
    first = int(np.clip(high - side, 0, end - side))
    return int(rng.integers(first, max(first, min(int(low), end - side)) + 1))
