"""Starts workers as jobs of a batch system."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import LiteMedSamError
from ...system.optional import needed
from .site import SCHEDULING, Opened

if TYPE_CHECKING:
    from ...settings import EngineSettings
    from .certificates import Certificates

# Batch systems by their names in a file, and the classes of dask-jobqueue.
_SYSTEMS = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}


@dataclass(frozen=True)
class Jobs:
    """Jobs of a batch system, each with one worker. A file for dask-jobqueue describes them.

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
    def open(self, certificates: Certificates | None) -> Iterator[Opened]:
        """See `Site.open`; jobs are submitted, and cancelled at the end."""
        library = needed("dask_jobqueue", "cluster")
        import dask

        given: dict[str, Any] = {"processes": 1, **self.others}
        # One case at a time in each worker, computed with all cores of its job.
        given["worker_extra_args"] = ["--nthreads", "1", "--no-dashboard", *self.others.get("worker_extra_args", [])]
        given["scheduler_options"] = {"dashboard": False, **self.others.get("scheduler_options", {})}
        if certificates is not None:
            given.update(security=certificates.security(), protocol="tls://")
        with dask.config.set(SCHEDULING):
            try:
                cluster = getattr(library, _SYSTEMS[self.system])(cores=self.cores, silence_logs="critical", **given)
            except (TypeError, ValueError, OSError) as error:
                raise LiteMedSamError(
                    f"{self.source}: dask-jobqueue does not take it ({error})", "see its documents for the keys"
                ) from error
            try:
                _submit(cluster, self.jobs, self.source)
                # The library forgets a job some seconds after its worker left. Here the job is submitted again.
                revive = partial(cluster.loop.add_callback, cluster._correct_state)
                yield Opened(str(cluster.scheduler_address), revive)
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
