"""The client of a scheduler: finds its workers, agrees on settings with them, and submits tasks."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from ....errors import LiteMedSamError
from ...bundle.packaged import bundle_folder
from ...system.optional import needed
from .agreement import Abilities, Agreement
from .tasks import absolute
from .worker import Assignment, OnePredictor, describe, work

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...settings import EngineSettings
    from .certificates import Certificates
    from .site import Site
    from .tasks import Task

# Seconds to wait for the first answer of a scheduler.
_FIRST_ANSWER = 20
_ONE_TRY = 5
_RETRY = 0.2
_LONG = 5


class Lost(Exception):
    """The scheduler no longer answers."""


@dataclass
class Connection:
    """A client of a scheduler. It connects again after the scheduler was restarted.

    Attributes
    ----------
    address : str
    certificates : Certificates or None
    patience : float
        For how many seconds to wait for a scheduler or a worker.
    revive : callable
        See `litemedsam.engine.running.cluster.site.Opened`.
    assignment : Assignment or None
        Of the run; set by `agree`.
    """

    address: str
    certificates: Certificates | None
    patience: float
    revive: Callable[[], object] = lambda: None
    assignment: Assignment | None = None

    def __post_init__(self) -> None:
        self._client: Any = None
        self._plugin = f"litemedsam-{token_hex(8)}"

    def open(self, patience: float = _FIRST_ANSWER) -> None:
        """Reach the scheduler, and give its workers their assignment if there is one.

        Raises
        ------
        LiteMedSamError
            When no scheduler answers, or its answer is unexpected.
        """
        distributed = needed("distributed", "cluster")
        # The run reports what happens to workers. The library would log tracebacks.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        security = None if self.certificates is None else self.certificates.security()
        self.close()
        start, once = monotonic(), min(max(patience, 1), _ONE_TRY)
        while True:
            try:
                self._client = distributed.Client(self.address, security=security, timeout=once, set_as_default=False)
                if self.assignment is not None:
                    self._assign(self.assignment)
                return
            except (OSError, ValueError, TypeError, distributed.comm.CommClosedError) as error:
                self.close()
                if monotonic() - start > patience:
                    raise LiteMedSamError(
                        f"{self.address}: no scheduler answers ({str(error).splitlines()[0][:160]})",
                        "start one with: dask scheduler --host ADDRESS",
                    ) from error
            sleep(_RETRY)

    def close(self) -> None:
        """Disconnect, and cancel the tasks that workers still run for this client."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                if self.assignment is not None and client.status == "running":
                    client.sync(client._unregister_worker_plugin, name=self._plugin, callback_timeout=2)
            with suppress(Exception):
                client.close(timeout=1)

    def agree(
        self,
        settings: EngineSettings,
        output: Path,
        workers: int,
        say: Callable[[str], object] = lambda text: None,
    ) -> tuple[Assignment, tuple[str, ...]]:
        """Wait for the first workers, and give all of them their assignment.

        Parameters
        ----------
        settings : EngineSettings
        output : Path
            The folder for results, which exists.
        workers : int
            The number of workers to wait for.
        say : callable
            Called with a text if this takes long.

        Returns
        -------
        assignment : Assignment
        notes : tuple of str
            For the user.

        Raises
        ------
        LiteMedSamError
            When there are no workers, and as `Agreement.between`.
        """
        settings, output = absolute(_with_folder(settings)), output.absolute()
        start, said = monotonic(), False
        while len(self.workers()) < workers:
            if not said and monotonic() - start > _LONG:
                said = True
                say(f"{self.address}: waiting for workers")
            if monotonic() - start > self.patience:
                raise LiteMedSamError(f"{self.address}: has no workers", f"start one with: dask worker {self.address}")
            sleep(_RETRY)
        answers = self._client.run(describe, settings, output, on_error="return")
        found = {address: answer for address, answer in answers.items() if isinstance(answer, Abilities)}
        if not found:
            address, error = next(iter(answers.items()))
            raise LiteMedSamError(
                f"the worker at {address} cannot run litemedsam ({error})",
                "install the same version of litemedsam for all workers",
            )
        own = replace(Abilities.of_process(settings, output), problem="")
        agreement, notes = Agreement.between(found, own, settings, bundle_folder(settings.bundle))
        self.assignment = Assignment(settings, agreement, output)
        self._assign(self.assignment)
        return self.assignment, notes

    def _assign(self, assignment: Assignment) -> None:
        from distributed import WorkerPlugin

        class Plugin(OnePredictor, WorkerPlugin):
            """`OnePredictor` as the class that the library requires."""

        self._client.register_plugin(Plugin(assignment, self._plugin), name=self._plugin)

    def workers(self) -> dict[str, bool]:
        """For each worker's address, whether it takes cases.

        Raises
        ------
        Lost
            When the scheduler does not answer.
        """
        if self._client.status != "running":
            raise Lost
        try:
            known = self._client.sync(self._client.scheduler.identity, callback_timeout=20)["workers"]
        except (OSError, TimeoutError, KeyError) as error:
            raise Lost from error
        return {address: worker.get("status", "running") == "running" for address, worker in known.items()}

    def submit(self, task: Task, key: str, fit: Collection[str], done: Callable[[Any], None]) -> Any:
        """Submit a task.

        Parameters
        ----------
        task : Task
        key : str
            Its key. Tasks of one key run once; see `Task.key`.
        fit : collection of str
            Addresses of the workers that may take it; all when empty.
        done : callable
            Called in another thread with the future when it is finished.

        Raises
        ------
        Lost
            When the scheduler does not answer.
        """
        restricted = {"workers": list(fit), "allow_other_workers": False} if fit else {}
        try:
            future = self._client.submit(
                work, task.case.absolute(), task.options, task.assignment, key, key=key, pure=True, **restricted
            )
        except (OSError, RuntimeError) as error:
            raise Lost from error
        future.add_done_callback(done)
        return future

    def cancel(self, futures: Collection[Any]) -> None:
        """Cancel tasks. Workers stop at the next step of a case."""
        if self._client is not None and self._client.status == "running":
            with suppress(Exception):
                self._client.sync(self._client._cancel, list(futures), callback_timeout=1)


def _with_folder(settings: EngineSettings) -> EngineSettings:
    """Settings whose bundle has an absolute path; the name of a packaged bundle stays."""
    if settings.bundle is None or not settings.bundle.is_dir():
        return settings
    return replace(settings, bundle=settings.bundle.absolute())


@contextmanager
def connected(site: Site, certificates: Certificates | None) -> Iterator[Connection]:
    """A connection to a site for as long as it is open.

    Raises
    ------
    LiteMedSamError
        See `Connection.open` and `Site.open`.
    """
    with site.open(certificates) as opened:
        connection = Connection(opened.address, certificates, site.patience, opened.revive)
        connection.open()
        try:
            yield connection
        finally:
            connection.close()
