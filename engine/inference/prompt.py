"""Prompts in the frame: the decoder's inputs for one object; the user's own points, scribbles and corrections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from ...errors import LiteMedSamError

if TYPE_CHECKING:
    from ..bundle.info import BundleInfo
    from .frame import Frame

# The decoder takes exactly this many points for each object.
POINTS = 4
# Labels of points that correct a mask.
REMOVES, ADDS = 0, 1
# Points that a stroke of a correction gives to the network, beside the stroke itself.
_STROKE_POINTS = 3


@dataclass(frozen=True)
class Prompt:
    """One object's prompt, in pixels of the frame.

    Attributes
    ----------
    box : ndarray
        float32 (4,), x_min, y_min, x_max, y_max.
    points : ndarray or None
        float32 (4, 2), x, y, all on the object; None for a model that takes no points. With labels, (k, 2), k ≥ 1.
    scribble : ndarray or None
        bool (S, S), true on the object; may be empty; None for a model that takes no scribbles. In a correction,
        float32 (S, S) in [0, 1], the mask before.
    drawn : bool
        Whether the user drew the scribble. The mask of the previous slice does not replace such a scribble.
    labels : ndarray or None
        int64 (k,), 1 for a point that adds to the mask, 0 for one that removes; None for a first mask.
    """

    box: np.ndarray
    points: np.ndarray | None = None
    scribble: np.ndarray | None = None
    drawn: bool = False
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class Target:
    """The object and the slice that a prompt is for.

    Attributes
    ----------
    number : int
        The object's label, from 1.
    slice_index : int
        Index of the slice; 0 in a single image.
    """

    number: int
    slice_index: int = 0


class PromptSource(Protocol):
    """Turns a box into a prompt."""

    def prompt(self, target: Target, box: np.ndarray, foreground: np.ndarray) -> Prompt:
        """Make the prompt of one object.

        Parameters
        ----------
        target : Target
            The object and the slice.
        box : ndarray
            float32 (4,) in pixels of the frame.
        foreground : ndarray
            bool (S, S), true where the framed image is brighter than its darkest pixel.
        """
        ...


@dataclass(frozen=True)
class UserPrompts:
    """A user's points and scribbles by object and slice; another source makes the rest.

    Attributes
    ----------
    points : mapping of Target to ndarray
        float32 (4, 2) in pixels of the frame.
    scribbles : mapping of Target to ndarray
        bool (S, S) in the frame.
    otherwise : PromptSource
    """

    points: Mapping[Target, np.ndarray]
    scribbles: Mapping[Target, np.ndarray]
    otherwise: PromptSource

    @classmethod
    def in_image(
        cls,
        points: Mapping[Target, np.ndarray],
        scribbles: Iterable[tuple[Target, np.ndarray]],
        frame: Frame,
        otherwise: PromptSource,
    ) -> UserPrompts:
        """Convert prompts from pixels of the image or slice to the frame.

        Parameters
        ----------
        points : mapping of Target to ndarray
            Numbers (k, 2), x, y, one to four points. Fewer than four are repeated, starting with the first.
        scribbles : iterable of (Target, ndarray)
            bool (H, W); several of one target are joined.
        frame : Frame
            The image's frame.
        otherwise : PromptSource
        """
        framed: dict[Target, np.ndarray] = {}
        for target, page in scribbles:
            scribble = scribble_in_frame(page, frame)
            framed[target] = framed[target] | scribble if target in framed else scribble
        repeated = {
            target: np.resize(given * frame.scale, (POINTS, 2)).astype(np.float32) for target, given in points.items()
        }
        return cls(repeated, framed, otherwise)

    def prompt(self, target: Target, box: np.ndarray, foreground: np.ndarray) -> Prompt:
        """See `PromptSource.prompt`."""
        made = self.otherwise.prompt(target, box, foreground)
        points, scribble = self.points.get(target, made.points), self.scribbles.get(target, made.scribble)
        return Prompt(made.box, points, scribble, drawn=target in self.scribbles)


@dataclass(frozen=True)
class Correction:
    """What a user repairs at once on one image or slice.

    Attributes
    ----------
    add, remove : ndarray
        float64 (k, 2), x, y in pixels of the image, of points on the object and of points that do not belong to it.
    painted, erased : ndarray or None
        bool (H, W), true along strokes that add and that remove.
    slice_index : int
        0 in a single image.
    """

    add: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    remove: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    painted: np.ndarray | None = None
    erased: np.ndarray | None = None
    slice_index: int = 0

    def points(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """What the network gets: points, and three pixels of each stroke.

        Returns
        -------
        points : ndarray
            float32 (k, 2), x, y in pixels of the frame.
        labels : ndarray
            int64 (k,), 1 adds, 0 removes.
        """
        return self._framed(frame, [_few_of(_pixels_of(page)) for page in (self.painted, self.erased)])

    def places(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """What ends on its side of the mask: points, and a pixel of the strokes in each of the frame's pixels.

        Returns
        -------
        points, labels : ndarray
            As `points` gives them.
        """
        size = [frame.width / frame.scaled_width, frame.height / frame.scaled_height]
        return self._framed(frame, [_one_each(_pixels_of(page), size) for page in (self.painted, self.erased)])

    def _framed(self, frame: Frame, strokes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        painted, erased = strokes
        given = [(self.add, ADDS), (self.remove, REMOVES), (painted, ADDS), (erased, REMOVES)]
        places = np.concatenate([np.reshape(points, (-1, 2)) for points, _ in given])
        labels = np.concatenate([np.full(len(points), label) for points, label in given])
        # As a mask is resized: what lies beyond the centres of the outer pixels counts as on them.
        scaled = np.array([frame.scaled_width, frame.scaled_height])
        framed = (places + 0.5) * scaled / [frame.width, frame.height] - 0.5
        return np.clip(framed, 0, scaled - 1).astype(np.float32), labels

    def drawn(self, mask: np.ndarray, frame: Frame) -> np.ndarray:
        """A mask float32 (S, S) in [0, 1] in the frame, with the strokes drawn into it."""
        for page, value in ((self.painted, ADDS), (self.erased, REMOVES)):
            if page is not None:
                mask = np.where(scribble_in_frame(page, frame), np.float32(value), mask)
        return mask


def _pixels_of(page: np.ndarray | None) -> np.ndarray:
    """The pixels x, y of strokes, row by row, float64 (m, 2)."""
    return np.zeros((0, 2)) if page is None else np.argwhere(page)[:, ::-1].astype(float)


def _few_of(pixels: np.ndarray) -> np.ndarray:
    """The first, the middle and the last of some pixels (m, 2)."""
    if not len(pixels):
        return pixels
    few: np.ndarray = pixels[np.linspace(0, len(pixels) - 1, _STROKE_POINTS).round().astype(int)]
    return few


def _one_each(pixels: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """The first of the pixels (m, 2) in each cell of a size, in the order of the cells."""
    cells = np.floor(pixels / np.maximum(size, 1)).astype(int)
    one_each: np.ndarray = pixels[np.unique(cells, axis=0, return_index=True)[1]]
    return one_each


def scribble_in_frame(page: np.ndarray, frame: Frame) -> np.ndarray:
    """Strokes bool (H, W) of an image in its frame, bool (S, S)."""
    # A frame pixel counts if the stroke touches it at all, so that a thin stroke survives shrinking.
    size = frame.scaled_width, frame.scaled_height
    touched = cv2.resize(page.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    whole = np.zeros((frame.size, frame.size), bool)
    whole[: frame.scaled_height, : frame.scaled_width] = touched
    return whole


def check_taken(info: BundleInfo, kinds: Iterable[str], where: str = "") -> None:
    """Refuse kinds of prompts that a model does not take.

    Parameters
    ----------
    info : BundleInfo
    kinds : iterable of str
        ``points``, ``scribbles``.
    where : str
        Start of the message, such as ``scan.png: ``.

    Raises
    ------
    LiteMedSamError
        When the model does not take one of the kinds.
    """
    for kind in kinds:
        if kind not in info.first_prompts:
            correcting = kind in info.prompts
            raise LiteMedSamError(
                f"{where}the model {info.model} takes no {kind}, only: {', '.join(info.first_prompts)}",
                f"give the {kind} as corrections of the first mask" if correcting else f"leave out the {kind}",
            )


def check_correctable(info: BundleInfo, where: str = "") -> None:
    """Refuse corrections where a model does not take them.

    Parameters
    ----------
    info : BundleInfo
    where : str
        Start of the message, such as ``scan.png: object 2: ``.

    Raises
    ------
    LiteMedSamError
    """
    if not info.takes_corrections:
        raise LiteMedSamError(
            f"{where}the model {info.model} takes no corrections, only: {', '.join(info.prompts)}",
            "leave the corrections out, or use a model that learnt them, such as the default one",
        )


def image_prompts(
    points: Any, scribbles: Any, count: int, frame: Frame, info: BundleInfo, otherwise: PromptSource
) -> PromptSource:
    """Make the prompts of the objects on one image from arrays.

    Parameters
    ----------
    points : array_like or None
        (n, k, 2), one to four points x, y on each object, in pixels of the image.
    scribbles : array_like or None
        bool (n, H, W), or integers that are greater than 0 along a stroke on each object.
    count : int
        n, the number of objects.
    frame : Frame
        The image's frame.
    info : BundleInfo
        The model's metadata.
    otherwise : PromptSource
        Makes the prompts that are None.

    Raises
    ------
    LiteMedSamError
        For other shapes or types, points outside the image, or kinds that the model does not take.
    """
    given = {"points": points, "scribbles": scribbles}
    check_taken(info, (kind for kind, value in given.items() if value is not None))
    placed = {} if points is None else dict(enumerate(_checked_points(points, count, frame), start=1))
    drawn = {} if scribbles is None else dict(enumerate(_checked_scribbles(scribbles, count, frame), start=1))
    return UserPrompts.in_image(
        {Target(number): each for number, each in placed.items()},
        ((Target(number), page > 0) for number, page in drawn.items()),
        frame,
        otherwise,
    )


def _checked_points(given: Any, count: int, frame: Frame) -> np.ndarray:
    try:
        points: np.ndarray = np.asarray(given)
    except ValueError as error:
        raise LiteMedSamError("points differ in number between objects", "repeat some of the fewer points") from error
    form = points.ndim == 3 and points.shape[::2] == (count, 2) and 1 <= points.shape[1] <= POINTS
    if points.dtype.kind not in "uif" or not form:
        raise LiteMedSamError(
            f"points has shape {points.shape} and type {points.dtype}, "
            f"expected numbers ({count}, k, 2), k from 1 to {POINTS}"
        )
    inside = (points >= 0) & (points <= [frame.width, frame.height])
    if not inside.all():
        number = int(np.flatnonzero(~inside.all(axis=(1, 2)))[0]) + 1
        raise LiteMedSamError(
            f"object {number}: a point lies outside the image of {frame.width} × {frame.height} pixels"
        )
    return points


def _checked_scribbles(given: Any, count: int, frame: Frame) -> np.ndarray:
    scribbles: np.ndarray = np.asarray(given)
    if scribbles.dtype.kind not in "bui" or scribbles.shape != (count, frame.height, frame.width):
        raise LiteMedSamError(
            f"scribbles has shape {scribbles.shape} and type {scribbles.dtype}, "
            f"expected bool ({count}, {frame.height}, {frame.width})"
        )
    return scribbles
