"""What fits into the container's memory, decided before work starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..case import Case, label_dtype
from ..system.resources import MEGABYTE, memory_limit, memory_shortage, resident_memory

# Of the two graphs, of each stream's encoder with the embeddings ahead of it, and of each stream's decoder with two
# prompts in a call: at their peak, rounded up.
GRAPHS_BYTES, ENCODING_BYTES, DECODING_BYTES = 200 * MEGABYTE, 110 * MEGABYTE, 130 * MEGABYTE


@dataclass(frozen=True)
class MemoryBudget:
    """The memory that cases may use.

    Attributes
    ----------
    limit : int or None
        Of the container, in bytes; None where there is none.
    loaded : int
        What the process held before any graph was loaded, in bytes.
    """

    limit: int | None
    loaded: int

    @classmethod
    def of_process(cls) -> MemoryBudget:
        """The budget of this process, taken before graphs are loaded."""
        return cls(memory_limit(), resident_memory())

    def streams(self, case: Case, wanted: int) -> int:
        """How many slices or objects to work on at once.

        Parameters
        ----------
        case : Case
        wanted : int
            At most this many.

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
        """How many bytes of embeddings to keep for a case.

        Parameters
        ----------
        case : Case
            Its pixels are in memory already.
        wanted : int
            At most this many.
        streams : int
            How many slices or objects are worked on at once.

        Returns
        -------
        int
            0 to `wanted`.

        Raises
        ------
        LiteMedSamError
            When the case does not fit even without any.
        """
        if self.limit is None:
            return wanted
        needed, left = _needed(case, streams), self.limit - self.loaded
        if needed > left:
            raise memory_shortage(f"{case.name}: shape {case.pixels.shape}", needed, max(left, 0), self.limit)
        # Three masks of an object at once: its middle, its latest, and the one being made.
        masks = 3 * int(np.prod(case.grid[-2:], dtype=np.int64)) * (len(case.boxes) if case.is_volume else 1)
        return max(min(wanted, left - needed - masks), 0)


def _needed(case: Case, streams: int) -> int:
    voxels = int(np.prod(case.grid, dtype=np.int64))
    encoding = streams if case.is_volume else 1
    working = GRAPHS_BYTES + encoding * ENCODING_BYTES + streams * DECODING_BYTES
    return case.pixels.nbytes + voxels * label_dtype(len(case.boxes)).itemsize + working
