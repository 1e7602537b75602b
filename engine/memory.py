"""What fits into the container's memory, decided before work starts."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import LiteMedSamError
from .cache import MEGABYTE
from .case import Case, label_dtype
from .resources import memory_limit, resident_memory

# What encoder and decoder need at their peak beyond the loaded graphs: 300 MB with four prompts in a call.
WORKING_BYTES = 350 * MEGABYTE


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
        raise _too_large(what, nbytes, max(limit - resident_memory(), 0), limit)


def _too_large(what: str, nbytes: int, left: int, limit: int) -> LiteMedSamError:
    return LiteMedSamError(
        f"{what} needs {_gigabytes(nbytes)} of memory, expected at most the {_gigabytes(left)} that the limit of "
        f"{_gigabytes(limit)} leaves",
        "give the container more memory",
    )


@dataclass(frozen=True)
class MemoryBudget:
    """The memory that cases may use.

    Attributes
    ----------
    limit : int or None
        Of the container, in bytes; None where there is none.
    loaded : int
        What the process held once the graphs were loaded, in bytes.
    """

    limit: int | None
    loaded: int

    @classmethod
    def of_process(cls) -> "MemoryBudget":
        """The budget of this process, taken when the graphs are loaded."""
        return cls(memory_limit(), resident_memory())

    def with_loaded(self, nbytes: int) -> "MemoryBudget":
        """The budget after more graphs were loaded, or others in place of them.

        Parameters
        ----------
        nbytes : int
            How much more the process holds by that.
        """
        return replace(self, loaded=self.loaded + nbytes)

    def cache_bytes(self, case: Case, wanted: int) -> int:
        """How many bytes of embeddings to keep for a case.

        Parameters
        ----------
        case : Case
            Its pixels are in memory already.
        wanted : int
            At most this many.

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
        voxels = int(np.prod(case.grid, dtype=np.int64))
        # Three masks of an object at once: its middle, its latest, and the one being made.
        masks = 3 * int(np.prod(case.grid[-2:], dtype=np.int64)) * (len(case.boxes) if case.is_volume else 1)
        needed = case.pixels.nbytes + voxels * label_dtype(len(case.boxes)).itemsize + WORKING_BYTES
        left = self.limit - self.loaded
        if needed > left:
            raise _too_large(f"{case.name}: shape {case.pixels.shape}", needed, max(left, 0), self.limit)
        return max(min(wanted, left - needed - masks), 0)
