"""What this process may use: processors and memory, as the scheduler and the container allow."""

import os
from pathlib import Path

from ...errors import LiteMedSamError

MEGABYTE = 1_000_000
_CGROUP = Path("/sys/fs/cgroup")
# cgroup v1 writes "no limit" as the largest page-aligned 63-bit number.
_NO_LIMIT = 1 << 60
# In bytes, for one process.
_PLENTY = 4_000_000_000
# What `keep_within` set.
_own_part: list[int] = []


def _numbers(path: Path) -> list[int]:
    try:
        return [int(word) for word in path.read_text().split() if word.lstrip("-").isdigit()]
    except OSError:
        return []


def available_processors(cgroup: Path = _CGROUP) -> int:
    """How many processors this process may keep busy, at least 1.

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
    """Whether graphs may be loaded before it is known how much the first case needs."""
    limit = memory_limit()
    return limit is None or limit >= _PLENTY


def resident_memory(statm: Path = Path("/proc/self/statm")) -> int:
    """Memory that this process holds, in bytes; 0 where the system does not tell.

    Parameters
    ----------
    statm : Path
        Linux's account of it, in pages.
    """
    pages = _numbers(statm)
    return pages[1] * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else 0


def keep_within(nbytes: int | None) -> None:
    """Leave this process a part of the container's memory only, in bytes; all of it with None."""
    _own_part[:] = [] if nbytes is None else [nbytes]


def memory_limit(cgroup: Path = _CGROUP) -> int | None:
    """The container's memory limit in bytes, or this process' part of it, or None where there is none.

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
    """Refuse what cannot fit beside what this process holds already; never does where there is no limit.

    Parameters
    ----------
    what : str
        For the message, with the file's name.
    nbytes : int
        How much more is needed.

    Raises
    ------
    LiteMedSamError
        When it exceeds what the container's limit leaves.
    """
    limit = memory_limit()
    if limit is not None and nbytes > limit - resident_memory():
        raise memory_shortage(what, nbytes, max(limit - resident_memory(), 0), limit)


def memory_shortage(what: str, nbytes: int, left: int, limit: int) -> LiteMedSamError:
    """The error of something that needs `nbytes` where `left` of `limit` are left, all in bytes."""
    return LiteMedSamError(
        f"{what} needs {_gigabytes(nbytes)} of memory, expected at most the {_gigabytes(left)} that the limit of "
        f"{_gigabytes(limit)} leaves",
        "give the container more memory",
    )
