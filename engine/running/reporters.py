"""Shows the progress of a run, and keeps its reports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from ...errors import LiteMedSamError, readable

if TYPE_CHECKING:
    from ..reporting.case_report import CaseReport

# After writing the records took t seconds, the next writing waits 20·t.
_PAUSE = 20
_MINUTE = 60


class Reporter(Protocol):
    """Shows the user the progress of a run."""

    def started(self, cases: int) -> None:
        """Called once, with the number of cases that are not skipped."""
        ...

    def progress(self, case: Path) -> Callable[[int, int], None]:
        """Called before a case; the result is called with its (done, total) steps."""
        ...

    def finished(self, report: CaseReport) -> None:
        """Called after a case."""
        ...

    def skipped(self, case: Path) -> None:
        """Called for a case whose result exists."""
        ...

    def workers(self, count: int) -> None:
        """Called on a cluster when the number of workers that take cases has changed."""
        ...

    def remark(self, text: str) -> None:
        """Called with a note on the run for the user."""
        ...


class Pace:
    """The progress and the speed of a run.

    Parameters
    ----------
    cases : int

    Attributes
    ----------
    cases, done : int
    workers : int or None
        The number of workers that take cases; None if they are not counted.
    """

    def __init__(self, cases: int = 0):
        self.cases, self.done = cases, 0
        self.workers: int | None = None
        self._start = self._told = perf_counter()

    def due(self) -> bool:
        """Whether a minute has passed since this was last true."""
        now = perf_counter()
        due = now - self._told >= _MINUTE
        if due:
            self._told = now
        return due

    def text(self, left: bool = True) -> str:
        """Such as ``12 of 200, 2 workers, 3400 cases/h, 3:19 left``.

        Parameters
        ----------
        left : bool
            Whether to add the time left.
        """
        parts = [f"{self.done} of {self.cases}"]
        if self.workers is not None:
            parts.append(f"{self.workers} worker{'s' if self.workers != 1 else ''}")
            seconds = perf_counter() - self._start
            if self.done:
                parts.append(f"{3600 * self.done / seconds:.0f} cases/h")
                if left:
                    minutes, rest = divmod(round(seconds / self.done * (self.cases - self.done)), 60)
                    hours, minutes = divmod(minutes, 60)
                    parts.append(f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left")
        return ", ".join(parts)


class Lines:
    """One line per case; errors on the error stream."""

    def __init__(self, verbose: bool, quiet: bool):
        self.verbose = verbose
        self.quiet = quiet
        self._pace = Pace()

    def started(self, cases: int) -> None:
        """See `Reporter.started`."""
        self._pace = Pace(cases)

    def progress(self, case: Path) -> Callable[[int, int], None]:
        """See `Reporter.progress`."""
        return lambda done, total: None

    def finished(self, report: CaseReport) -> None:
        """See `Reporter.finished`."""
        if report.error:
            self._write(f"Error: {report.error}", sys.stderr)
        elif not self.quiet:
            for note in report.notes:
                self._write(f"Note: {note}", sys.stdout)
            self._write(f"{report.output}: {report.tally} in {report.seconds['total']:.2f} s", sys.stdout)
            if self.verbose:
                stages = (f"{name} {value:.3f}" for name, value in report.seconds.items() if name != "total")
                self._write(f"  {report.encoded} encoded; seconds: {', '.join(stages)}", sys.stdout)
        self._pace.done += 1
        if self._pace.workers is not None and not self.quiet and self._pace.due():
            self._write(self._pace.text(), sys.stdout)

    def skipped(self, case: Path) -> None:
        """See `Reporter.skipped`."""
        if not self.quiet:
            self._write(f"{case}: skipped, its result exists", sys.stdout)

    def workers(self, count: int) -> None:
        """See `Reporter.workers`."""
        self._pace.workers = count
        if not self.quiet:
            self._write(self._pace.text(), sys.stdout)

    def remark(self, text: str) -> None:
        """See `Reporter.remark`."""
        if not self.quiet:
            self._write(f"Note: {text}", sys.stdout)

    def _write(self, text: str, stream: TextIO) -> None:
        print(readable(text), file=stream, flush=True)


class Bar(Lines):
    """On a terminal, one bar over all cases and their steps, with the time that is left."""

    def __init__(self, verbose: bool, quiet: bool):
        super().__init__(verbose, quiet)
        from tqdm import tqdm

        self._make = tqdm
        self._bar: Any = None
        self._done = 0

    def started(self, cases: int) -> None:
        """See `Reporter.started`."""
        super().started(cases)
        # The mean pace of the whole run: cases differ in size.
        self._bar = self._make(
            total=cases,
            desc=self._pace.text(),
            leave=False,
            file=sys.stderr,
            smoothing=0,
            miniters=0,
            bar_format="{percentage:3.0f} % |{bar}| {desc}, {remaining} left",
        )

    def progress(self, case: Path) -> Callable[[int, int], None]:
        """See `Reporter.progress`."""
        text = readable(f"{self._done + 1} of {self._bar.total}, {case.name}")
        self._show(0.0, text)
        return lambda done, total: self._show(done / total, text)

    def finished(self, report: CaseReport) -> None:
        """See `Reporter.finished`."""
        self._done += 1
        super().finished(report)
        self._show(0.0, self._pace.text(left=False))
        if self._done == self._bar.total:
            self._bar.close()

    def workers(self, count: int) -> None:
        """See `Reporter.workers`."""
        self._pace.workers = count
        self._show(0.0, self._pace.text(left=False))

    def _show(self, share: float, text: str) -> None:
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(self._done + share - self._bar.n)

    def _write(self, text: str, stream: TextIO) -> None:
        self._make.write(readable(text), file=stream)


class Record:
    """Passes everything to another reporter, keeps the reports, and has them recorded during the run.

    Parameters
    ----------
    tell : Reporter
    note : callable
        Called with all reports so far: at the start, and after a case unless the last call took long.

    Attributes
    ----------
    reports : list of CaseReport
        In the order in which cases were finished.
    left_out : list of Path
        Skipped cases.
    """

    def __init__(self, tell: Reporter, note: Callable[[list[CaseReport]], None]):
        self.tell = tell
        self.note = note
        self.reports: list[CaseReport] = []
        self.left_out: list[Path] = []
        self._not_before = 0.0

    def started(self, cases: int) -> None:
        """See `Reporter.started`."""
        self._note()
        self.tell.started(cases)

    def progress(self, case: Path) -> Callable[[int, int], None]:
        """See `Reporter.progress`."""
        return self.tell.progress(case)

    def finished(self, report: CaseReport) -> None:
        """See `Reporter.finished`."""
        self.reports.append(report)
        # A record that cannot be written now does not stop the run. The last attempt, after all cases, raises.
        with suppress(LiteMedSamError):
            self._note()
        self.tell.finished(report)

    def _note(self) -> None:
        start = perf_counter()
        if start >= self._not_before:
            self.note(self.reports)
            end = perf_counter()
            self._not_before = end + _PAUSE * (end - start)

    def skipped(self, case: Path) -> None:
        """See `Reporter.skipped`."""
        self.left_out.append(case)
        self.tell.skipped(case)

    def workers(self, count: int) -> None:
        """See `Reporter.workers`."""
        self.tell.workers(count)

    def remark(self, text: str) -> None:
        """See `Reporter.remark`."""
        self.tell.remark(text)


def reporter(verbose: bool, quiet: bool) -> Reporter:
    """A bar on a terminal, lines otherwise."""
    return Bar(verbose, quiet) if sys.stderr.isatty() and not quiet else Lines(verbose, quiet)
