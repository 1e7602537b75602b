"""Segments a case into a label map: each slice is encoded once, then decoded for all its objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..case import Case, Segmentation, label_dtype
from ..system.calling_thread import CallingThread
from ..system.stopwatch import Stopwatch
from .embeddings import EmbeddingCache, SliceEmbeddings
from .object_masks import ObjectDecoder, ObjectMask, ObjectQuery
from .prompt import Correction, PromptSource, Target
from .propagation import propagate

if TYPE_CHECKING:
    from .mask_sinks import MaskSink
    from .network import Embedding, Network
    from .protocols import CaseProtocol
    from .region import Region

Progress = Callable[[int, int], None]
"""Called with (done, total) steps; may raise to cancel the work."""
Corrections = Mapping[int, Sequence[Correction]]
"""Corrections in order, by the labels of their objects."""


class _Found:
    """What is known of a case's objects so far: boxes, the label map, and per object its scores and its mask's size."""

    def __init__(self, case: Case, masks: MaskSink | None):
        self.boxes = case.boxes
        self.labels = np.zeros(case.grid, label_dtype(len(case.boxes)))
        self.scores: list[list[float]] = [[] for _ in case.boxes]
        self.areas = np.zeros(len(case.boxes), np.int64)
        self._pages = self.labels if case.is_volume else self.labels[None]
        self._masks = masks

    def add(self, target: Target, region: Region, score: np.float32) -> None:
        """Take the mask of one object on one slice."""
        region.paint(self._pages[target.slice_index], target.number)
        self.scores[target.number - 1].append(float(score))
        self.areas[target.number - 1] += np.count_nonzero(region.mask)
        if self._masks is not None:
            self._masks.add(target, region)


class _Corrected:
    """Holds the masks of objects that are to be corrected back until all their slices are there."""

    def __init__(
        self, case: Case, corrections: Corrections, decoder: ObjectDecoder, embedding: Callable[[int], Embedding]
    ):
        self._case = case
        self._corrections = corrections
        self._decoder = decoder
        self._embedding = embedding
        self._answers: dict[int, list[ObjectMask]] = {number: [] for number, made in corrections.items() if made}

    def take(self, answer: ObjectMask, found: _Found) -> None:
        """Pass on the mask of a box, or hold it back."""
        held = self._answers.get(answer.target.number)
        if held is None:
            found.add(answer.target, answer.region, answer.score)
        else:
            held.append(answer)

    def finish(self, found: _Found) -> None:
        """Correct what was held back, and pass it on."""
        if not self._answers:
            return
        # Late, because few cases need them.
        from .corrections import CorrectedObject, Corrector

        corrector = Corrector(self._decoder, self._embedding)
        for number, answers in sorted(self._answers.items()):
            state = CorrectedObject.of(self._case.boxes[number - 1], answers)
            for correction in self._corrections[number]:
                state = corrector.correct(state, correction)
            for answer in answers:
                one = state.slices[answer.target.slice_index]
                found.add(answer.target, one.region, one.score)


class CaseSegmenter:
    """Segments cases with one network.

    Parameters
    ----------
    network : Network
    protocol : CaseProtocol
    prompts : PromptSource
    cache_bytes : int
        Budget for a volume's cached embeddings, in bytes.
    streams : int
        The number of threads that encode and decode at once; the result does not depend on it.
    """

    def __init__(
        self, network: Network, protocol: CaseProtocol, prompts: PromptSource, cache_bytes: int, streams: int = 1
    ):
        self.network = network
        self.protocol = protocol
        self.prompts = prompts
        self.cache_bytes = cache_bytes
        self.streams = streams

    def segment(
        self,
        case: Case,
        progress: Progress | None = None,
        masks: MaskSink | None = None,
        corrections: Corrections | None = None,
    ) -> Segmentation:
        """Segment every object of a case.

        Parameters
        ----------
        case : Case
        progress : callable, optional
            Called with (done, total) encoder and decoder steps.
        masks : MaskSink, optional
            Also gets the objects' masks, which hide parts of each other in the label map.
        corrections : mapping of int to sequence of Correction, optional
            What to repair, in order, by the objects' labels; the others keep the masks of their boxes.

        Returns
        -------
        Segmentation

        Raises
        ------
        LiteMedSamError
            When the model takes no corrections, or one lies on a slice that its object's box leaves out.
        """
        watch = Stopwatch()
        corrections = corrections or {}
        found = _Found(case, masks)
        pool = ThreadPoolExecutor(self.streams)
        decoder = ObjectDecoder(self.network, self.protocol, self.prompts, pool, self.streams, watch)
        segment = self._volume if case.is_volume else self._image
        try:
            encoded = segment(case, decoder, found, progress or (lambda done, total: None), corrections)
        finally:
            pool.shutdown(cancel_futures=True)
        means = np.array([np.mean(values) for values in found.scores], np.float32)
        return Segmentation(found.labels, means, dict(watch.seconds), encoded, found.areas, found.boxes)

    def _image(
        self, case: Case, decoder: ObjectDecoder, found: _Found, progress: Progress, corrections: Corrections
    ) -> int:
        total = len(case.boxes) + 1
        with decoder.watch.stage("encode"):
            embedding = self.network.encode(case.pixels)
        progress(1, total)
        queries = [
            ObjectQuery(Target(number), self.protocol.box_in_frame(box, embedding.frame), box)
            for number, box in enumerate(case.boxes, start=1)
        ]
        corrected = _Corrected(case, corrections, self._plain(decoder), lambda z: embedding)
        for answer in decoder.masks(embedding, queries):
            corrected.take(answer, found)
            progress(answer.target.number + 1, total)
        corrected.finish(found)
        return 1

    def _volume(
        self, case: Case, decoder: ObjectDecoder, found: _Found, progress: Progress, corrections: Corrections
    ) -> int:
        embeddings = SliceEmbeddings(
            lambda z: self.network.encode(case.pixels[z]),
            EmbeddingCache(self.cache_bytes),
            retain=bool(corrections or case.open_ended),
        )
        if case.open_ended:
            # Late, because few cases need it.
            from .range_search import RangeSearch

            search = RangeSearch(self._plain(decoder), embeddings.slice, case.pixels)
            case = replace(case, boxes=search.completed(case.boxes, case.open_ended, progress))
            found.boxes = case.boxes
        corrected = _Corrected(case, corrections, self._plain(decoder), embeddings.slice)
        for answer in propagate(case.boxes, embeddings, decoder, progress):
            corrected.take(answer, found)
        corrected.finish(found)
        return embeddings.encoded

    @staticmethod
    def _plain(decoder: ObjectDecoder) -> ObjectDecoder:
        return replace(decoder, pool=CallingThread(), streams=0)
