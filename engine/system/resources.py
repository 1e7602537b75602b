"""Processors and memory that the scheduler and the container allow this process."""

import os
from pathlib import Path

from ...errors import LiteMedSamError

MEGABYTE = 1_000_000
_CGROUP = Path("/sys/fs/cgroup")
# cgroup v1 writes "no limit" as the largest page-aligned 63-bit number.
_NO_LIMIT = 1 << 60
# Enough memory for one process to load graphs early, in bytes.
_PLENTY = 4_000_000_000
# The limit set by `keep_within`; empty without one.
_own_part: list[int] = []


def _numbers(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text().split() if word.lstrip("-").isdigit()]
    except OSError:
        return []


def available_processors(cgroup: Path = _CGROUP) -> int:
    """The number of processors that this process may keep busy, at least 1.

    Parameters
    ----------
    cgroup : Path
        Root of the control groups, version 1 or 2.

    Returns
    -------
    int
        The smaller of the scheduler's affinity and the container's quota, rounded up.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _numbers(cgroup / "cpu.max") or [
        *_numbers(cgroup / "cpu" / "cpu.cfs_quota_us"),
        *_numbers(cgroup / "cpu" / "cpu.cfs_period_us"),
    ]
    if len(quota) == 2 and quota[0] > 0 and quota[1] > 0:
        count = min(count, -(-quota[0] // quota[1]))
    return max(count, 1)


def spare_memory() -> bool:
    """Whether graphs may load before the needs of the first case are known."""
    limit = memory_limit()
    return limit is None or limit >= _PLENTY


def resident_memory(statm: Path = Path("/proc/self/statm")) -> int:
    """Memory that this process holds, in bytes; 0 if the system does not report it.

    Parameters
    ----------
    statm : Path
        The file in which Linux reports it, in pages.
    """
    pages = _numbers(statm)
    return pages[1] * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else 0


def keep_within(nbytes: int | None) -> None:
    """Limit this process to a part of the container's memory, in bytes; None removes the limit."""
    _own_part[:] = [] if nbytes is None else [nbytes]


def memory_limit(cgroup: Path = _CGROUP) -> int | None:
    """The container's memory limit in bytes, or this process's part of it; None without a limit.

    Parameters
    ----------
    cgroup : Path
        Root of the control groups, version 1 or 2.
    """
    if _own_part:
        return _own_part[0]
    for path in (cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"):
        limit = _numbers(path)
        if limit and limit[0] < _NO_LIMIT:
            return limit[0]
    return None


def _gigabytes(nbytes: int) -> str:
    return f"{nbytes / 1e9:.2f} GB"


def require_memory(what: str, nbytes: int) -> None:
    """Refuse a need for memory that exceeds the rest of the limit; without a limit, refuse nothing.

    Parameters
    ----------
    what : str
        Start of the message, with the file's name.
    nbytes : int
        The additional need in bytes.

    Raises
    ------
    LiteMedSamError
        When the container's limit leaves less than that.
    """
    limit = memory_limit()
    if limit is not None and nbytes > limit - resident_memory():
        raise memory_shortage(what, nbytes, max(limit - resident_memory(), 0), limit)


def memory_shortage(what: str, nbytes: int, left: int, limit: int) -> LiteMedSamError:
    """The error for a need of `nbytes` when `left` of `limit` remain, all in bytes."""
    return LiteMedSamError(
        f"{what} needs {_gigabytes(nbytes)} of memory, expected at most the {_gigabytes(left)} that the limit of "
        f"{_gigabytes(limit)} leaves",
        "give the container more memory",
    )
