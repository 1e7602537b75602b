"""Segments one case of a run, writes its results and reports on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LiteMedSamError, readable
from ..reporting.case_report import CaseReport
from ..system.stopwatch import Stopwatch
from .job import SegmentedScan, segment_file
from .options import Existing, Options
from .outputs import LabelMap

if TYPE_CHECKING:
    from ..inference.case_segmenter import Progress
    from ..predictor import Predictor


def run_case(predictor: Predictor, case: Path, options: Options, progress: Progress) -> CaseReport:
    """Segment a case and write its results.

    Parameters
    ----------
    predictor : Predictor
    case : Path
    options : Options
    progress : callable
        Called with (done, total) steps.

    Returns
    -------
    CaseReport
        If the case failed, it has an `error`, and no result was written.
    """
    try:
        return _segmented(predictor, case, options, progress)
    except LiteMedSamError as error:
        text = str(error)
        return CaseReport(case=str(case), error=text if readable(str(case)) in text else f"{case}: {text}")
    except MemoryError:
        return CaseReport(case=str(case), error=f"{case}: not enough memory for this case")


def _segmented(predictor: Predictor, case: Path, options: Options, progress: Progress) -> CaseReport:
    watch = Stopwatch()
    with watch.stage("total"):
        target = options.target(case)
        _check_target(case, target, options)
        done = segment_file(predictor, options.request(case), progress, watch)
        _write(case, target, options, done, watch)
    values = LabelMap(options.kind(case)).values(done)
    return CaseReport.of(done.prepared, done.result, target, watch.seconds, values, done.notes)


def _check_target(case: Path, target: Path, options: Options) -> None:
    if target.exists() and options.existing is not Existing.REPLACE:
        raise LiteMedSamError(f"{case}: {target} exists", "add --overwrite or --skip-existing")
    if not target.parent.resolve().is_relative_to(options.output.resolve()):
        raise LiteMedSamError(
            f"{case}: its result would leave {options.output} through a link, to {target.parent.resolve()}",
            "give that folder itself with -o",
        )


def _write(case: Path, target: Path, options: Options, done: SegmentedScan, watch: Stopwatch) -> None:
    written: list[Path] = []
    try:
        for output in options.outputs(case):
            with watch.stage(output.stage):
                output.write(target, done)
            written.append(output.path(target))
    except LiteMedSamError:
        # Without a label map, the drawings would look like a result.
        for path in written:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise
