"""From a sample to what the network takes: the frame, the prompts and the targets, made as inference makes them."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..engine.inference.automatic_prompts import AutomaticPrompts, fill_ellipse
from ..engine.inference.frame import Frame, to_frame
from ..engine.inference.prompt import Prompt, PromptSource, Target
from .samples import Sample

_JITTER_PIXELS = 2.0
# By what share of its side an edge of a box that was passed on may be off.
_SLICE_CHANGE = 0.15
# How far a slice's mask is turned (degrees), moved and uneven (shares of its sides) against the next one's: deviations.
_SLICE_TURN, _SLICE_SHIFT, _SLICE_ROUGHNESS = 6.0, 0.05, 0.12
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
    dropped : float
        Share of the prompts whose scribble is empty, so that a box alone keeps its meaning.
    previous : float
        Share, of the prompts whose box was passed on, that have the `neighbouring` slice's mask as scribble.
    """

    objects: int
    jitter: float = 0.0
    scribble: str = "ellipse"
    strokes: float = 0.0
    misplaced: float = 0.0
    propagated: float = 0.0
    dropped: float = 0.0
    previous: float = 0.0

    def box(self, rng: np.random.Generator, mask: np.ndarray) -> tuple[np.ndarray, bool]:
        """The box float64 (4,), in pixels of the image, of a mask bool (H, W), and whether it was passed on."""
        box = tight_box(mask)
        if self.propagated > 0 and rng.random() < self.propagated:
            return passed_on_box(rng, box, mask.shape), True
        if self.jitter > 0 and rng.random() < 0.5:
            return moved_box(rng, box, mask.shape, self.jitter), False
        return box, False

    def prompt(
        self,
        rng: np.random.Generator,
        number: int,
        mask: np.ndarray,
        target: np.ndarray,
        pixels: np.ndarray,
        scale: float,
    ) -> Prompt:
        """The prompt of one object.

        Parameters
        ----------
        rng : numpy.random.Generator
        number : int
            The object's, from 1.
        mask : ndarray
            bool (H, W), in the image.
        target : ndarray
            float32 (S, S) in [0, 1], in the frame.
        pixels : ndarray
            float32 (3, S, S), the frame.
        scale : float
            Pixels of the frame for one of the image.
        """
        box, passed_on = self.box(rng, mask)
        made = self.source(rng).prompt(Target(number), (box * scale).astype(np.float32), pixels.any(axis=0))
        if passed_on and self.previous > 0 and rng.random() < self.previous:
            return replace(made, scribble=neighbouring(rng, target >= 0.5))
        if self.dropped > 0 and rng.random() < self.dropped:
            return replace(made, scribble=np.zeros_like(made.scribble))
        return made

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
        float32 (3, S, S) in [0, 1]; the whole frame where it is larger than S.
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
        x, y of the window's first pixel in the frame, multiples of 4; (0, 0) of a whole frame.
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


def neighbouring(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """A mask as the slice before may have given it: moved, turned, stretched, its outline uneven.

    Parameters
    ----------
    rng : numpy.random.Generator
    mask : ndarray
        bool (S, S).

    Returns
    -------
    ndarray
        bool (S, S); the mask itself where nothing would be left of it.
    """
    if not mask.any():
        return mask
    box = tight_box(mask)
    centre, sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2] + 1
    matrix = cv2.getRotationMatrix2D(tuple(centre), rng.normal(0, _SLICE_TURN), 1.0)
    stretch = np.exp(rng.normal(0, _SLICE_CHANGE, 2))
    matrix = stretch[:, None] * (matrix - [[0, 0, centre[0]], [0, 0, centre[1]]])
    matrix[:, 2] += centre + rng.normal(0, _SLICE_SHIFT, 2) * sides
    moved = cv2.warpAffine(mask.astype(np.float32), matrix, mask.shape[::-1], flags=cv2.INTER_LINEAR)
    width = max(1.0, rng.uniform(0, _SLICE_ROUGHNESS) * float(sides.min()))
    noise = cv2.resize(
        rng.normal(0, 0.25, (32, 32)).astype(np.float32), mask.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    uneven = cv2.GaussianBlur(moved, (0, 0), width) + noise > 0.5
    # Noise alone marks nothing far from the object.
    uneven &= cv2.GaussianBlur(moved, (0, 0), width) > 0.05
    return uneven if uneven.any() else mask


def focused(rng: np.random.Generator, example: Example, side: int) -> Example:
    """The part of a whole frame around one of its objects, for a decoder that need not see all of it.

    Parameters
    ----------
    rng : numpy.random.Generator
    example : Example
        A whole frame.
    side : int
        Of the part in pixels, a multiple of 4.

    Returns
    -------
    Example
        With the pixels of the whole frame, and the objects whose boxes lie in the part; the example itself where the
        chosen object's does not.
    """
    size = example.valid.shape[-1]
    low, high = np.floor(example.boxes[:, :2]), np.ceil(example.boxes[:, 2:]) + 1
    first = int(rng.integers(len(low)))
    if (_SURROUND * (high[first] - low[first]) > side).any() or side >= size:
        return example
    origin = tuple(4 * (_start(rng, low[first, axis], high[first, axis], side, size) // 4) for axis in (0, 1))
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
        int (n,), which of the sample's objects.
    """
    chosen = rng.permutation(len(sample.masks))[: prompting.objects]
    return _example(rng, sample, size, chosen, prompting), chosen


def _example(rng: np.random.Generator, sample: Sample, size: int, chosen: np.ndarray, prompting: Prompting) -> Example:
    pixels, frame = to_frame(sample.image, size)
    made, targets = [], []
    for k in chosen:
        targets.append(_target(sample.masks[k], frame))
        made.append(prompting.prompt(rng, int(k) + 1, sample.masks[k], targets[-1], pixels, frame.scale))
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
