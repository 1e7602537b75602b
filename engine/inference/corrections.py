"""Corrections of a mask: points and strokes that add to it or remove from it, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from .correction_logits import CERTAIN, followed, restrained, value_at
from .prompt import ADDS, Prompt, check_correctable
from .region import Region, to_region

if TYPE_CHECKING:
    from .frame import Frame
    from .network import Embedding
    from .object_masks import ObjectDecoder, ObjectMask, ObjectQuery
    from .prompt import Correction

# A correction changes slices within so many standard deviations of its fading.
_FARTHEST = 1.5


@dataclass(frozen=True)
class SliceMask:
    """One object's mask on one slice, and what the decoder was told.

    Attributes
    ----------
    query : ObjectQuery
    region : Region
    score : float32
        Predicted IoU.
    logits : ndarray
        float32 (S, S) in the frame.
    points, labels : ndarray
        float32 (k, 2) in pixels of the frame, and int64 (k,): the corrections so far, as the decoder gets them.
    places, sides : ndarray
        float32 (m, 2) and int64 (m,): the same with all pixels of strokes, which end on their sides.
    """

    query: ObjectQuery
    region: Region
    score: np.float32
    logits: np.ndarray
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    sides: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, answer: ObjectMask) -> SliceMask:
        """The mask that a box gave."""
        return cls(answer.query, answer.region, answer.score, answer.logits)


@dataclass(frozen=True)
class CorrectedObject:
    """One object's masks, after any number of corrections.

    Attributes
    ----------
    box : ndarray
        (4,) or (6,), the box that the user gave.
    slices : mapping of int to SliceMask
        By slice; an image has slice 0 alone.
    repaired : frozenset of int
        The slices that were corrected; a correction of another slice never changes them.
    """

    box: np.ndarray
    slices: Mapping[int, SliceMask]
    repaired: frozenset[int] = frozenset()

    @classmethod
    def of(cls, box: np.ndarray, answers: Iterable[ObjectMask]) -> CorrectedObject:
        """The object as its box alone gives it."""
        return cls(box, {answer.query.target.slice_index: SliceMask.of(answer) for answer in answers})

    @property
    def score(self) -> np.float32:
        """The mean over the slices of the predicted IoU."""
        return np.float32(np.mean([float(one.score) for one in self.slices.values()]))


@dataclass(frozen=True)
class Change:
    """What a correction has changed on its slice, and how it fades from there.

    Attributes
    ----------
    difference : ndarray
        float32 (S, S), of the logits.
    points, labels : ndarray
        The correction's own, as those of `SliceMask`.
    reach : float
        In slices, the standard deviation of the fading.
    """

    difference: np.ndarray
    points: np.ndarray
    labels: np.ndarray
    reach: float

    @classmethod
    def between(cls, before: SliceMask, after: SliceMask, box: np.ndarray) -> Change:
        """The change of one slice of an object with a box (6,).

        An error is taken to be as deep as it is wide, both as shares of the box.
        """
        pages = _pages(before.region, after.region)
        share = np.sqrt(np.count_nonzero(pages[0] ^ pages[1]) / np.prod(box[[3, 4]] - box[[0, 1]] + 1))
        levels = [np.clip(one.logits, -CERTAIN, CERTAIN) for one in (before, after)]
        new = slice(len(before.points), None)
        return cls(levels[1] - levels[0], after.points[new], after.labels[new], float(share * (box[5] - box[2] + 1)))

    def on(self, logits: np.ndarray, distance: int) -> np.ndarray | None:
        """The logits of another slice with this change, as a guess; None where it has ended.

        It ends where all points of the correction are on their sides already, and beyond 1.5 standard deviations.

        Parameters
        ----------
        logits : ndarray
            float32 (S, S).
        distance : int
            From the corrected slice, at least 1.
        """
        last = logits.shape[0] - 1
        sides = [value_at(logits, x, y) > 0 for x, y in np.clip(self.points, 0, last).astype(float)]
        if distance > _FARTHEST * self.reach or sides == [label == ADDS for label in self.labels]:
            return None
        faded = np.exp(-((distance / self.reach) ** 2) / 2)
        changed: np.ndarray = (logits + self.difference * faded).astype(np.float32)
        return changed


@dataclass(frozen=True)
class Corrector:
    """Corrects objects of one image or volume.

    Attributes
    ----------
    decoder : ObjectDecoder
    embedding : callable
        Gives the embedding of a slice.
    """

    decoder: ObjectDecoder
    embedding: Callable[[int], Embedding]

    def correct(self, before: CorrectedObject, correction: Correction) -> CorrectedObject:
        """Correct an object on one slice, and those beside it where they lack the same.

        On each of them the network gets the points of the correction, and the mask with the change as a guess, which
        fades with the distance.

        Parameters
        ----------
        before : CorrectedObject
        correction : Correction

        Returns
        -------
        CorrectedObject
            In a volume, slices on both sides have changed, up to one where the points of the correction are on their
            sides already, or one that was corrected itself.

        Raises
        ------
        LiteMedSamError
            When the model does not take corrections, or the object does not cover the slice.
        """
        check_correctable(self.decoder.network.info)
        z = correction.slice_index
        if z not in before.slices:
            raise LiteMedSamError(
                f"a correction on slice {z}, which the object's box leaves out", "draw a box that covers the slice"
            )
        embedding = self.embedding(z)
        after = self._on_slice(before.slices[z], correction, embedding)
        slices, repaired = {**before.slices, z: after}, before.repaired | {z}
        if len(slices) > 1:
            change = Change.between(before.slices[z], after, before.box)
            for step in (1, -1):
                self._spread(slices, repaired, change, correction, step)
        return replace(before, slices=slices, repaired=repaired)

    def _on_slice(self, before: SliceMask, correction: Correction, embedding: Embedding) -> SliceMask:
        frame = embedding.frame
        points, labels = _together(before.points, before.labels, *correction.points(frame))
        places, sides = _together(before.places, before.sides, *correction.places(frame))
        mask = correction.drawn(_sigmoid(before.logits), frame)
        prompt = Prompt(before.query.box, points, mask, labels=labels)
        decoded = self.decoder.network.decode(embedding, [prompt])
        told = replace(before, score=decoded.scores[0], points=points, labels=labels, places=places, sides=sides)
        own = places[len(before.places) :]
        return self._cut(told, restrained(before.logits, decoded.logits[0], own, places, sides), correction, frame)

    def _spread(
        self,
        slices: dict[int, SliceMask],
        repaired: frozenset[int],
        change: Change,
        correction: Correction,
        step: int,
    ) -> None:
        z = correction.slice_index + step
        while z in slices and z not in repaired:
            before = slices[z]
            guess = change.on(before.logits, abs(z - correction.slice_index))
            if guess is None:
                return
            embedding = self.embedding(z)
            points, labels = _together(before.points, before.labels, change.points, change.labels)
            prompt = Prompt(before.query.box, points, _sigmoid(guess), labels=labels)
            decoded = self.decoder.network.decode(embedding, [prompt])
            told = replace(before, score=decoded.scores[0])
            logits = followed(before.logits, guess, decoded.logits[0])
            slices[z] = self._cut(told, logits, correction, embedding.frame)
            z += step

    def _cut(self, before: SliceMask, logits: np.ndarray, correction: Correction, frame: Frame) -> SliceMask:
        """A slice with other logits; its mask ends where the object's box and the correction's places do."""
        own = _reaching(before.query.own_box, correction)
        region = self.decoder.protocol.bounded(to_region(logits, frame), own, frame)
        return replace(before, query=replace(before.query, own_box=own), region=region, logits=logits)


def _together(
    points: np.ndarray, labels: np.ndarray, more_points: np.ndarray, more_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points and labels, and further ones after them."""
    return np.concatenate([points, more_points]), np.concatenate([labels, more_labels])


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    mask: np.ndarray = (1 / (1 + np.exp(-np.clip(logits, -40, 40)))).astype(np.float32)
    return mask


def _reaching(own_box: np.ndarray, correction: Correction) -> np.ndarray:
    """An object's own box (4,), grown to the points and strokes that add to the object."""
    places = np.concatenate([correction.add, _corners_of(correction.painted)])
    if not len(places):
        return own_box
    low, high = np.floor(places.min(axis=0)), np.ceil(places.max(axis=0))
    return np.concatenate([np.minimum(own_box[:2], low), np.maximum(own_box[2:], high)])


def _corners_of(page: np.ndarray | None) -> np.ndarray:
    extent = None if page is None else Region(0, 0, page).extent()
    return np.zeros((0, 2)) if extent is None else np.reshape(extent, (2, 2)).astype(float)


def _pages(one: Region, other: Region) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of one image in arrays of one shape, bool (h, w)."""
    height = max(region.top + region.mask.shape[0] for region in (one, other))
    width = max(region.left + region.mask.shape[1] for region in (one, other))
    return one.full(height, width), other.full(height, width)
