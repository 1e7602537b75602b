"""Slices encoded before their turn: in order, once, and not too many at a time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from litemedsam.engine.inference.embeddings import EmbeddingCache, encoded_ahead
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.network import Embedding

# Up to slice 4 and back again, then on to others.
WAY = [1, 2, 3, 4, 3, 2, 1, 0, 7]
NBYTES = 64 + 4


def embedding_of(z: int) -> Embedding:
    return Embedding(Frame.of(8, 8, 8), np.zeros((8, 8), bool), {"embedding": np.full(1, z, np.float32)})


def walk(threads: int, ahead: int, budget: int) -> list[int]:
    """Take all embeddings as a case does, and give the slices that were encoded, in the order of the calls."""
    encoded, held, most = [], 0, 0
    lock = threading.Lock()

    def encode(z: int) -> Embedding:
        nonlocal held, most
        with lock:
            encoded.append(z)
            held += 1
            most = max(most, held)
        return embedding_of(z)

    cache = EmbeddingCache(budget)
    with ThreadPoolExecutor(threads) as pool:
        answers = encoded_ahead(pool, encode, WAY, cache, ahead)
        for k, (z, embedding) in enumerate(zip(WAY, answers, strict=True)):
            assert embedding.arrays["embedding"] == [z]
            with lock:
                held -= z not in cache
            if z in WAY[k + 1 :]:
                cache.put(z, embedding)
            else:
                cache.discard(z)
            assert cache.nbytes <= budget
    assert most <= ahead + 1
    return encoded


@pytest.mark.parametrize(("threads", "ahead"), [(1, 0), (1, 2), (2, 3), (4, 5)])
def test_each_slice_is_encoded_once_within_the_budget(threads, ahead):
    assert sorted(walk(threads, ahead, 3 * NBYTES)) == [0, 1, 2, 3, 4, 7]


@pytest.mark.parametrize(("threads", "ahead"), [(1, 0), (2, 3)])
def test_what_the_budget_does_not_hold_is_encoded_again(threads, ahead):
    assert sorted(walk(threads, ahead, 2 * NBYTES)) == [0, 1, 1, 2, 3, 4, 7]
    assert sorted(walk(threads, ahead, 0)) == [0, 1, 1, 2, 2, 3, 3, 4, 7]


def test_an_error_comes_at_its_slice():
    def encode(z: int) -> Embedding:
        if z == 2:
            raise MemoryError
        return embedding_of(z)

    with ThreadPoolExecutor(2) as pool:
        answers = encoded_ahead(pool, encode, [1, 2, 3], EmbeddingCache(0), 3)
        assert next(answers).arrays["embedding"] == [1]
        with pytest.raises(MemoryError):
            next(answers)
