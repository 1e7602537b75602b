"""Runs several images at once in this process: one is read and encoded while masks of another are made and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from ...archive import open_archive
from ...errors import LiteMedSamError
from ..inference.streams import streams_of
from ..io.image import Image
from ..io.npz import Npz
from ..system.resources import spare_memory
from .case_run import run_case

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..reporting.case_report import CaseReport
    from .options import Options
    from .reporters import Reporter


class Stopped(Exception):
    """The run has ended before this case."""


def lanes_for(threads: int, cases: int) -> int:
    """The number of images to work on at once in this process; 1 for a single thread, or where memory is limited.

    There is one image more than are encoded at once. It is read or written meanwhile, so that no processor waits for a
    disk or for Python.

    Parameters
    ----------
    threads : int
        That compute.
    cases : int
        In the run.
    """
    streams = streams_of(threads)
    return min(streams + 1, max(cases, 1)) if streams > 1 and spare_memory() else 1


def is_image(case: Path) -> bool:
    """Whether a case is a single image, by a quick look at its file; False if the look does not tell."""
    suffix = case.suffix.lower()
    if suffix not in Npz.suffixes:
        return suffix in Image.suffixes and case.is_file()
    try:
        with open_archive(case) as archive:
            return bool(archive.read("boxes").shape[1:] == (4,))
    except (LiteMedSamError, KeyError, ValueError):
        # The run reports this error when it reads the case.
        return False


@dataclass(frozen=True)
class SideBySide:
    """This process, several images at once with one model in memory.

    Each image is computed by few threads, which wastes less than all threads on one image. Volumes keep all threads
    busy and need more memory, so they come one after the other, after the images.

    Attributes
    ----------
    predictor : Predictor
        Its streams suit that many images, see `litemedsam.engine.inference.streams.Growing`.
    lanes : int
        The number of images at once, at least 1.
    """

    predictor: Predictor
    lanes: int

    def reports(self, cases: Sequence[Path], options: Options, tell: Reporter) -> Iterator[CaseReport]:
        """See `litemedsam.engine.running.executor.Executor.reports`."""
        stopped, volumes = Event(), []
        pool = ThreadPoolExecutor(self.lanes)

        def go_on(done: int, total: int) -> None:
            if stopped.is_set():
                raise Stopped

        try:
            waiting: set[Future[CaseReport]] = set()
            for case in cases:
                if not is_image(case):
                    volumes.append(case)
                    continue
                # One for each lane, and one more that starts as soon as a lane is free.
                if len(waiting) > self.lanes:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                waiting.add(pool.submit(run_case, self.predictor, case, options, go_on))
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
            for case in volumes:
                yield run_case(self.predictor, case, options, tell.progress(case))
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)
