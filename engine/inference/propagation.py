"""Follows objects through a volume: the mask on one slice becomes the box on the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .object_masks import ObjectDecoder, ObjectMask, ObjectQuery
from .prompt import Target
from .protocols import CaseProtocol, Passage, ellipsoid_width

if TYPE_CHECKING:
    from .embeddings import SliceEmbeddings
    from .frame import Frame
    from .region import Region

# x_min, y_min, x_max, y_max of a box of six numbers.
IN_PLANE = (0, 1, 3, 4)


@dataclass(frozen=True)
class Step:
    """One slice of a sweep.

    Attributes
    ----------
    slice_index : int
    upwards : bool
        The direction of the sweep.
    numbers : tuple of int
        Labels of the objects decoded on it in this sweep, ascending.
    """

    slice_index: int
    upwards: bool
    numbers: tuple[int, ...]


def plan(boxes: np.ndarray, protocol: CaseProtocol) -> list[Step]:
    """Plan two sweeps through a volume: upwards from the objects' middles, then downwards.

    Parameters
    ----------
    boxes : ndarray
        (N, 6), see `Case`.
    protocol : CaseProtocol

    Returns
    -------
    list of Step
        Ascending slices of the upward sweep, middles included, then descending slices of the downward sweep. A
        slice comes twice only if one object covers it on the upward sweep and another on the downward sweep.
    """
    up: dict[int, list[int]] = {}
    down: dict[int, list[int]] = {}
    for number, box in enumerate(boxes, start=1):
        covered = protocol.slices(int(box[2]), int(box[5]))
        for z in (covered.middle, *covered.up):
            up.setdefault(z, []).append(number)
        for z in covered.down:
            down.setdefault(z, []).append(number)
    steps = [Step(z, True, tuple(up[z])) for z in sorted(up)]
    return steps + [Step(z, False, tuple(down[z])) for z in sorted(down, reverse=True)]


@dataclass
class Track:
    """One object on its way through a volume.

    Attributes
    ----------
    number : int
        Its label.
    box : ndarray
        (6,), the box that the user gave.
    middle : Region or None
        Its mask on the slice where both sweeps begin.
    latest : dict of bool to Region
        Its mask on the previous slice of each sweep. The key is True for the upward sweep.
    """

    number: int
    box: np.ndarray
    middle: Region | None = None
    latest: dict[bool, Region] = field(default_factory=dict)

    def query(self, step: Step, protocol: CaseProtocol, frame: Frame) -> ObjectQuery:
        """The decoder's query for this object on the slice of a step."""
        target = Target(self.number, step.slice_index)
        before = self.latest.get(step.upwards, self.middle)
        if before is None:
            own = self.box[list(IN_PLANE)]
            return ObjectQuery(target, protocol.box_in_frame(own, frame), own)
        return next_query(target, self.box, before, step.upwards, protocol, frame)

    def add(self, region: Region, upwards: bool) -> None:
        """Keep the mask of a slice; the next slice of the sweep starts from it."""
        if self.middle is None:
            self.middle = region
        self.latest[upwards] = region


def next_query(
    target: Target, box: np.ndarray, before: Region, upwards: bool, protocol: CaseProtocol, frame: Frame
) -> ObjectQuery:
    """The query for an object on a slice, from its mask on the slice before.

    Parameters
    ----------
    target : Target
        The object and the slice.
    box : ndarray
        (6,), the box that the user gave.
    before : Region
        The mask on the slice below if the sweep goes upwards, else above.
    upwards : bool
    protocol : CaseProtocol
    frame : Frame
    """
    z, own = target.slice_index, box[list(IN_PLANE)]
    low, high = int(box[2]), int(box[5])
    widths = ellipsoid_width(z - 1 if upwards else z + 1, low, high), ellipsoid_width(z, low, high)
    passage = Passage(before, target.number, own, upwards, widths)
    return ObjectQuery(target, protocol.next_box(passage, frame), own, protocol.next_scribble(passage, frame))


def propagate(
    boxes: np.ndarray,
    embeddings: SliceEmbeddings,
    decoder: ObjectDecoder,
    progress: Callable[[int, int], None],
) -> Iterator[ObjectMask]:
    """Decode all objects of a volume on all their slices.

    Parameters
    ----------
    boxes : ndarray
        (N, 6), see `Case`.
    embeddings : SliceEmbeddings
    decoder : ObjectDecoder
        Its protocol decides the slices and the boxes.
    progress : callable
        Called with (done, total) slices of both sweeps.

    Yields
    ------
    ObjectMask
        Slice by slice in the order of `plan`; on each slice in ascending order of labels.
    """
    steps = plan(boxes, decoder.protocol)
    tracks = [Track(number, box) for number, box in enumerate(boxes, start=1)]
    # One finished embedding is kept in reserve, so that no thread idles.
    encoded = embeddings.follow([step.slice_index for step in steps], decoder.pool, decoder.streams + 1)
    for done, step in enumerate(steps, start=1):
        # If the slice was encoded ahead, this stage counts only the time spent waiting for it.
        with decoder.watch.stage("encode"):
            embedding = next(encoded)
        queries = [tracks[number - 1].query(step, decoder.protocol, embedding.frame) for number in step.numbers]
        for found in decoder.masks(embedding, queries):
            tracks[found.target.number - 1].add(found.region, step.upwards)
            yield found
        progress(done, len(steps))
