"""The embeddings of slices: kept within a budget of bytes, and encoded before their turn."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor, Future

from ..system.resources import MEGABYTE
from .network import Embedding

# Forty slices at 12.6 MB each.
DEFAULT_MEGABYTES = 512


class EmbeddingCache:
    """The most recently used embeddings that fit a budget.

    Parameters
    ----------
    budget : int
        In bytes; 0 keeps nothing.
    """

    def __init__(self, budget: int = DEFAULT_MEGABYTES * MEGABYTE):
        self.budget = budget
        self.nbytes = 0
        self._entries: OrderedDict[Hashable, Embedding] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def get(self, key: Hashable) -> Embedding | None:
        """The embedding of a key, or None."""
        embedding = self._entries.get(key)
        if embedding is not None:
            self._entries.move_to_end(key)
        return embedding

    def put(self, key: Hashable, embedding: Embedding) -> None:
        """Keep an embedding, at the expense of those unused for longest; one over the budget is not kept."""
        self.discard(key)
        if embedding.nbytes > self.budget:
            return
        while self.nbytes + embedding.nbytes > self.budget:
            self.discard(next(iter(self._entries)))
        self._entries[key] = embedding
        self.nbytes += embedding.nbytes

    def discard(self, key: Hashable) -> None:
        """Forget a key; nothing happens where it is not kept."""
        embedding = self._entries.pop(key, None)
        if embedding is not None:
            self.nbytes -= embedding.nbytes

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.nbytes = 0


def encoded_ahead(
    pool: Executor, encode: Callable[[int], Embedding], slices: Sequence[int], cache: EmbeddingCache, ahead: int
) -> Iterator[Embedding]:
    """Embeddings of slices in a given order, while `ahead` further ones are under way or wait for their turn.

    Parameters
    ----------
    pool : Executor
    encode : callable
        Encodes the slice of an index.
    slices : sequence of int
        Indices in the order of use; one may come again.
    cache : EmbeddingCache
        What it holds is not encoded again. Whoever uses an embedding decides whether it is kept.
    ahead : int

    Yields
    ------
    Embedding
    """
    pending: dict[int, Future[Embedding]] = {}
    for k, z in enumerate(slices):
        for near in slices[k : k + ahead + 1]:
            if near not in pending and near not in cache:
                pending[near] = pool.submit(encode, near)
        yield pending.pop(z).result() if z in pending else cache.get(z)
