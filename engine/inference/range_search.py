"""Finds the slices of an object that was drawn on one slice of a volume."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .object_masks import ObjectQuery
from .prompt import Target
from .propagation import IN_PLANE

if TYPE_CHECKING:
    from .network import Embedding
    from .object_masks import ObjectDecoder, ObjectMask

# An object may be wider on other slices, by this share of its box on each side; of a narrow box more.
_ROOM = 0.1
_NARROWEST = 10.0
# They keep the rule's terms finite for tiny, even and very different objects.
_LEAST_SCORE, _LEAST_SHARE, _LEAST_DEVIATION, _LARGEST_CHANGE = 0.3, 0.02, 10.0, 4.0


@dataclass(frozen=True)
class SliceFacts:
    """What the end of an object is told by, on one slice.

    Attributes
    ----------
    score : float
        Predicted IoU.
    area : int
        Pixels of the mask.
    mean, deviation : float
        Of the levels 0..255 under the mask; 0 for an empty mask.
    """

    score: float
    area: int
    mean: float
    deviation: float

    @classmethod
    def of(cls, found: ObjectMask, page: np.ndarray) -> SliceFacts:
        """The facts of a mask on a slice (H, W) or (H, W, 3)."""
        levels = page[found.region.window][found.region.mask]
        if not levels.size:
            return cls(float(found.score), 0, 0.0, 0.0)
        area = int(np.count_nonzero(found.region.mask))
        return cls(float(found.score), area, float(levels.mean()), float(levels.std()))


@dataclass(frozen=True)
class EndRule:
    """Tells whether a slice lies beyond an object, by comparing it with the slice where the object was drawn.

    A logistic regression: below 0, the slice is more likely beyond. Fitted on the slices inside and beyond 53 objects
    of volumes with masks, each object with the same weight.

    Attributes
    ----------
    constant, score, area, change : float
        Weights of 1; of the predicted IoU, as a share of that on the drawn slice; of the logarithm of the mask's area,
        as such a share; of the change of the mean level, in deviations on the drawn slice.
    """

    constant: float = 1.17
    score: float = 2.09
    area: float = 1.59
    change: float = -0.98

    def ended(self, drawn: SliceFacts, here: SliceFacts) -> bool:
        """Whether a slice lies beyond the object."""
        if not here.area:
            return True
        score = here.score / max(drawn.score, _LEAST_SCORE)
        area = np.log(here.area / max(drawn.area, 1) + _LEAST_SHARE)
        change = min(abs(here.mean - drawn.mean) / (drawn.deviation + _LEAST_DEVIATION), _LARGEST_CHANGE)
        return bool(self.constant + self.score * score + self.area * area + self.change * change < 0)


@dataclass(frozen=True)
class RangeSearch:
    """Follows an object from its drawn slice in both directions, each slice from the mask of the one before.

    Attributes
    ----------
    decoder : ObjectDecoder
    embedding : callable
        Gives the embedding of a slice.
    pixels : ndarray
        uint8 (D, H, W) or (D, H, W, 3).
    rule : EndRule
    """

    decoder: ObjectDecoder
    embedding: Callable[[int], Embedding]
    pixels: np.ndarray
    rule: EndRule = EndRule()

    def completed(
        self, boxes: np.ndarray, open_ended: Iterable[int], progress: Callable[[int, int], None]
    ) -> np.ndarray:
        """Boxes with the slices of their objects.

        Parameters
        ----------
        boxes : ndarray
            float64 (N, 6), see `Case`.
        open_ended : iterable of int
            Labels of the objects whose box covers one slice, and whose other slices are searched.
        progress : callable
            Called with (done, total) slices, of which there are at most as many; may raise to cancel.

        Returns
        -------
        ndarray
            float64 (N, 6); only z_min and z_max of these objects differ.
        """
        found, numbers, depth = boxes.copy(), sorted(open_ended), len(self.pixels)
        for done, number in enumerate(numbers):

            def step(slices: int, done: int = done) -> None:
                progress(done * depth + slices, len(numbers) * depth)

            found[number - 1, [2, 5]] = self._range(number, boxes[number - 1], step)
        return found

    def _range(self, number: int, box: np.ndarray, step: Callable[[int], None]) -> tuple[int, int]:
        z = int(box[2])
        own = box[list(IN_PLANE)]
        framed = self.decoder.protocol.box_in_frame(own, self.embedding(z).frame)
        drawn = self._mask(ObjectQuery(Target(number, z), framed, own))
        facts = SliceFacts.of(drawn, self.pixels[z])
        ends, seen = [z, z], 1
        for side, direction in ((0, -1), (1, 1)):
            before = drawn
            while 0 <= before.target.slice_index + direction < len(self.pixels):
                step(seen)
                query = self._next(before, own, direction)
                if query is None:
                    break
                found, seen = self._mask(query), seen + 1
                if self.rule.ended(facts, SliceFacts.of(found, self.pixels[found.target.slice_index])):
                    break
                ends[side], before = found.target.slice_index, found
        return ends[0], ends[1]

    def _mask(self, query: ObjectQuery) -> ObjectMask:
        (found,) = self.decoder.masks(self.embedding(query.target.slice_index), [query])
        return found

    def _next(self, before: ObjectMask, own: np.ndarray, direction: int) -> ObjectQuery | None:
        """The query on the next slice: the mask's own box, and the mask as scribble; None if nothing is left."""
        extent = before.region.extent()
        if extent is None:
            return None
        room = _ROOM * np.maximum(own[2:] - own[:2], _NARROWEST)
        low, high = np.maximum(own[:2] - room, 0), own[2:] + room
        box = np.clip(np.array(extent, float), np.tile(low, 2), np.tile(high, 2))
        target = Target(before.target.number, before.target.slice_index + direction)
        frame = self.embedding(target.slice_index).frame
        size = np.array([frame.width, frame.height]) - 1
        bounds = np.concatenate([low, np.minimum(high, size)])
        return ObjectQuery(target, self.decoder.protocol.box_in_frame(box, frame), bounds, before.logits > 0)
