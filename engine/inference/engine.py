"""A network together with everything that decides how it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .streams import StreamPolicy, Streams

if TYPE_CHECKING:
    from ..case import Case
    from .budget import MemoryBudget
    from .network import Network
    from .prompt import PromptSource
    from .protocols import CaseProtocol


@dataclass(frozen=True)
class Engine:
    """A network, its treatment of boxes and prompts, and the limits of this machine.

    Attributes
    ----------
    network : Network
    protocol : CaseProtocol
    prompts : PromptSource
        The automatic prompts.
    policy : StreamPolicy
    memory : MemoryBudget
    cache_bytes : int
        The user's budget for embeddings, in bytes.
    """

    network: Network
    protocol: CaseProtocol
    prompts: PromptSource
    policy: StreamPolicy
    memory: MemoryBudget
    cache_bytes: int

    def prepare(self, case: Case) -> tuple[int, int]:
        """Load the graphs for a case.

        Parameters
        ----------
        case : Case

        Returns
        -------
        streams : int
            The number of threads that encode and decode.
        cache_bytes : int
            The budget for the case's embeddings, as far as memory allows.

        Raises
        ------
        LiteMedSamError
            When a graph cannot be loaded, or the case does not fit into memory.
        """
        wanted = self.policy.wanted(case.is_volume, len(case.boxes), self.network.streams)
        streams = self.memory.streams(case, wanted.decoding)
        cache_bytes = self.memory.cache_bytes(case, self.cache_bytes, streams)
        self.network.prepare(Streams(min(wanted.encoding, streams), streams))
        return streams, cache_bytes
