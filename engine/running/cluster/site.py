"""The interface of a source of workers, and the simplest source: a scheduler that somebody else runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ....errors import LiteMedSamError

if TYPE_CHECKING:
    from ...settings import EngineSettings
    from .certificates import Certificates

# A case that kills its worker twice runs once more, alone. No worker gets a case in advance.
SCHEDULING: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 1,
    "distributed.scheduler.worker-saturation": 1.0,
}
"""Settings of the library for schedulers that this process starts."""


@dataclass(frozen=True)
class Opened:
    """A site that is open.

    Attributes
    ----------
    address : str
        Of the scheduler.
    revive : callable
        Called every few seconds. If the site starts its own workers, it replaces those that are gone.
    """

    address: str
    revive: Callable[[], object] = lambda: None


class Site(Protocol):
    """A source of workers.

    Attributes
    ----------
    patience : float
        The seconds that a run continues without any worker.
    """

    @property
    def patience(self) -> float: ...

    def settings(self, settings: EngineSettings) -> EngineSettings:
        """The settings of each worker."""
        ...

    def first(self, cases: int) -> int:
        """The number of workers to wait for before a run of `cases` cases starts."""
        ...

    def open(self, certificates: Certificates | None) -> AbstractContextManager[Opened]:
        """Open the site. At the end of the context, everything that it started is gone.

        Parameters
        ----------
        certificates : Certificates or None

        Raises
        ------
        LiteMedSamError
            When a library is not installed, or the workers cannot be started.
        """
        ...


@dataclass(frozen=True)
class Running:
    """A scheduler that somebody else runs.

    Attributes
    ----------
    address : str
        Such as ``tcp://10.0.0.1:8786``.
    """

    address: str
    patience = 120.0

    def settings(self, settings: EngineSettings) -> EngineSettings:
        """See `Site.settings`; without `threads`, each worker uses the number that it was started with."""
        return settings

    def first(self, cases: int) -> int:
        """See `Site.first`."""
        return 1

    @contextmanager
    def open(self, certificates: Certificates | None) -> Iterator[Opened]:
        """See `Site.open`; nothing is started."""
        encrypted = self.address.startswith("tls:")
        if encrypted and certificates is None:
            raise LiteMedSamError(f"{self.address}: needs certificates", "add --cluster-tls CA CERT KEY")
        if certificates is not None and not encrypted:
            raise LiteMedSamError(
                f"{self.address}: is not encrypted, so --cluster-tls has no effect", "give the address as tls://"
            )
        yield Opened(self.address)
