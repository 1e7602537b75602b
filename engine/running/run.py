"""Runs many cases. A case that fails is reported, and the others continue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic import remove_left_over
from ...errors import LiteMedSamError
from .options import Existing, Options
from .outputs import possible_paths

if TYPE_CHECKING:
    from ..reporting.case_report import CaseReport
    from .executor import Executor
    from .reporters import Reporter


def run(executor: Executor, cases: Sequence[Path], options: Options, tell: Reporter) -> list[CaseReport]:
    """Segment cases and write their results.

    Parameters
    ----------
    executor : Executor
    cases : sequence of Path
    options : Options
    tell : Reporter

    Returns
    -------
    list of CaseReport
        One per case that was not skipped, in the order of the cases. A failed case has an `error` and no result.
    """
    waiting = []
    for case in cases:
        if options.existing is Existing.SKIP and has_result(case, options):
            tell.skipped(case)
        else:
            waiting.append(case)
    tell.started(len(waiting))
    reports = {}
    for report in executor.reports(waiting, options, tell):
        tell.finished(report)
        reports[report.case] = report
    return [reports[str(case)] for case in waiting]


def has_result(case: Path, options: Options) -> bool:
    """Whether the label map of a case exists. It is written last, so the case is complete then."""
    try:
        return options.target(case).exists()
    except LiteMedSamError:
        # The run reports this error at the case's turn.
        return False


def remove_left_over_results(cases: Sequence[Path], options: Options) -> None:
    """Remove the half-written results of these cases that a killed run left; see `remove_left_over`."""
    remove_left_over(possible_paths(_targets(cases, options)))


def output_paths(cases: Sequence[Path], options: Options) -> list[Path]:
    """All files that a run writes for its cases."""
    return [
        path
        for target in _targets(cases, options)
        for path in (target, *(output.path(target) for output in options.drawings))
    ]


def _targets(cases: Sequence[Path], options: Options) -> list[Path]:
    targets = []
    for case in cases:
        try:
            targets.append(options.target(case))
        except LiteMedSamError:
            # The run reports this error at the case's turn.
            continue
    return targets
