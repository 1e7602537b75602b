"""Segments a case into a label map: each slice is encoded once, then decoded for all its objects."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ..case import Case, Segmentation, label_dtype
from ..system.stopwatch import Stopwatch
from .embeddings import EmbeddingCache, SliceEmbeddings
from .object_masks import ObjectDecoder, ObjectMask, ObjectQuery
from .prompt import PromptSource, Target
from .propagation import propagate

if TYPE_CHECKING:
    from .mask_sinks import MaskSink
    from .network import Network
    from .protocols import CaseProtocol

Progress = Callable[[int, int], None]
"""Called with (done, total) steps; may raise to cancel the work."""


class _Found:
    """What is known of a case's objects so far: the label map, and per object its scores and the size of its mask."""

    def __init__(self, case: Case, masks: MaskSink | None):
        self.labels = np.zeros(case.grid, label_dtype(len(case.boxes)))
        self.scores: list[list[float]] = [[] for _ in case.boxes]
        self.areas = np.zeros(len(case.boxes), np.int64)
        self._pages = self.labels if case.is_volume else self.labels[None]
        self._masks = masks

    def add(self, answer: ObjectMask) -> None:
        """Take the mask of one object on one slice."""
        target, region = answer.target, answer.region
        region.paint(self._pages[target.slice_index], target.number)
        self.scores[target.number - 1].append(float(answer.score))
        self.areas[target.number - 1] += np.count_nonzero(region.mask)
        if self._masks is not None:
            self._masks.add(target, region)


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

    def segment(self, case: Case, progress: Progress | None = None, masks: MaskSink | None = None) -> Segmentation:
        """Segment every object of a case.

        Parameters
        ----------
        case : Case
        progress : callable, optional
            Called with (done, total) encoder and decoder steps.
        masks : MaskSink, optional
            Also gets the objects' masks, which hide parts of each other in the label map.

        Returns
        -------
        Segmentation
        """
        watch = Stopwatch()
        found = _Found(case, masks)
        pool = ThreadPoolExecutor(self.streams)
        decoder = ObjectDecoder(self.network, self.protocol, self.prompts, pool, self.streams, watch)
        segment = self._volume if case.is_volume else self._image
        try:
            encoded = segment(case, decoder, found, progress or (lambda done, total: None))
        finally:
            pool.shutdown(cancel_futures=True)
        means = np.array([np.mean(values) for values in found.scores], np.float32)
        return Segmentation(found.labels, means, dict(watch.seconds), encoded, found.areas)

    def _image(self, case: Case, decoder: ObjectDecoder, found: _Found, progress: Progress) -> int:
        total = len(case.boxes) + 1
        with decoder.watch.stage("encode"):
            embedding = self.network.encode(case.pixels)
        progress(1, total)
        queries = [
            ObjectQuery(Target(number), self.protocol.box_in_frame(box, embedding.frame), box)
            for number, box in enumerate(case.boxes, start=1)
        ]
        for answer in decoder.masks(embedding, queries):
            found.add(answer)
            progress(answer.target.number + 1, total)
        return 1

    def _volume(self, case: Case, decoder: ObjectDecoder, found: _Found, progress: Progress) -> int:
        embeddings = SliceEmbeddings(lambda z: self.network.encode(case.pixels[z]), EmbeddingCache(self.cache_bytes))
        for answer in propagate(case.boxes, embeddings, decoder, progress):
            found.add(answer)
        return embeddings.encoded
