"""A case to its label map: each slice is encoded once, and decoded for all objects on it together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .cache import EmbeddingCache
from .case import Case, Segmentation, label_dtype
from .network import PROMPTS_PER_CALL, Embedding, Network
from .postprocess import Region, to_region
from .prompts import PromptSource, Target
from .protocols import Protocol
from .stopwatch import Stopwatch


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
        Budget for the embeddings of a volume.
    """

    def __init__(self, network: Network, protocol: Protocol, prompts: PromptSource, cache_bytes: int):
        self.network = network
        self.protocol = protocol
        self.prompts = prompts
        self.cache_bytes = cache_bytes

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
        run = _Run(self, case, progress or (lambda done, total: None))
        (run.volume if case.is_volume else run.image)()
        return run.result()

    def regions(
        self,
        embedding: Embedding,
        targets: list[Target],
        boxes: list[np.ndarray],
        given: list[np.ndarray],
        watch: Stopwatch,
    ) -> Iterator[tuple[Target, Region, float]]:
        """Masks and predicted IoU of objects on one image, a few at a time.

        Parameters
        ----------
        embedding : Embedding
        targets : list of Target
        boxes : list of ndarray
            Each object's box (4,) on this image, in frame pixels.
        given : list of ndarray
            Each object's own box (4,), in image pixels.
        watch : Stopwatch

        Yields
        ------
        target : Target
        region : Region
        score : float
        """
        for start in range(0, len(targets), PROMPTS_PER_CALL):
            chosen = slice(start, start + PROMPTS_PER_CALL)
            with watch.stage("prompts"):
                prompts = [
                    self.prompts.prompt(target, box, embedding.foreground)
                    for target, box in zip(targets[chosen], boxes[chosen], strict=True)
                ]
            with watch.stage("decode"):
                decoded = self.network.decode(embedding, prompts)
            answers = zip(targets[chosen], given[chosen], decoded.logits, decoded.scores, strict=True)
            for target, own_box, logits, score in answers:
                with watch.stage("masks"):
                    region = to_region(logits, embedding.frame)
                    region = self.protocol.bounded(region, own_box, embedding.frame)
                yield target, region, float(score)


class _Run:
    """The state of one case under way."""

    def __init__(self, segmenter: CaseSegmenter, case: Case, progress: Callable[[int, int], None]):
        self.segmenter = segmenter
        self.case = case
        self.progress = progress
        self.watch = Stopwatch()
        self.encoded = 0
        self.labels = np.zeros(case.grid, label_dtype(len(case.boxes)))
        self.scores: list[list[float]] = [[] for _ in case.boxes]

    def result(self) -> Segmentation:
        scores = np.array([np.mean(values) for values in self.scores], np.float32)
        return Segmentation(self.labels, scores, dict(self.watch.seconds), self.encoded)

    def encode(self, image: np.ndarray) -> Embedding:
        with self.watch.stage("encode"):
            self.encoded += 1
            return self.segmenter.network.encode(image)

    def image(self) -> None:
        total = len(self.case.boxes) + 1
        embedding = self.encode(self.case.pixels)
        self.progress(1, total)
        boxes = [self.segmenter.protocol.box_in_frame(box, embedding.frame) for box in self.case.boxes]
        targets = [Target(number) for number in range(1, total)]
        given = list(self.case.boxes)
        for target, region, score in self.segmenter.regions(embedding, targets, boxes, given, self.watch):
            region.paint(self.labels, target.number)
            self.scores[target.number - 1].append(score)
            self.progress(target.number + 1, total)

    def volume(self) -> None:
        steps = plan(self.case.boxes, self.segmenter.protocol)
        cache = EmbeddingCache(self.segmenter.cache_bytes)
        # Each object's middle mask starts both sweeps, so it is kept until the downward one has begun.
        middles: dict[int, Region] = {}
        latest: dict[int, Region] = {}
        for done, step in enumerate(steps, start=1):
            z = step.slice_index
            embedding = cache.get(z)
            if embedding is None:
                embedding = self.encode(self.case.pixels[z])
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
                    boxes.append(
                        self.segmenter.protocol.next_box(before, number, embedding.frame, own_box, step.upwards)
                    )
            targets = [Target(number, z) for number in step.numbers]
            for target, region, score in self.segmenter.regions(embedding, targets, boxes, given, self.watch):
                number = target.number
                region.paint(self.labels[z], number)
                self.scores[number - 1].append(score)
                if step.upwards:
                    middles.setdefault(number, region)
                latest[number if step.upwards else -number] = region
            self.progress(done, len(steps))
