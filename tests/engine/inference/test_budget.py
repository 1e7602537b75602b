"""The memory that a case leaves for embeddings and streams."""

import numpy as np
import pytest
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.budget import DECODING_BYTES, ENCODING_BYTES, GRAPHS_BYTES, MemoryBudget

from litemedsam import LiteMedSamError

LOADED = 300_000_000
WORKING_BYTES = GRAPHS_BYTES + ENCODING_BYTES + DECODING_BYTES


def case_of(depth: int):
    pixels = np.broadcast_to(np.uint8(0), (depth, 512, 512))
    return checked_case("a.npz", pixels, np.array([[1, 1, 0, 9, 9, depth - 1]]))


def test_the_cache_takes_what_the_case_leaves():
    case = case_of(100)
    slice_bytes = 512 * 512
    rest = LOADED + WORKING_BYTES + 2 * 100 * slice_bytes
    assert MemoryBudget(None, LOADED).cache_bytes(case, 512) == 512
    assert MemoryBudget(8 << 30, LOADED).cache_bytes(case, 512_000_000) == 512_000_000
    room = 3 * slice_bytes + 1000
    assert MemoryBudget(rest + room, LOADED).cache_bytes(case, 512_000_000) == 1000
    assert MemoryBudget(rest, LOADED).cache_bytes(case, 512_000_000) == 0
    with pytest.raises(LiteMedSamError, match=r"a\.npz: shape \(100, 512, 512\) needs .* give the container more"):
        MemoryBudget(rest - 1, LOADED).cache_bytes(case, 512_000_000)


def test_streams_are_as_many_as_fit():
    case = case_of(100)
    one = LOADED + WORKING_BYTES + 2 * 100 * 512 * 512
    each = ENCODING_BYTES + DECODING_BYTES
    assert MemoryBudget(None, LOADED).streams(case, 4) == 4
    assert MemoryBudget(one + 3 * each, LOADED).streams(case, 4) == 4
    assert MemoryBudget(one + 2 * each - 1, LOADED).streams(case, 4) == 2
    assert MemoryBudget(one - 1, LOADED).streams(case, 4) == 1
    assert MemoryBudget(one + each + 10_000_000, LOADED).cache_bytes(case, 10**9, 2) == 10_000_000 - 3 * 512 * 512
    image = checked_case("a", np.zeros((50, 50), np.uint8), np.array([[1, 1, 9, 9]] * 5))
    assert MemoryBudget(one + DECODING_BYTES, LOADED).streams(image, 2) == 2
