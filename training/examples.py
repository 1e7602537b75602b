"""From a sample to what the network takes: the frame, the prompts and the targets, made as inference makes them."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..engine.inference.automatic_prompts import AutomaticPrompts, fill_ellipse
from ..engine.inference.frame import Frame, to_frame
from ..engine.inference.prompt import Prompt, PromptSource, Target
from .samples import Sample

_JITTER_PIXELS = 2.0
# By what share of its side an edge of a box that was passed on may be off.
_SLICE_CHANGE = 0.15
# How large a misplaced ellipse is, as a share of the one that fills the box, and how far beyond the box it may reach.
_MISPLACED_SIZES = (0.3, 1.0)
_MISPLACED_BEYOND = 0.05
# Windows start where the network's own 8 × 8 windows do in all of its stages.
_STRIDE = 32
# What a box needs beside it, so that the window shows where the object ends.
_SURROUND = 1.25
_SMALLEST_SCALE = 0.75
# Objects of a crowd that are tried beside the one that the window is laid around.
_TRIED = 12


@dataclass(frozen=True)
class MisplacedEllipse:
    """Prompts whose scribble is an ellipse somewhere in the box, which tells where the object is but not how large.

    A network that only ever sees the ellipse that fills the box learns to repeat it and no longer looks at the image.

    Attributes
    ----------
    seed : int
        Of the ellipse and the points.
    """

    seed: int

    def prompt(self, target: Target, box: np.ndarray, foreground: np.ndarray) -> Prompt:
        """See `litemedsam.engine.inference.prompt.PromptSource.prompt`."""
        made = AutomaticPrompts(self.seed, ("points",)).prompt(target, box, foreground)
        rng = np.random.default_rng(self.seed)
        centre, half = (made.box[:2] + made.box[2:]) / 2, (made.box[2:] - made.box[:2]) / 2
        size = rng.uniform(*_MISPLACED_SIZES, 2)
        centre = centre + rng.uniform(-1, 1, 2) * (1 - size + _MISPLACED_BEYOND) * half
        ellipse = np.concatenate([centre - size * half, centre + size * half])
        return Prompt(made.box, made.points, fill_ellipse(rng, ellipse, foreground))


@dataclass(frozen=True)
class Prompting:
    """How prompts are made from masks.

    Attributes
    ----------
    objects : int
        At most so many of an image.
    jitter : float
        Half of the boxes stay tight, the others move by up to this share of their sides; 0 keeps all tight.
    scribble : str
        A key of `litemedsam.engine.inference.automatic_prompts.SCRIBBLES`.
    strokes, misplaced : float
        Share of the prompts that have a random stroke, or a `MisplacedEllipse`, instead.
    propagated : float
        Share of the boxes that are as far off as those which a volume passes on from slice to slice.
    """

    objects: int
    jitter: float = 0.0
    scribble: str = "ellipse"
    strokes: float = 0.0
    misplaced: float = 0.0
    propagated: float = 0.0

    def box(self, rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
        """The box float64 (4,), in pixels of the image, of a mask bool (H, W)."""
        box = tight_box(mask)
        if self.propagated > 0 and rng.random() < self.propagated:
            return passed_on_box(rng, box, mask.shape)
        if self.jitter > 0 and rng.random() < 0.5:
            return moved_box(rng, box, mask.shape, self.jitter)
        return box

    def source(self, rng: np.random.Generator) -> PromptSource:
        """Where the prompt of one object comes from."""
        kind, seed = rng.random(), int(rng.integers(2**31))
        if kind < self.misplaced:
            return MisplacedEllipse(seed)
        stroke = kind < self.misplaced + self.strokes
        return AutomaticPrompts(seed, scribble="stroke" if stroke else self.scribble)


@dataclass(frozen=True)
class Example:
    """One image with n prompts: a whole frame, or a window of it, of side S.

    Attributes
    ----------
    pixels : ndarray
        float32 (3, S, S) in [0, 1].
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
        x, y of the window's first pixel in the frame, multiples of 32; (0, 0) of a whole frame.
    """

    pixels: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    scribbles: np.ndarray
    targets: np.ndarray
    valid: np.ndarray
    origin: tuple[int, int] = (0, 0)


def tight_box(mask: np.ndarray) -> np.ndarray:
    """The box float64 (4,), x_min, y_min, x_max, y_max, last pixels included, of a mask bool (H, W), not empty."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([xs[0], ys[0], xs[-1], ys[-1]], float)


