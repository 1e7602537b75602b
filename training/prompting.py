"""From masks to prompts, as a user or the previous slice would give them."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..engine.inference.automatic_prompts import AutomaticPrompts, fill_ellipse
from ..engine.inference.frame import Frame
from ..engine.inference.prompt import Prompt, PromptSource, Target
from ..engine.inference.protocols import CORRECTED

_JITTER_PIXELS = 2.0
# Largest deviation of a passed-on box's edge, as a share of the side.
_SLICE_CHANGE = 0.15
# Standard deviations of a mask from that of the next slice: turn (degrees), shift and unevenness (shares of the sides).
_SLICE_TURN, _SLICE_SHIFT, _SLICE_ROUGHNESS = 6.0, 0.05, 0.12
# Size of a misplaced ellipse, as a share of the ellipse that fills the box, and how far it may reach beyond the box.
_MISPLACED_SIZES = (0.3, 1.0)
_MISPLACED_BEYOND = 0.05


@dataclass(frozen=True)
class MisplacedEllipse:
    """Prompts whose scribble is an ellipse somewhere in the box. It shows where the object is, but not its size.

    A network that only sees box-filling ellipses learns to repeat them and no longer looks at the image.

    Attributes
    ----------
    seed : int
        Seed of the ellipse and the points.
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
    """The settings of prompts that are made from masks.

    Attributes
    ----------
    objects : int
        Largest number of objects per image.
    jitter : float
        Half of the boxes stay tight. In the others, each side moves by up to this share of its length; 0 moves none.
    scribble : str
        A key of `litemedsam.engine.inference.automatic_prompts.SCRIBBLES`.
    strokes, misplaced : float
        Share of the prompts, in [0, 1], that get a random stroke, or a `MisplacedEllipse`, instead.
    propagated : float
        Share of the boxes, in [0, 1], that deviate as boxes do when a volume passes them from slice to slice.
    dropped : float
        Share of the prompts, in [0, 1], whose scribble is empty, so that a box alone keeps its meaning.
    previous : float
        Share of the prompts with a passed-on box, in [0, 1], that get the mask of the previous slice as scribble.
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
        """The box of a mask bool (H, W), float64 (4,) in pixels of the image, and whether it was passed on."""
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
        frame: Frame,
    ) -> Prompt:
        """Make the prompt of one object.

        Parameters
        ----------
        rng : numpy.random.Generator
        number : int
            Number of the object, from 1.
        mask : ndarray
            bool (H, W), in pixels of the image.
        target : ndarray
            float32 (S, S) in [0, 1], in pixels of the frame.
        pixels : ndarray
            float32 (3, S, S), the frame.
        frame : Frame
            Position of the image in the frame.
        """
        box, passed_on = self.box(rng, mask)
        made = self.source(rng).prompt(Target(number), CORRECTED.box_in_frame(box, frame), np.any(pixels, axis=0))
        if passed_on and self.previous > 0 and rng.random() < self.previous:
            return replace(made, scribble=neighbouring(rng, target >= 0.5))
        if self.dropped > 0 and rng.random() < self.dropped:
            return replace(made, scribble=np.zeros_like(made.scribble))
        return made

    def source(self, rng: np.random.Generator) -> PromptSource:
        """Draw a source of prompts for one object."""
        kind, seed = rng.random(), int(rng.integers(2**31))
        if kind < self.misplaced:
            return MisplacedEllipse(seed)
        stroke = kind < self.misplaced + self.strokes
        return AutomaticPrompts(seed, scribble="stroke" if stroke else self.scribble)


def tight_box(mask: np.ndarray) -> np.ndarray:
    """The box of a non-empty mask bool (H, W): float64 (4,), x_min, y_min, x_max, y_max, last pixels included."""
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
        Largest shift of a side, as a share of its length; two pixels if that is more.

    Returns
    -------
    ndarray
        float64 (4,), whole numbers.
    """
    sides = np.array([box[2] - box[0], box[3] - box[1]] * 2) + 1
    # Moving a side two pixels inwards would empty a small box.
    reach = np.maximum(amount * sides, np.minimum(_JITTER_PIXELS, 0.12 * sides))
    outward = np.where(rng.random() < 0.75, rng.uniform(0, 1, 4), rng.uniform(-1, 1, 4)) * reach
    moved = np.rint(box + outward * np.array([-1, -1, 1, 1]))
    last = np.array([shape[1] - 1, shape[0] - 1] * 2)
    moved = np.clip(moved, 0, last)
    return moved if moved[2] > moved[0] and moved[3] > moved[1] else box


def passed_on_box(rng: np.random.Generator, box: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Move a tight box as passing it on from the previous slice does: each side a little outwards or inwards.

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
    """Change a mask into one that the previous slice may have given: moved, turned, stretched, its outline uneven.

    Parameters
    ----------
    rng : numpy.random.Generator
    mask : ndarray
        bool (S, S).

    Returns
    -------
    ndarray
        bool (S, S); the mask unchanged if nothing would be left.
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
    # Keeps the noise from marking pixels far from the object.
    uneven &= cv2.GaussianBlur(moved, (0, 0), width) > 0.05
    return uneven if uneven.any() else mask
