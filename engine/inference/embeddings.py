"""Embeddings of slices: encoded once, ahead of their use, and cached within a budget of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .network import Embedding


class EmbeddingCache:
    """The most recently used embeddings that fit a budget; several threads may share it.

    Parameters
    ----------
    budget : int
        In bytes; 0 keeps nothing.
    """

    def __init__(self, budget: int):
        self.budget = budget
        self.nbytes = 0
        self._entries: OrderedDict[Hashable, Embedding] = OrderedDict()
        self._changing = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def get(self, key: Hashable) -> Embedding | None:
        """The embedding of a key, or None."""
        with self._changing:
            embedding = self._entries.get(key)
            if embedding is not None:
                self._entries.move_to_end(key)
            return embedding

    def put(self, key: Hashable, embedding: Embedding) -> None:
        """Keep an embedding, unless it alone exceeds the budget; the least recently used embeddings make room."""
        with self._changing:
            self._discard(key)
            if embedding.nbytes > self.budget:
                return
            self._entries[key] = embedding
            self.nbytes += embedding.nbytes
            self._trim()

    def shrink(self, budget: int) -> None:
        """Lower the budget to `budget` bytes; a lower budget stays."""
        with self._changing:
            self.budget = min(self.budget, budget)
            self._trim()

    def discard(self, key: Hashable) -> None:
        """Forget a key; an unknown key is ignored."""
        with self._changing:
            self._discard(key)

    def discard_where(self, condition: Callable[[Hashable], bool]) -> None:
        """Forget all keys that meet a condition."""
        with self._changing:
            for key in [key for key in self._entries if condition(key)]:
                self._discard(key)

    def _trim(self) -> None:
        while self.nbytes > self.budget:
            self._discard(next(iter(self._entries)))

    def _discard(self, key: Hashable) -> None:
        embedding = self._entries.pop(key, None)
        if embedding is not None:
            self.nbytes -= embedding.nbytes


class SliceEmbeddings:
    """The embeddings of a volume's slices; several threads may follow it at once, each in its own order.

    Parameters
    ----------
    encode : callable
        Encodes the slice of an index.
    cache : EmbeddingCache
        May be shared with other volumes.
    owner : hashable, optional
        Separates this volume's entries in the cache from those of other volumes.
    retain : bool
        Whether to cache every slice for later calls of `follow`. Otherwise a slice stays cached only until its last
        use in the order.

    Attributes
    ----------
    encoded : int
        The number of slices encoded so far, repetitions included.
    """

    def __init__(
        self,
        encode: Callable[[int], Embedding],
        cache: EmbeddingCache,
        owner: Hashable = None,
        retain: bool = False,
    ):
        self.encoded = 0
        self._encode = encode
        self._cache = cache
        self._owner = owner
        self._retain = retain
        self._starting = Lock()
        self._under_way: dict[int, Future[Embedding]] = {}

    def follow(self, order: Sequence[int], pool: Executor, ahead: int) -> Iterator[Embedding]:
        """Yield the embeddings of slices in order, and encode up to `ahead` further slices meanwhile.

        Parameters
        ----------
        order : sequence of int
            Slice indices in the order of use; an index may repeat.
        pool : Executor
            Runs the encoder.
        ahead : int
            At least 0.

        Yields
        ------
        Embedding

        Raises
        ------
        Exception
            An error of `encode`, raised when the slice's turn comes.
        """
        last = {z: k for k, z in enumerate(order)}
        waiting: dict[int, Future[Embedding]] = {}
        for k, z in enumerate(order):
            for near in order[k : k + ahead + 1]:
                future = None if near in waiting else self._begin(near, pool)
                if future is not None:
                    waiting[near] = future
            yield self._taken(z, waiting.pop(z, None), pool, self._retain or last[z] > k)

    def slice(self, z: int) -> Embedding:
        """The embedding of one slice; encoded in the calling thread, if no other thread is encoding it already."""
        embedding = self._cache.get((self._owner, z))
        if embedding is not None:
            return embedding
        own: Future[Embedding] = Future()
        with self._starting:
            future = self._under_way.setdefault(z, own)
        if future is not own:
            return self._finished(future) or self._counted(z)
        own.add_done_callback(lambda _: self._under_way.pop(z, None))
        try:
            own.set_result(self._counted(z))
        except BaseException as error:
            own.set_exception(error)
            raise
        return own.result()

    def _taken(self, z: int, future: Future[Embedding] | None, pool: Executor, keep: bool) -> Embedding:
        embedding = None if future is None else self._finished(future)
        if embedding is None:
            embedding = self._cache.get((self._owner, z))
        if embedding is None:
            # Another volume displaced it from the cache, or another thread cancelled its encoding.
            embedding = self._counted(z)
        if keep:
            self._cache.put((self._owner, z), embedding)
        else:
            self._cache.discard((self._owner, z))
        return embedding

    def _begin(self, z: int, pool: Executor) -> Future[Embedding] | None:
        """Start encoding a slice unless another thread already does; return None if the slice is cached."""
        with self._starting:
            future = self._under_way.get(z)
            if future is None and (self._owner, z) not in self._cache:
                future = self._under_way[z] = pool.submit(self._counted, z)
                future.add_done_callback(lambda _: self._under_way.pop(z, None))
            return future

    def _counted(self, z: int) -> Embedding:
        with self._starting:
            self.encoded += 1
        embedding = self._encode(z)
        if self._retain:
            # Cached before the future finishes, so that no other thread starts the same encoding.
            self._cache.put((self._owner, z), embedding)
        return embedding

    @staticmethod
    def _finished(future: Future[Embedding]) -> Embedding | None:
        try:
            return future.result()
        except CancelledError:
            return None
