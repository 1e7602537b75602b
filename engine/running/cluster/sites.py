"""Where a cluster's workers come from: a scheduler that runs, processes of this machine, or jobs of a batch system."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ....errors import LiteMedSamError
from ...system.optional import needed
from ...system.resources import available_processors, memory_limit, resident_memory

if TYPE_CHECKING:
    from ...settings import EngineSettings
    from .certificates import Certificates

_FORMS = "tcp://HOST:PORT, tls://HOST:PORT, local:N or FILE.yaml"
# Batch systems by their names in a file, and the classes of dask-jobqueue.
_SYSTEMS = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}
# Nothing but scheduler and workers listens.
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
# For the workers to end by themselves, in seconds; after a signal, they are in the middle of cases.
_CLOSING, _CLOSING_AT_ONCE = 10, 1
# A case that ends its worker twice runs once more alone; no worker gets a case ahead of time.
_SCHEDULING = {
    "distributed.scheduler.allowed-failures": 1,
    "distributed.scheduler.worker-saturation": 1.0,
}


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


class Site(Protocol):
    """Where workers come from; names the scheduler for as long as it is open.

    Attributes
    ----------
    patience : float
        For how many seconds a run goes on without any worker.
    """

    @property
    def patience(self) -> float: ...

    def settings(self, settings: EngineSettings) -> EngineSettings:
        """The settings of each worker."""
        ...

    def first(self, cases: int) -> int:
        """How many workers to wait for before a run of some cases begins."""
        ...

    def open(self, certificates: Certificates | None) -> Any:
        """A context of the scheduler's address, at the end of which nothing is left that it started.

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
        """See `Site.settings`; without `threads`, each worker takes as many as it was started with."""
        return settings

    def first(self, cases: int) -> int:
        """See `Site.first`."""
        return 1

    @contextmanager
    def open(self, certificates: Certificates | None) -> Iterator[str]:
        """See `Site.open`; nothing is started."""
        encrypted = self.address.startswith("tls:")
        if encrypted and certificates is None:
            raise LiteMedSamError(f"{self.address}: needs certificates", "add --cluster-tls CA CERT KEY")
        if certificates is not None and not encrypted:
            raise LiteMedSamError(
                f"{self.address}: is not encrypted, so --cluster-tls has no effect", "give the address as tls://"
            )
        yield self.address


@dataclass(frozen=True)
class LocalWorkers:
    """Processes of this machine, reached through its loopback alone.

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
    def open(self, certificates: Certificates | None) -> Iterator[str]:
        """See `Site.open`; the workers divide the container's memory, too."""
        distributed = needed("distributed", "cluster")
        import dask

        limit = memory_limit()
        memory = "auto" if limit is None else max(limit - resident_memory(), 1) // self.count
        with dask.config.set({**_SCHEDULING, **_NO_PAGES}):
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
                yield str(cluster.scheduler_address)
                patience = _CLOSING
            finally:
                # Workers that have not ended by then end with this process.
                with suppress(TimeoutError):
                    cluster.close(timeout=patience)


