"""Several cases at once, each worker with a model of its own."""

import os
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from ..predictor import Predictor
from ..reporting.case_report import CaseReport
from ..system.resources import keep_within, memory_limit, resident_memory
from .run import Lines, Options, Reporter, run, waiting

# One per worker process, made when it starts.
_predictors: list[Predictor] = []


def _start(settings: Mapping[str, Any], memory: int | None) -> None:
    # The parent decides when to stop; where it ends at once, so do its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_within(memory)
    _predictors[:] = [Predictor(**settings)]


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)


class _Silent(Lines):
    """Says nothing; the parent does."""

    def __init__(self):
        super().__init__(verbose=False, quiet=True)

    def finished(self, report: CaseReport) -> None:
        """See `Reporter.finished`."""


def _work(case: Path, options: Options) -> list[CaseReport]:
    return run(_predictors[0], [case], options, _Silent())


def run_parallel(
    settings: Mapping[str, Any], workers: int, cases: list[Path], options: Options, tell: Reporter
) -> list[CaseReport]:
    """As `run`, with several processes; the results are the same, byte for byte.

    Parameters
    ----------
    settings : mapping of str to object
        Arguments of each worker's `Predictor`; its threads and its memory are needed once per worker. What this
        process leaves of the container's memory is divided between them.
    workers : int
        At least 1.
    cases, options, tell
        See `run`.

    Returns
    -------
    list of CaseReport
        In the order of the cases.
    """
    left = waiting(cases, options, tell)
    tell.started(len(left))
    if not left:
        return []
    workers = min(workers, len(left))
    limit = memory_limit()
    part = None if limit is None else max(limit - resident_memory(), 0) // workers
    reports: dict[Path, CaseReport] = {}
    start = partial(_start, dict(settings), part)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=start)
    try:
        futures = {pool.submit(_work, case, options): case for case in left}
        for future in as_completed(futures):
            case = futures[future]
            reports[case] = _outcome(future, case)
            tell.finished(reports[case])
    finally:
        # After an interruption no further case is begun.
        pool.shutdown(wait=True, cancel_futures=True)
    return [reports[case] for case in left]


def _outcome(future: Future, case: Path) -> CaseReport:
    try:
        (report,) = future.result()
    except BrokenProcessPool:
        return CaseReport(
            case=str(case), error=f"{case}: a worker died, perhaps for want of memory; use fewer --workers"
        )
    return report
