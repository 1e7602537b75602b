"""A case to its label map: each slice is encoded once, and decoded for all objects on it together."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np

from ..case import Case, Segmentation, label_dtype
from ..system.stopwatch import Stopwatch
from .embeddings import EmbeddingCache, encoded_ahead
from .frame import Frame
from .network import PROMPTS_PER_CALL, Decoded, Embedding, Network
from .prompt import PromptSource, Target
from .protocols import Passage, Protocol, ellipsoid_width
from .region import Region, to_region


@dataclass(frozen=True)
class Step:
    """One slice of a volume, in the order in which it is worked on.

    Attributes
    ----------
    slice_index : int
    upwards : bool
        Which sweep it belongs to.
    numbers : tuple of int
        Labels of the objects decoded on it in this sweep, ascending.
    needed_again : bool
        Whether the other sweep comes back to this slice.
    """

    slice_index: int
    upwards: bool
    numbers: tuple[int, ...]
    needed_again: bool


def plan(boxes: np.ndarray, protocol: Protocol) -> list[Step]:
    """Two sweeps through a volume: upwards from the objects' middles, then downwards.

    Parameters
    ----------
    boxes : ndarray
        (N, 6), see `Case`.
    protocol : Protocol

    Returns
    -------
    list of Step
        Ascending slices of the upward sweep, middles included, then descending ones of the downward sweep. A
        slice comes twice only where one object's way up crosses another's way down.
    """
    up: dict[int, list[int]] = {}
    down: dict[int, list[int]] = {}
    for number, box in enumerate(boxes, start=1):
        covered = protocol.slices(int(box[2]), int(box[5]))
        for z in (covered.middle, *covered.up):
            up.setdefault(z, []).append(number)
        for z in covered.down:
            down.setdefault(z, []).append(number)
    steps = [Step(z, True, tuple(up[z]), z in down) for z in sorted(up)]
    return steps + [Step(z, False, tuple(down[z]), False) for z in sorted(down, reverse=True)]


class CaseSegmenter:
    """Segments cases with one network.

    Parameters
    ----------
    network : Network
    protocol : Protocol
    prompts : PromptSource
    cache_bytes : int
        Budget for the embeddings of a volume that are kept for objects to come.
    threads : int
        How many to encode and decode in at once, for which the network was prepared; the result is the same.
    """

    def __init__(self, network: Network, protocol: Protocol, prompts: PromptSource, cache_bytes: int, threads: int = 1):
        self.network = network
        self.protocol = protocol
        self.prompts = prompts
        self.cache_bytes = cache_bytes
        self.threads = threads

    def segment(self, case: Case, progress: Callable[[int, int], None] | None = None) -> Segmentation:
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
        pool = ThreadPoolExecutor(self.threads)
        try:
            run = _Run(self, case, pool, progress or (lambda done, total: None))
            (run.volume if case.is_volume else run.image)()
        finally:
            pool.shutdown(cancel_futures=True)
        return run.result()


class _Run:
    """The state of one case under way."""

    def __init__(self, segmenter: CaseSegmenter, case: Case, pool: Executor, progress: Callable[[int, int], None]):
        self.segmenter = segmenter
        self.case = case
        self.pool = pool
        self.progress = progress
        self.watch = Stopwatch()
        self.encoded = 0
        self.counting = Lock()
        self.labels = np.zeros(case.grid, label_dtype(len(case.boxes)))
        self.scores: list[list[float]] = [[] for _ in case.boxes]

    def result(self) -> Segmentation:
        scores = np.array([np.mean(values) for values in self.scores], np.float32)
        return Segmentation(self.labels, scores, dict(self.watch.seconds), self.encoded)

    def encode(self, image: np.ndarray) -> Embedding:
        with self.counting:
            self.encoded += 1
        return self.segmenter.network.encode(image)

    def encode_slice(self, z: int) -> Embedding:
        return self.encode(self.case.pixels[z])

    def regions(
        self, embedding: Embedding, targets: list[Target], boxes: list[np.ndarray], given: list[np.ndarray]
    ) -> Iterator[tuple[Target, Region, float]]:
        """Masks and predicted IoU of objects on one image.

        Parameters
        ----------
        embedding : Embedding
        targets : list of Target
        boxes : list of ndarray
            Each object's box (4,) on this image, in frame pixels.
        given : list of ndarray
            Each object's own box (4,), in image pixels.

        Yields
        ------
        target : Target
        region : Region
        score : float
        """
        segmenter = self.segmenter
        pending: deque[tuple[slice, Future[Decoded]]] = deque()
        starts = deque(range(0, len(targets), PROMPTS_PER_CALL))
        while starts or pending:
            # One part waits for a thread, while the masks of another are made.
            while starts and len(pending) <= segmenter.threads:
                start = starts.popleft()
                part = slice(start, start + PROMPTS_PER_CALL)
                with self.watch.stage("prompts"):
                    prompts = [
                        segmenter.prompts.prompt(target, box, embedding.foreground)
                        for target, box in zip(targets[part], boxes[part], strict=True)
                    ]
                pending.append((part, self.pool.submit(segmenter.network.decode, embedding, prompts)))
            part, future = pending.popleft()
            # As for encoding: the time spent waiting.
            with self.watch.stage("decode"):
                decoded = future.result()
            answers = zip(targets[part], given[part], decoded.logits, decoded.scores, strict=True)
            for target, own_box, logits, score in answers:
                with self.watch.stage("masks"):
                    region = to_region(logits, embedding.frame)
                    region = segmenter.protocol.bounded(region, own_box, embedding.frame)
                yield target, region, float(score)

    def image(self) -> None:
        total = len(self.case.boxes) + 1
        with self.watch.stage("encode"):
            embedding = self.encode(self.case.pixels)
        self.progress(1, total)
        boxes = [self.segmenter.protocol.box_in_frame(box, embedding.frame) for box in self.case.boxes]
        targets = [Target(number) for number in range(1, total)]
        given = list(self.case.boxes)
        for target, region, score in self.regions(embedding, targets, boxes, given):
            region.paint(self.labels, target.number)
            self.scores[target.number - 1].append(score)
            self.progress(target.number + 1, total)

    def volume(self) -> None:
        steps = plan(self.case.boxes, self.segmenter.protocol)
        cache = EmbeddingCache(self.segmenter.cache_bytes)
        # One more than are being encoded waits for its turn, so that no thread does.
        ahead = self.segmenter.threads + 1
        order = [step.slice_index for step in steps]
        embeddings = encoded_ahead(self.pool, self.encode_slice, order, cache, ahead)
        # Each object's middle mask starts both sweeps, so it is kept until the downward one has begun.
        middles: dict[int, Region] = {}
        latest: dict[int, Region] = {}
        for done, step in enumerate(steps, start=1):
            z = step.slice_index
            # Where slices were encoded ahead, this is the time spent waiting for them.
            with self.watch.stage("encode"):
                embedding = next(embeddings)
            if step.needed_again:
                cache.put(z, embedding)
            else:
                cache.discard(z)
            boxes = []
            given = [self.case.boxes[number - 1][[0, 1, 3, 4]] for number in step.numbers]
            for number, own_box in zip(step.numbers, given, strict=True):
                before = latest.get(number) if step.upwards else latest.get(-number, middles[number])
                if before is None:
                    boxes.append(self.segmenter.protocol.box_in_frame(own_box, embedding.frame))
                else:
                    boxes.append(self._next_box(before, number, embedding.frame, step))
            targets = [Target(number, z) for number in step.numbers]
            for target, region, score in self.regions(embedding, targets, boxes, given):
                number = target.number
                region.paint(self.labels[z], number)
                self.scores[number - 1].append(score)
                if step.upwards:
                    middles.setdefault(number, region)
                latest[number if step.upwards else -number] = region
            self.progress(done, len(steps))

    def _next_box(self, before: Region, number: int, frame: Frame, step: Step) -> np.ndarray:
        box, z = self.case.boxes[number - 1], step.slice_index
        came_from = z - 1 if step.upwards else z + 1
        widths = tuple(ellipsoid_width(k, int(box[2]), int(box[5])) for k in (came_from, z))
        passage = Passage(before, number, box[[0, 1, 3, 4]], step.upwards, widths)
        return self.segmenter.protocol.next_box(passage, frame)
