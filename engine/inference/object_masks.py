"""From an image's embedding and the boxes of its objects to their masks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

# Also under its former place, which `engine/sessions/volume.py` imports.
from ..system.calling_thread import CallingThread as CallingThread
from .network import PROMPTS_PER_CALL, Decoded, Embedding, Network
from .region import Region, to_region

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from ..system.stopwatch import Stopwatch
    from .prompt import Prompt, PromptSource, Target
    from .protocols import CaseProtocol


@dataclass(frozen=True)
class ObjectQuery:
    """One object on one image or slice.

    Attributes
    ----------
    target : Target
    box : ndarray
        float32 (4,), x_min, y_min, x_max, y_max on this image, in pixels of the frame.
    own_box : ndarray
        (4,), the object's own box in pixels of the image, which limits the mask.
    scribble : ndarray or None
        bool (S, S), made from the mask of the previous slice; None if the scribble is drawn from the box.
    """

    target: Target
    box: np.ndarray
    own_box: np.ndarray
    scribble: np.ndarray | None = None


@dataclass(frozen=True)
class ObjectMask:
    """The answer to an `ObjectQuery`.

    Attributes
    ----------
    query : ObjectQuery
    region : Region
        The mask in pixels of the image.
    score : float32
        Predicted IoU.
    logits : ndarray
        float32 (S, S) in the frame.
    """

    query: ObjectQuery
    region: Region
    score: np.float32
    logits: np.ndarray

    @property
    def target(self) -> Target:
        """The object and the slice."""
        return self.query.target


@dataclass(frozen=True)
class ObjectDecoder:
    """Decodes the objects of an image in small batches, and makes the masks of earlier batches meanwhile.

    Attributes
    ----------
    network : Network
    protocol : CaseProtocol
        Limits masks to boxes.
    prompts : PromptSource
        Turns boxes into prompts.
    pool : Executor
        Runs the decoder.
    streams : int
        The number of threads of `pool`.
    watch : Stopwatch
        Records the stages ``prompts``, ``decode`` (time spent waiting) and ``masks``.
    """

    network: Network
    protocol: CaseProtocol
    prompts: PromptSource
    pool: Executor
    streams: int
    watch: Stopwatch

    def _prompt(self, query: ObjectQuery, foreground: np.ndarray) -> Prompt:
        made = self.prompts.prompt(query.target, query.box, foreground)
        if query.scribble is None or made.scribble is None or made.drawn:
            return made
        return replace(made, scribble=query.scribble)

    def masks(self, embedding: Embedding, queries: Sequence[ObjectQuery]) -> Iterator[ObjectMask]:
        """Decode objects on one image.

        Parameters
        ----------
        embedding : Embedding
        queries : sequence of ObjectQuery

        Yields
        ------
        ObjectMask
            In the order of the queries.
        """
        pending: deque[tuple[Sequence[ObjectQuery], Future[Decoded]]] = deque()
        parts = deque(queries[k : k + PROMPTS_PER_CALL] for k in range(0, len(queries), PROMPTS_PER_CALL))
        while parts or pending:
            # One batch waits in the queue, so that no thread idles while masks are made.
            while parts and len(pending) <= self.streams:
                part = parts.popleft()
                with self.watch.stage("prompts"):
                    prompts = [self._prompt(query, embedding.foreground) for query in part]
                pending.append((part, self.pool.submit(self.network.decode, embedding, prompts)))
            part, future = pending.popleft()
            with self.watch.stage("decode"):
                decoded = future.result()
            for query, logits, score in zip(part, decoded.logits, decoded.scores, strict=True):
                with self.watch.stage("masks"):
                    region = to_region(logits, embedding.frame)
                    region = self.protocol.bounded(region, query.own_box, embedding.frame)
                yield ObjectMask(query, region, score, logits)
