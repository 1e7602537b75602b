"""Embeddings: cached within a budget, and computed ahead of their use."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from litemedsam.engine.inference.embeddings import EmbeddingCache, SliceEmbeddings
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.network import Embedding

from litemedsam import Predictor

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
        answers = SliceEmbeddings(encode, cache).follow(WAY, pool, ahead)
        for k, (z, embedding) in enumerate(zip(WAY, answers, strict=True)):
            assert embedding.arrays["embedding"] == [z]
            assert (None, z) not in cache or z in WAY[k + 1 :]
            with lock:
                held -= 1
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
        answers = SliceEmbeddings(encode, EmbeddingCache(0)).follow([1, 2, 3], pool, 3)
        assert next(answers).arrays["embedding"] == [1]
        with pytest.raises(MemoryError):
            next(answers)


def test_the_cache_forgets():
    embedding = Embedding(Frame.of(4, 4, 4), np.ones((4, 4), bool), {"a": np.zeros(4, np.float32)})
    cache = EmbeddingCache(2 * embedding.nbytes)
    assert embedding.nbytes == 32
    for key in (1, 2, 3):
        cache.put(key, embedding)
    assert [key in cache for key in (1, 2, 3)] == [False, True, True]
    assert cache.get(1) is None
    cache.put(2, embedding)
    assert cache.nbytes == 64
    cache.discard(9)
    cache.discard_where(lambda key: True)
    assert (len(cache), cache.nbytes) == (0, 0)


@pytest.fixture(scope="module")
def predictor():
    return Predictor(backend="openvino", precision="f32")


def test_the_cache_keeps_to_its_budget(predictor):
    embedding = predictor.network.encode(np.zeros((20, 20), np.uint8))
    cache = EmbeddingCache(int(2.5 * embedding.nbytes))
    for key in "abc":
        cache.put(key, embedding)
        assert cache.nbytes <= cache.budget
    assert "a" not in cache
    assert cache.get("b") is embedding
    cache.put("d", embedding)
    assert "c" not in cache
    assert len(cache) == 2
    cache.discard_where(lambda key: True)
    assert cache.nbytes == 0
    tiny = EmbeddingCache(10)
    tiny.put("a", embedding)
    assert len(tiny) == 0


def test_a_single_slice_is_encoded_once_and_counted():
    embeddings = SliceEmbeddings(embedding_of, EmbeddingCache(1 << 20), retain=True)
    first = embeddings.slice(3)
    assert embeddings.slice(3) is first
    assert embeddings.encoded == 1
    without = SliceEmbeddings(embedding_of, EmbeddingCache(0))
    without.slice(3)
    without.slice(3)
    assert without.encoded == 2


def test_a_slice_that_one_thread_encodes_is_not_encoded_by_another():
    begun, go = threading.Event(), threading.Event()

    def encode(z):
        begun.set()
        assert go.wait(10)
        return embedding_of(z)

    embeddings = SliceEmbeddings(encode, EmbeddingCache(1 << 20), retain=True)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(embeddings.slice, 3)
        assert begun.wait(10)
        second = pool.submit(embeddings.slice, 3)
        third = pool.submit(lambda: list(embeddings.follow([3], pool, 0)))
        go.set()
        assert first.result() is second.result() is third.result()[0]
    assert embeddings.encoded == 1


def test_an_error_of_a_single_slice_reaches_all_who_wait_and_is_not_kept():
    begun, go, calls = threading.Event(), threading.Event(), []

    def encode(z):
        calls.append(z)
        if len(calls) > 1:
            return embedding_of(z)
        begun.set()
        assert go.wait(10)
        raise ValueError("broken")

    embeddings = SliceEmbeddings(encode, EmbeddingCache(1 << 20), retain=True)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(embeddings.slice, 3)
        assert begun.wait(10)
        second = pool.submit(lambda: list(embeddings.follow([3], pool, 0)))
        go.set()
        for each in (first, second):
            with pytest.raises(ValueError, match="broken"):
                each.result()
    assert embeddings.slice(3).arrays["embedding"] == [3]


def test_a_slice_that_leaves_the_cache_before_its_turn_is_encoded_again():
    cache = EmbeddingCache(1 << 20)
    embeddings = SliceEmbeddings(embedding_of, cache, retain=True)
    first = embeddings.slice(0)
    with ThreadPoolExecutor(1) as pool:
        walk = embeddings.follow([1, 0], pool, 1)
        next(walk)
        # Another volume takes the room meanwhile.
        cache.discard_where(lambda key: True)
        again = next(walk)
    assert again is not first
    assert embeddings.encoded == 3
