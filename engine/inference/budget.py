"""Decides before work starts how much of it fits into the container's memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..case import Case, label_dtype
from ..system.resources import MEGABYTE, memory_limit, memory_shortage, resident_memory

# Peak memory, rounded up: both graphs; per stream, an encoder with its queued embeddings; per stream, a decoder running
# two prompts.
GRAPHS_BYTES, ENCODING_BYTES, DECODING_BYTES = 200 * MEGABYTE, 110 * MEGABYTE, 130 * MEGABYTE


@dataclass(frozen=True)
class MemoryBudget:
    """The memory that cases may use.

    Attributes
    ----------
    limit : int or None
        The container's limit in bytes; None if there is none.
    loaded : int
        Memory that the process held before it loaded graphs, in bytes.
    """

    limit: int | None
    loaded: int

    @classmethod
    def of_process(cls) -> MemoryBudget:
        """The budget of this process. Take it before graphs load, because they are counted separately.

        The command loads graphs earlier only with at least 4 GB of memory, where counting them twice does no harm.
        """
        return cls(memory_limit(), resident_memory())

    def streams(self, case: Case, wanted: int) -> int:
        """The number of slices or objects to compute at once.

        Parameters
        ----------
        case : Case
        wanted : int
            The most to return.

        Returns
        -------
        int
            As many as fit, at least 1.
        """
        if self.limit is None:
            return wanted
        left = self.limit - self.loaded
        return max(n for n in range(1, wanted + 1) if n == 1 or _needed(case, n) <= left)

    def cache_bytes(self, case: Case, wanted: int, streams: int = 1) -> int:
        """The number of bytes of embeddings to keep for a case.

        Parameters
        ----------
        case : Case
            Its pixels are in memory already.
        wanted : int
            The most to return.
        streams : int
            The number of slices or objects computed at once.

        Returns
        -------
        int
            0 to `wanted`.

        Raises
        ------
        LiteMedSamError
            When the case does not fit even without kept embeddings.
        """
        if self.limit is None:
            return wanted
        needed, left = _needed(case, streams), self.limit - self.loaded
        if needed > left:
            raise memory_shortage(f"{case.name}: shape {case.pixels.shape}", needed, max(left, 0), self.limit)
        # Each object holds three masks at once: the middle, the latest and the next.
        masks = 3 * int(np.prod(case.grid[-2:], dtype=np.int64)) * (len(case.boxes) if case.is_volume else 1)
        return max(min(wanted, left - needed - masks), 0)


def _needed(case: Case, streams: int) -> int:
    voxels = int(np.prod(case.grid, dtype=np.int64))
    encoding = streams if case.is_volume else 1
    working = GRAPHS_BYTES + encoding * ENCODING_BYTES + streams * DECODING_BYTES
    return case.pixels.nbytes + voxels * label_dtype(len(case.boxes)).itemsize + working
