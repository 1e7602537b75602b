"""Corrections of a mask: points and strokes that add to it or remove from it, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from ...overlap import dice
from .prompt import ADDS, Prompt, check_correctable
from .region import Region, to_region

if TYPE_CHECKING:
    from .frame import Frame
    from .network import Embedding
    from .object_masks import ObjectDecoder, ObjectMask, ObjectQuery
    from .prompt import Correction, Target
    from .protocols import CaseProtocol

# Standard deviations, in frame pixels, of the changes around a point that the network does not obey.
_REACHES = 3.0, 1.5, 0.75
_MARGIN = 0.5
# A sweep ends where the new mask overlaps with the present one at least as much (DSC).
_AGREEMENT = 0.98


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
        float32 (k, 2) in pixels of the frame, and int64 (k,): the corrections so far.
    """

    query: ObjectQuery
    region: Region
    score: np.float32
    logits: np.ndarray
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, answer: ObjectMask) -> SliceMask:
        """The mask that a box gave."""
        return cls(answer.query, answer.region, answer.score, answer.logits)


def honoured(logits: np.ndarray, points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Change logits around points whose pixels lie on the wrong side, as little as makes them right.

    Parameters
    ----------
    logits : ndarray
        float32 (S, S).
    points : ndarray
        float32 (k, 2), x, y in pixels of the frame. Of points that contradict each other, the last counts.
    labels : ndarray
        int64 (k,), 1 inside and 0 outside.

    Returns
    -------
    ndarray
        float32 (S, S); `logits` itself if every point is on its side.
    """
    last = logits.shape[0] - 1
    rows, columns = np.ogrid[: logits.shape[0], : logits.shape[1]]
    # Narrower every time, so that points beside each other do not undo each other.
    for reach in _REACHES:
        for (x, y), label in zip(np.clip(points, 0, last).astype(float), labels, strict=True):
            value, sign = _at(logits, x, y), 1.0 if label == ADDS else -1.0
            if sign * value > 0:
                continue
            bump = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2))
            logits = (logits + sign * (abs(value) + _MARGIN) / _at(bump, x, y) * bump).astype(np.float32)
    return logits


def _at(values: np.ndarray, x: float, y: float) -> float:
    """Bilinear value at a place within the array."""
    left, top = min(int(x), values.shape[1] - 2), min(int(y), values.shape[0] - 2)
    along, down = x - left, y - top
    square = values[top : top + 2, left : left + 2].astype(float)
    return float(np.array([1 - down, down]) @ square @ np.array([1 - along, along]))


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
        The slices that were corrected; a sweep from another slice never changes them.
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
class Corrector:
    """Corrects objects of one image or volume.

    Attributes
    ----------
    decoder : ObjectDecoder
        Decodes the slices of a sweep.
    embedding : callable
        Gives the embedding of a slice.
    next_query : callable, optional
        Makes the query of a neighbouring slice, as `litemedsam.engine.inference.propagation.next_query` does; a single
        image needs none.
    """

    decoder: ObjectDecoder
    embedding: Callable[[int], Embedding]
    next_query: Callable[[Target, np.ndarray, Region, bool, CaseProtocol, Frame], ObjectQuery] | None = None

    def correct(self, before: CorrectedObject, correction: Correction) -> CorrectedObject:
        """Correct an object on one slice, then follow the change through the neighbouring slices.

        Parameters
        ----------
        before : CorrectedObject
        correction : Correction

        Returns
        -------
        CorrectedObject
            In a volume, the slices on both sides are computed anew from the corrected one outwards, until a new mask
            agrees with the present one, or a slice was corrected itself.

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
        slices = {**before.slices, z: self._on_slice(before.slices[z], correction)}
        repaired = before.repaired | {z}
        if self.next_query is not None:
            for step in (1, -1):
                self._sweep(self.next_query, before.box, slices, repaired, z, step)
        return replace(before, slices=slices, repaired=repaired)

    def _on_slice(self, before: SliceMask, correction: Correction) -> SliceMask:
        embedding = self.embedding(correction.slice_index)
        frame = embedding.frame
        points, labels = correction.points(frame)
        points, labels = np.concatenate([before.points, points]), np.concatenate([before.labels, labels])
        mask = correction.drawn((1 / (1 + np.exp(-np.clip(before.logits, -40, 40)))).astype(np.float32), frame)
        prompt = Prompt(before.query.box, points, mask, labels=labels)
        decoded = self.decoder.network.decode(embedding, [prompt])
        logits = honoured(decoded.logits[0], points, labels)
        own = _reaching(before.query.own_box, correction)
        region = self.decoder.protocol.bounded(to_region(logits, frame), own, frame)
        return SliceMask(replace(before.query, own_box=own), region, decoded.scores[0], logits, points, labels)

    def _sweep(
        self,
        next_query: Callable[..., ObjectQuery],
        box: np.ndarray,
        slices: dict[int, SliceMask],
        repaired: frozenset[int],
        start: int,
        step: int,
    ) -> None:
        z = start + step
        while z in slices and z not in repaired:
            embedding = self.embedding(z)
            target, before = slices[z].query.target, slices[z - step].region
            query = next_query(target, box, before, step > 0, self.decoder.protocol, embedding.frame)
            (found,) = self.decoder.masks(embedding, [query])
            if overlap(found.region, slices[z].region) >= _AGREEMENT:
                return
            slices[z] = SliceMask.of(found)
            z += step


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


def overlap(one: Region, other: Region) -> float:
    """DSC of two masks of one image; 1 if both are empty."""
    height = max(region.top + region.mask.shape[0] for region in (one, other))
    width = max(region.left + region.mask.shape[1] for region in (one, other))
    return dice(one.full(height, width), other.full(height, width), empty=1.0)
