"""Runs cases in several processes on this machine; each loads its own model."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from ..inference.streams import Growing
from ..predictor import Predictor
from ..reporting.case_report import CaseReport
from ..system.resources import keep_within, memory_limit, resident_memory
from .case_run import run_case

if TYPE_CHECKING:
    from ..settings import EngineSettings
    from .options import Options
    from .reporters import Reporter

# One per worker process, made when it starts.
_predictors: list[Predictor] = []


def _start(settings: EngineSettings, memory: int | None) -> None:
    # The parent decides when to stop. If it dies, its workers end, too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_within(memory)
    _predictors[:] = [Predictor.of(settings, policy=Growing(settings.processors, many=True))]


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _work(case: Path, options: Options) -> CaseReport:
    return run_case(_predictors[0], case, options, lambda done, total: None)


@dataclass(frozen=True)
class Processes:
    """Worker processes, which divide this machine's processors and the container's memory.

    Attributes
    ----------
    settings : EngineSettings
        Of each worker's predictor. Every worker needs its threads and its memory.
    workers : int
        At least 1.
    """

    settings: EngineSettings
    workers: int

    def reports(self, cases: Sequence[Path], options: Options, tell: Reporter) -> Iterator[CaseReport]:
        """See `litemedsam.engine.running.executor.Executor.reports`."""
        workers = min(self.workers, len(cases))
        if not workers:
            return
        limit = memory_limit()
        part = None if limit is None else max(limit - resident_memory(), 0) // workers
        start = partial(_start, self.settings, part)
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=start)
        try:
            futures = {pool.submit(_work, case, options): case for case in cases}
            for future in as_completed(futures):
                yield _outcome(future, futures[future])
        finally:
            # After an interruption no further case is begun.
            pool.shutdown(wait=True, cancel_futures=True)


def _outcome(future: Future[CaseReport], case: Path) -> CaseReport:
    try:
        return future.result()
    except BrokenProcessPool:
        return CaseReport(
            case=str(case), error=f"{case}: a worker died, perhaps for want of memory; use fewer --workers"
        )
