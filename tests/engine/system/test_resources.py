"""Processors and memory as the system and the container's control groups give them."""

import mmap

from litemedsam.engine.system import resources
from litemedsam.engine.system.resources import available_processors, keep_within, memory_limit, resident_memory


def test_the_container_s_quota_counts(tmp_path):
    free = available_processors(tmp_path)
    assert free >= 1
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_processors(tmp_path) == 1
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert available_processors(tmp_path) == free
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert available_processors(tmp_path) == free


def test_a_system_without_affinity_tells_its_processors(tmp_path, monkeypatch):
    monkeypatch.delattr(resources.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(resources.os, "cpu_count", lambda: None)
    assert available_processors(tmp_path) == 1


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


def test_a_process_may_have_a_part_of_the_memory(tmp_path):
    (tmp_path / "memory.max").write_text("1073741824\n")
    keep_within(500_000_000)
    try:
        assert memory_limit(tmp_path) == 500_000_000
    finally:
        keep_within(None)
    assert memory_limit(tmp_path) == 1 << 30