@dataclass(frozen=True)
class Jobs:
    """Jobs of a batch system, each a worker; described by a file for dask-jobqueue.

    Attributes
    ----------
    system : str
        A key such as ``slurm``.
    jobs : int
        At least 1.
    cores : int
        Of each job, at least 1.
    others : mapping of str to object
        Further arguments of dask-jobqueue's class.
    source : str
        The file's name, for messages.
    """

    system: str
    jobs: int
    cores: int
    others: Mapping[str, Any]
    source: str
    # A job may wait in its queue for days.
    patience = float("inf")

    @classmethod
    def read(cls, path: Path) -> Jobs:
        """The jobs that a file describes.

        Raises
        ------
        LiteMedSamError
            When it cannot be read, or a key is missing or has an unexpected value.
        """
        yaml = needed("yaml", "cluster")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LiteMedSamError(f"{path}: cannot be read as YAML ({error})", "see docs/cohorts.md") from error
        if not isinstance(content, dict) or content.get("system") not in _SYSTEMS:
            raise LiteMedSamError(f"{path}: has no key system, expected one of {', '.join(_SYSTEMS)}")
        for key in ("jobs", "cores"):
            value = content.get(key)
            if type(value) is not int or value < 1:
                raise LiteMedSamError(f"{path}: {key} is {value!r}, expected a whole number of at least 1")
        if not isinstance(content.get("memory"), str):
            raise LiteMedSamError(f"{path}: memory is {content.get('memory')!r}, expected a text such as 8GB")
        others = {str(key): value for key, value in content.items() if key not in ("system", "jobs", "cores")}
        return cls(content["system"], content["jobs"], content["cores"], others, str(path))

    def settings(self, settings: EngineSettings) -> EngineSettings:
        """See `Site.settings`; each worker computes with the cores of its job."""
        return replace(settings, threads=settings.threads or self.cores)

    def first(self, cases: int) -> int:
        """See `Site.first`."""
        return 1

    @contextmanager
    def open(self, certificates: Certificates | None) -> Iterator[str]:
        """See `Site.open`; jobs are submitted, and cancelled at the end."""
        library = needed("dask_jobqueue", "cluster")
        import dask

        given: dict[str, Any] = {"processes": 1, "job_cpu": self.cores, **self.others}
        given["worker_extra_args"] = ["--no-dashboard", *self.others.get("worker_extra_args", [])]
        given["scheduler_options"] = {"dashboard": False, **self.others.get("scheduler_options", {})}
        if certificates is not None:
            given.update(security=certificates.security(), protocol="tls://")
        if self.system != "slurm":
            given.pop("job_cpu")
        with dask.config.set(_SCHEDULING):
            try:
                # One case at a time in each worker, computed with all cores of its job.
                cluster = getattr(library, _SYSTEMS[self.system])(cores=1, silence_logs="critical", **given)
            except (TypeError, ValueError, OSError) as error:
                raise LiteMedSamError(
                    f"{self.source}: dask-jobqueue does not take it ({error})", "see its documents for the keys"
                ) from error
            try:
                _submit(cluster, self.jobs, self.source)
                yield str(cluster.scheduler_address)
            finally:
                # Of jobs that were never submitted it cannot close.
                with suppress(AssertionError):
                    cluster.close()


def _submit(cluster: Any, jobs: int, source: str) -> None:
    # The library itself would log that a job cannot be submitted, and go on.
    logging.getLogger("tornado.application").setLevel(logging.CRITICAL)

    async def submit() -> None:
        cluster.scale(jobs=jobs)
        await cluster._correct_state()

    try:
        cluster.sync(submit)
    except (RuntimeError, OSError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise LiteMedSamError(
            f"{source}: its jobs cannot be submitted ({lines[-1][:160]})", "check its keys with your batch system"
        ) from error


def site_named(text: str) -> Site:
    """The site that a text names.

    Parameters
    ----------
    text : str
        The address of a scheduler, ``local:N``, or a file that ends with ``.yaml`` or ``.yml``.

    Raises
    ------
    LiteMedSamError
        When the text is none of these; or as `Jobs.read`.
    """
    if re.fullmatch(r"(tcp|tls)://(\[[0-9A-Fa-f:.%\w]+\]|[^\s/:\[\]]+):\d{1,5}", text, re.ASCII):
        return Running(text)
    match = re.fullmatch(r"local:(\d{1,4})", text, re.ASCII)
    if match is not None and int(match[1]):
        return LocalWorkers(int(match[1]))
    if text.lower().endswith((".yaml", ".yml")):
        return Jobs.read(Path(text))
    raise LiteMedSamError(f"cluster is {text!r}, expected {_FORMS}", f"on this machine, local:{available_processors()}")
