"""Cases are held to the container's memory."""

import mmap

import numpy as np
import pytest
from litemedsam.engine.case import checked_case, checked_pixels
from litemedsam.engine.inference.budget import DECODING_BYTES, ENCODING_BYTES, GRAPHS_BYTES, MemoryBudget
from litemedsam.engine.io.npz import read_case
from litemedsam.engine.system import resources
from litemedsam.engine.system.resources import keep_within, memory_limit, resident_memory

from litemedsam import LiteMedSamError

LOADED = 300_000_000
WORKING_BYTES = GRAPHS_BYTES + ENCODING_BYTES + DECODING_BYTES


def case_of(depth: int):
    pixels = np.broadcast_to(np.uint8(0), (depth, 512, 512))
    return checked_case("a.npz", pixels, np.array([[1, 1, 0, 9, 9, depth - 1]]))


def test_limits_of_both_versions_of_control_groups(tmp_path):
    assert memory_limit(tmp_path) is None
    old = tmp_path / "memory" / "memory.limit_in_bytes"
    old.parent.mkdir()
    old.write_text("9223372036854771712\n")
    assert memory_limit(tmp_path) is None
    old.write_text("2147483648\n")
    assert memory_limit(tmp_path) == 2 << 30
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit(tmp_path) == 2 << 30
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert memory_limit(tmp_path) == 1 << 30


def test_resident_memory_grows_with_what_is_held(tmp_path):
    # A mapping of its own: an array may get memory that the process had held and freed.
    with mmap.mmap(-1, 50_000_000) as held:
        before = resident_memory()
        held.write(bytes([1]) * 50_000_000)
        assert resident_memory() - before > 0.9 * len(held)
    assert resident_memory(tmp_path / "absent") == 0


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


def test_a_process_may_have_a_part_of_the_memory(tmp_path):
    (tmp_path / "memory.max").write_text("1073741824\n")
    keep_within(500_000_000)
    try:
        assert memory_limit(tmp_path) == 500_000_000
    finally:
        keep_within(None)
    assert memory_limit(tmp_path) == 1 << 30


def test_a_file_is_refused_by_its_unpacked_size_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, imgs=np.zeros((200, 512, 512), np.uint8), boxes=np.array([[1, 1, 0, 9, 9, 9]]))
    monkeypatch.setattr(resources, "memory_limit", lambda: resident_memory() + 40_000_000)
    with pytest.raises(LiteMedSamError, match=r"a\.npz: imgs needs 0\.05 GB of memory"):
        read_case(path)
    monkeypatch.setattr(resources, "memory_limit", lambda: resident_memory() + 80_000_000)
    assert read_case(path).pixels.shape == (200, 512, 512)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint16])
def test_other_number_types_become_the_nearest_level(dtype):
    values = np.array([[0, 1, 127, 254], [255, 3, 2, 128]], dtype)
    if np.dtype(dtype).kind == "f":
        values += np.array([[0.25, 0.75, 0.5, 0], [-0.25, 0.5, 0.5, 0]], dtype)
    pixels = checked_pixels("a", values)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.rint(values.astype(np.float64)).astype(np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(value):
    pixels = np.zeros((4, 4))
    pixels[2, 1] = value
    with pytest.raises(LiteMedSamError, match="NaN or infinity"):
        checked_pixels("a", pixels)
