"""Merges the records of the parts of a cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LiteMedSamError, readable
from ..reporting.run_info import RunInfo
from .parts import Part, parts_recorded
from .records import RecordKeeper
from .resume import check_page, read_report, read_run, read_table

if TYPE_CHECKING:
    from ..reporting.case_report import CaseReport
    from .records import Records


@dataclass(frozen=True)
class Merged:
    """The merged records of the parts.

    Attributes
    ----------
    reports : list of CaseReport
        In the order of the cases; a case that no record lists is missing.
    info : RunInfo or None
        None if the parts have only tables.
    notes : tuple of str
        Which parts left no record, and how their settings differ.
    """

    reports: list[CaseReport]
    info: RunInfo | None
    notes: tuple[str, ...]

    def write(self, records: Records, cases: Sequence[Path]) -> None:
        """Write the records of the whole.

        Raises
        ------
        LiteMedSamError
            When a file cannot be written.
        """
        if self.info is None:
            from ..reporting.tables import write_table

            if records.table is not None:
                write_table(records.table, self.reports)
            return
        keeper = RecordKeeper(records, self.info, cases)
        keeper.note(self.reports)
        keeper.finish(self.reports)


def merged(records: Records, cases: Sequence[Path], done: Callable[[Path], bool]) -> Merged:
    """Merge the records of all parts; `Part.record` gives their names.

    If several reports list a case, one without an error is preferred, then the newest. Records of an earlier merge, or
    of a run over the whole cohort, count as well.

    Parameters
    ----------
    records : Records
        Of the whole, with a report or a table.
    cases : sequence of Path
        The whole cohort.
    done : callable
        Whether the result of a case exists. If it does not, its report is ignored.

    Returns
    -------
    Merged

    Raises
    ------
    LiteMedSamError
        When no part left a record, a file is no record, or the parts do not belong together.
    """
    main, read = records.report, read_report
    if main is None:
        main, read = records.table, read_table
    if main is None:
        raise LiteMedSamError("neither a report nor a table is to be merged", "name one with --report or --csv")
    if records.page is not None:
        check_page(records.page)
    if records.report is not None and records.table is not None:
        # Only refuses a file that is no table. The report has more details.
        read_table(records.table)
    parts = parts_recorded(main)
    if not parts and main.exists():
        # The only part is the whole.
        parts = {main: Part()}
    if not parts:
        raise LiteMedSamError(
            f"{main}: no part left a record beside it, such as {Part(1, 2).record(main).name}",
            "give the same --report and --csv as to the parts",
        )
    newest_last = sorted({path for path in (*parts, main) if path.exists()}, key=lambda path: path.stat().st_mtime_ns)
    found = _best(report for path in newest_last for report in read(path))
    reports = [
        found[name] for case in cases if (name := readable(str(case))) in found and (found[name].error or done(case))
    ]
    infos = [info for path in parts if records.report is not None and (info := read_run(path)) is not None]
    notes = [*_absent(parts.values()), *_unlike(infos)]
    return Merged(reports, RunInfo.of_parts(infos) if infos else None, tuple(notes))


def _best(reports: Iterable[CaseReport]) -> dict[str, CaseReport]:
    """The preferred report of each case. The reports come from the oldest to the newest."""
    found: dict[str, CaseReport] = {}
    for report in reports:
        name = readable(report.case)
        if name not in found or found[name].error or not report.error:
            found[name] = report
    return found


def _absent(parts: Iterable[Part]) -> list[str]:
    """Notes on parts without a record, if other parts of the same division have one."""
    numbers: dict[int, set[int]] = {}
    for part in parts:
        numbers.setdefault(part.count, set()).add(part.number)
    return [
        f"{Part(number, count)} left no record"
        for count, present in numbers.items()
        for number in range(1, count + 1)
        if number not in present
    ]


def _unlike(infos: Sequence[RunInfo]) -> list[str]:
    precisions = sorted({info.precision for info in infos})
    if len(precisions) < 2:
        return []
    return [
        f"the parts were computed in {' and '.join(precisions)}, as their processors differ; "
        "--precision f32 gives the same masks on all"
    ]
