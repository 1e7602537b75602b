"""The slices of a volume, encoded before their turn."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future

from .cache import EmbeddingCache
from .network import Embedding


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
