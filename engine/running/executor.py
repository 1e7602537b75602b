"""Runs the cases of a cohort: the interface, and this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .case_run import run_case

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..reporting.case_report import CaseReport
    from .options import Options
    from .reporters import Reporter


class Executor(Protocol):
    """Segments the cases of a run. All executors write the same bytes."""

    def reports(self, cases: Sequence[Path], options: Options, tell: Reporter) -> Iterator[CaseReport]:
        """Segment cases and write their results.

        Parameters
        ----------
        cases : sequence of Path
        options : Options
        tell : Reporter
            Its `progress` is called if the steps of a case can be followed.

        Yields
        ------
        CaseReport
            Of each case, as soon as the case is finished; in any order.
        """
        ...


@dataclass(frozen=True)
class Local:
    """This process, one case after the other.

    Attributes
    ----------
    predictor : Predictor
    """

    predictor: Predictor

    def reports(self, cases: Sequence[Path], options: Options, tell: Reporter) -> Iterator[CaseReport]:
        """See `Executor.reports`."""
        for case in cases:
            yield run_case(self.predictor, case, options, tell.progress(case))
