"""Segments a case into a label map: each slice is encoded once, then decoded for all its objects."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ..case import Case, Segmentation, label_dtype
from ..system.stopwatch import Stopwatch
from .embeddings import EmbeddingCache, SliceEmbeddings
from .object_masks import ObjectDecoder, ObjectQuery
from .prompt import PromptSource, Target
from .propagation import propagate

if TYPE_CHECKING:
    from .network import Network
    from .protocols import Protocol

Progress = Callable[[int, int], None]
"""Called with (done, total) steps; may raise to cancel the work."""


class CaseSegmenter:
    """Segments cases with one network.

    Parameters
    ----------
    network : Network
    protocol : Protocol
    prompts : PromptSource
    cache_bytes : int
        Budget for a volume's cached embeddings, in bytes.
    streams : int
        The number of threads that encode and decode at once; the result does not depend on it.
    """

    def __init__(self, network: Network, protocol: Protocol, prompts: PromptSource, cache_bytes: int, streams: int = 1):
        self.network = network
        self.protocol = protocol
        self.prompts = prompts
        self.cache_bytes = cache_bytes
        self.streams = streams

    def segment(self, case: Case, progress: Progress | None = None) -> Segmentation:
        """Segment every object of a case.

        Parameters
        ----------
        case : Case
        progress : callable, optional
            Called with (done, total) encoder and decoder steps.

        Returns
        -------
        Segmentation
        """
        watch = Stopwatch()
        labels = np.zeros(case.grid, label_dtype(len(case.boxes)))
        scores: list[list[float]] = [[] for _ in case.boxes]
        pool = ThreadPoolExecutor(self.streams)
        decoder = ObjectDecoder(self.network, self.protocol, self.prompts, pool, self.streams, watch)
        segment = self._volume if case.is_volume else self._image
        try:
            encoded = segment(case, decoder, labels, scores, progress or (lambda done, total: None))
        finally:
            pool.shutdown(cancel_futures=True)
        means = np.array([np.mean(values) for values in scores], np.float32)
        return Segmentation(labels, means, dict(watch.seconds), encoded)

    def _image(
        self, case: Case, decoder: ObjectDecoder, labels: np.ndarray, scores: list[list[float]], progress: Progress
    ) -> int:
        total = len(case.boxes) + 1
        with decoder.watch.stage("encode"):
            embedding = self.network.encode(case.pixels)
        progress(1, total)
        queries = [
            ObjectQuery(Target(number), self.protocol.box_in_frame(box, embedding.frame), box)
            for number, box in enumerate(case.boxes, start=1)
        ]
        for found in decoder.masks(embedding, queries):
            number = found.target.number
            found.region.paint(labels, number)
            scores[number - 1].append(float(found.score))
            progress(number + 1, total)
        return 1

    def _volume(
        self, case: Case, decoder: ObjectDecoder, labels: np.ndarray, scores: list[list[float]], progress: Progress
    ) -> int:
        embeddings = SliceEmbeddings(lambda z: self.network.encode(case.pixels[z]), EmbeddingCache(self.cache_bytes))
        for found in propagate(case.boxes, embeddings, decoder, progress):
            found.region.paint(labels[found.target.slice_index], found.target.number)
            scores[found.target.number - 1].append(float(found.score))
        return embeddings.encoded
