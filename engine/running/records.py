"""The files that record a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .outputs import Picture

if TYPE_CHECKING:
    from ..reporting.case_report import CaseReport
    from ..reporting.run_info import RunInfo
    from .parts import Part


@dataclass(frozen=True)
class Records:
    """The paths of the files that record a run.

    Attributes
    ----------
    report, table, page : Path or None
        JSON, CSV and HTML.
    """

    report: Path | None = None
    table: Path | None = None
    page: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths that are given."""
        return tuple(path for path in (self.report, self.table, self.page) if path is not None)

    def of_part(self, part: Part) -> Records:
        """The records of one part; see `Part.record`."""
        return Records(*(path and part.record(path) for path in (self.report, self.table, self.page)))

    def earlier(self) -> list[CaseReport]:
        """The cases of an earlier run, read from the files that exist.

        A case may come twice. Its entry in the report comes last, because it is more detailed than that in the table.

        Raises
        ------
        LiteMedSamError
            When a file exists that is no record of a run. Such a file is never replaced.
        """
        if not self.paths:
            return []
        from .resume import check_page, read_report, read_table

        found = [] if self.table is None else read_table(self.table)
        found += [] if self.report is None else read_report(self.report)
        if self.page is not None:
            check_page(self.page)
        return found


@dataclass(frozen=True)
class RecordKeeper:
    """Writes the records of one run, any number of times.

    Attributes
    ----------
    records : Records
    info : RunInfo
    cases : sequence of Path
        All cases of the run, in the order of the records.
    earlier : sequence of CaseReport
        From an earlier run that this run continues.
    """

    records: Records
    info: RunInfo
    cases: Sequence[Path]
    earlier: Sequence[CaseReport] = ()

    def note(self, reports: Sequence[CaseReport]) -> None:
        """Write the report and the table of the cases finished so far.

        Raises
        ------
        LiteMedSamError
            When a file cannot be written.
        """
        if not self.records.paths:
            return
        from ..reporting.tables import write_report, write_table
        from .resume import with_earlier

        noted = with_earlier(self.cases, reports, self.earlier)
        if self.records.report is not None:
            write_report(self.records.report, self.info, noted)
        if self.records.table is not None:
            write_table(self.records.table, noted)

    def finish(self, reports: Sequence[CaseReport]) -> None:
        """Write the page. It comes last, because it contains the pictures of all cases. Raises as `note`."""
        if self.records.page is not None:
            from ..reporting.html import write_page
            from .resume import with_earlier

            noted = with_earlier(self.cases, reports, self.earlier)
            write_page(self.records.page, self.info, noted, _pictures(noted))


def _pictures(reports: Sequence[CaseReport]) -> dict[str, bytes]:
    """The PNG files of the pictures that exist, by the names of the cases."""
    paths = {report.case: Picture().path(Path(report.output)) for report in reports if not report.error}
    return {case: path.read_bytes() for case, path in paths.items() if path.is_file()}
