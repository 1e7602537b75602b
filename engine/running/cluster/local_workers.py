"""Workers as processes of this machine."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...system.optional import needed
from ...system.resources import memory_limit, resident_memory
from .site import SCHEDULING, Opened

if TYPE_CHECKING:
    from ...settings import EngineSettings
    from .certificates import Certificates

# On a busy machine a worker takes long to start again; `_Reviver` decides which ones are gone.
_SLOW_STARTS = {"distributed.deploy.lost-worker-timeout": "1 day"}
# Nothing but scheduler and workers listens.
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
# For the workers to end by themselves, in seconds; after a signal, they are in the middle of cases.
_CLOSING, _CLOSING_AT_ONCE = 10, 1


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes of threads that begin within the block do not hear SIGINT: the run decides when its workers end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    # It would undo this when it starts.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class LocalWorkers:
    """Worker processes on this machine, reachable only through its loopback.

    Attributes
    ----------
    count : int
        At least 1.
    """

    count: int
    patience = 60.0

    def settings(self, settings: EngineSettings) -> EngineSettings:
        """See `Site.settings`; the workers divide the processors."""
        return settings.shared_by(self.count)

    def first(self, cases: int) -> int:
        """See `Site.first`."""
        return self.count

    @contextmanager
    def open(self, certificates: Certificates | None) -> Iterator[Opened]:
        """See `Site.open`; the workers also divide the container's memory."""
        distributed = needed("distributed", "cluster")
        import dask

        limit = memory_limit()
        memory = "auto" if limit is None else max(limit - resident_memory(), 1) // self.count
        with dask.config.set({**SCHEDULING, **_NO_PAGES, **_SLOW_STARTS}):
            with _deaf_children():
                cluster = distributed.LocalCluster(
                    n_workers=self.count,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    protocol="tcp://" if certificates is None else "tls://",
                    security=None if certificates is None else certificates.security(),
                    memory_limit=memory,
                    dashboard_address=None,
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                    silence_logs=logging.CRITICAL,
                )
            patience = _CLOSING_AT_ONCE
            try:
                yield Opened(str(cluster.scheduler_address), _Reviver(cluster))
                patience = _CLOSING
            finally:
                # Workers that are still running end with this process.
                with suppress(TimeoutError):
                    cluster.close(timeout=patience)


class _Reviver:
    """Replaces workers that are gone. The library does not replace a worker that dies while it starts.

    Parameters
    ----------
    cluster : LocalCluster
    """

    def __init__(self, cluster: Any):
        self._cluster = cluster
        self._gone: frozenset[object] = frozenset()
        self._busy = False

    def __call__(self) -> None:
        self._cluster.loop.add_callback(self._replace)

    async def _replace(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            workers = self._cluster.workers
            before, self._gone = self._gone, frozenset(name for name in workers if not workers[name].is_alive())
            # A worker that was also gone at the last check is not being restarted.
            for name in before & self._gone:
                with suppress(Exception):
                    await workers[name].close(timeout=1)
                workers.pop(name, None)
            await self._cluster._correct_state()
        finally:
            self._busy = False