def moved_box(rng: np.random.Generator, box: np.ndarray, shape: tuple[int, int], amount: float) -> np.ndarray:
    """Move each side of a box at random, mostly outwards, within the image.

    Parameters
    ----------
    rng : numpy.random.Generator
    box : ndarray
        (4,) in pixels.
    shape : tuple of int
        (H, W) of the image.
    amount : float
        Share of the box's side by which a side moves at most, or two pixels if that is more.

    Returns
    -------
    ndarray
        float64 (4,), whole numbers.
    """
    sides = np.array([box[2] - box[0], box[3] - box[1]] * 2) + 1
    # Small boxes would be lost if two pixels were taken off them.
    reach = np.maximum(amount * sides, np.minimum(_JITTER_PIXELS, 0.12 * sides))
    outward = np.where(rng.random() < 0.75, rng.uniform(0, 1, 4), rng.uniform(-1, 1, 4)) * reach
    moved = np.rint(box + outward * np.array([-1, -1, 1, 1]))
    last = np.array([shape[1] - 1, shape[0] - 1] * 2)
    moved = np.clip(moved, 0, last)
    return moved if moved[2] > moved[0] and moved[3] > moved[1] else box


def passed_on_box(rng: np.random.Generator, box: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A tight box as the slice before would pass it on: too large or too small at each side.

    Parameters
    ----------
    rng : numpy.random.Generator
    box : ndarray
        (4,) in pixels of the image.
    shape : tuple of int
        (H, W) of the image.

    Returns
    -------
    ndarray
        float64 (4,), within the image.
    """
    sides = np.tile(box[2:] - box[:2] + 1, 2)
    off = box + rng.uniform(-_SLICE_CHANGE, _SLICE_CHANGE, 4) * sides
    return np.clip(off, 0, np.array([shape[1] - 1, shape[0] - 1] * 2))


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
        int (n,), which of the sample's objects.
    """
    chosen = rng.permutation(len(sample.masks))[: prompting.objects]
    return _example(rng, sample, size, chosen, prompting), chosen


def _example(rng: np.random.Generator, sample: Sample, size: int, chosen: np.ndarray, prompting: Prompting) -> Example:
    pixels, frame = to_frame(sample.image, size)
    foreground = pixels.any(axis=0)
    made, targets = [], []
    for k in chosen:
        box = prompting.box(rng, sample.masks[k])
        source = prompting.source(rng)
        made.append(source.prompt(Target(int(k) + 1), (box * frame.scale).astype(np.float32), foreground))
        targets.append(_target(sample.masks[k], frame))
    valid = np.zeros((size, size), bool)
    valid[: frame.scaled_height, : frame.scaled_width] = True
    return Example(
        pixels,
        np.stack([prompt.box for prompt in made]),
        np.stack([prompt.points for prompt in made]),
        np.stack([prompt.scribble for prompt in made])[:, None].astype(np.float32),
        np.stack(targets),
        valid,
    )


def make_window(rng: np.random.Generator, sample: Sample, size: int, side: int, prompting: Prompting) -> Example:
    """An example of a window around one object, somewhere in the frame.

    Parameters
    ----------
    rng : numpy.random.Generator
    sample : Sample
        Is made smaller than the frame where the object would not fit into the window.
    size : int
        Side of the frame in pixels.
    side : int
        Side of the window in pixels, at most `size`.
    prompting : Prompting

    Returns
    -------
    Example
        With the objects whose boxes lie in the window as a whole; coordinates are those of the frame.
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
    origin = tuple(int(rng.integers((size - side) // _STRIDE + 1)) * _STRIDE for _ in range(2))
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
    """Where a window of `side` pixels within [0, end) may begin so that it holds [low, high)."""
    first = int(np.clip(high - side, 0, end - side))
    return int(rng.integers(first, max(first, min(int(low), end - side)) + 1))
