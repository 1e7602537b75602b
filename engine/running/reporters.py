"""What a user sees of a run, and what is kept of it."""

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

# After writing the notes took t seconds, the next writing waits 20·t.
_PAUSE = 20


class Reporter(Protocol):
    """Tells the user how a run goes."""

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


class Lines:
    """One line per case; errors on the error stream."""

    def __init__(self, verbose: bool, quiet: bool):
        self.verbose = verbose
        self.quiet = quiet

    def started(self, cases: int) -> None:
        """See `Reporter.started`."""

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

    def skipped(self, case: Path) -> None:
        """See `Reporter.skipped`."""
        if not self.quiet:
            self._write(f"{case}: skipped, its result exists", sys.stdout)

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
        # The mean pace of the whole run: cases differ in size.
        self._bar = self._make(
            total=cases,
            desc=f"0 of {cases}",
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
        self._show(0.0, f"{self._done} of {self._bar.total}")
        if self._done == self._bar.total:
            self._bar.close()

    def _show(self, share: float, text: str) -> None:
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(self._done + share - self._bar.n)

    def _write(self, text: str, stream: TextIO) -> None:
        self._make.write(readable(text), file=stream)


class Record:
    """Another reporter that also keeps what it was told, and has it noted as the run goes.

    Parameters
    ----------
    tell : Reporter
    note : callable
        Given all reports so far; called at the start and after a case, unless it has just taken long.

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
        # A record that cannot be written now stops no run: the last attempt, after all cases, raises.
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


def reporter(verbose: bool, quiet: bool) -> Reporter:
    """A bar on a terminal, lines otherwise."""
    return Bar(verbose, quiet) if sys.stderr.isatty() and not quiet else Lines(verbose, quiet)
