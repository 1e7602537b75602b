"""One call of the command: its options as objects, and the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from ...atomic import make_output_folder, remove_left_over
from ...errors import readable
from ...inputs import InputFiles
from ..reporting.run_info import RunInfo
from ..running.options import Existing
from ..running.records import RecordKeeper, Records
from ..running.reporters import Record, reporter
from ..running.run import output_paths, remove_left_over_results, run

if TYPE_CHECKING:
    from ..inference.graphs import Graphs
    from ..reporting.case_report import CaseReport
    from ..running.executor import Executor
    from ..running.options import Options
    from ..settings import EngineSettings
    from .selection import Selection


def check_outputs(given: Mapping[str, Any], selection: Selection, records: Records) -> None:
    """Refuse a run that would write onto the files that the cohort is read from, or twice onto the same file.

    Parameters
    ----------
    given : mapping of str to object
        The command's parameters by name.
    selection : Selection
    records : Records
        To be written by this run.

    Raises
    ------
    LiteMedSamError, click.UsageError
    """
    named = (given["boxes_file"], given["mask"], given["scribbles"], given["model"])
    inputs = InputFiles([*selection.cohort, *(path for path in named if path is not None)])
    results = output_paths(selection.cohort, selection.options)
    for path in records.paths:
        inputs.refuse(path, "give the record another name")
    for path in results:
        inputs.refuse(path, "give another folder with -o")
    seen: set[Path] = set()
    for path in (*records.paths, *results):
        # A link in the place of an output is replaced, not followed.
        place = path.parent.resolve() / path.name
        if place in seen:
            raise click.UsageError(f"{path}: would be written twice by this run; give each output another name")
        seen.add(place)


@dataclass(frozen=True)
class Invocation:
    """A run that is ready to begin.

    Attributes
    ----------
    executor : Executor
    cases : list of Path
    options : Options
    keeper : RecordKeeper
    notes : tuple of str
        About the choice of cases.
    verbose, quiet : bool
    """

    executor: Executor
    cases: list[Path]
    options: Options
    keeper: RecordKeeper
    notes: tuple[str, ...]
    verbose: bool
    quiet: bool

    @classmethod
    def of(
        cls,
        given: Mapping[str, Any],
        selection: Selection,
        settings: EngineSettings,
        graphs: Graphs | None,
        seconds: float,
    ) -> Invocation:
        """The run that some options ask for.

        Parameters
        ----------
        given : mapping of str to object
            The command's parameters by name, checked by `litemedsam.engine.cli.usage.check_usage`.
        selection : Selection
            The same options' cases.
        settings : EngineSettings
        graphs : Graphs or None
            Opened before; None for several workers.
        seconds : float
            Spent on that.

        Returns
        -------
        Invocation

        Raises
        ------
        LiteMedSamError
            For cases, bundles and settings that do not make sense.
        """
        part, options, cases = selection.part, selection.options, selection.cases
        records = selection.records.of_part(part)
        check_outputs(given, selection, records)
        earlier = records.earlier()
        if options.existing is not Existing.SKIP:
            earlier = []
        make_output_folder(options.output)
        remove_left_over_results(cases, options)
        remove_left_over(records.paths)
        start = perf_counter()
        # Late, because looking back at a cohort needs no predictor.
        from .workplace import Workplace

        workplace = Workplace.of(given, settings, graphs, cases)
        seconds += perf_counter() - start
        info = RunInfo.of(workplace.settings, workplace.graphs.bundle, workplace.graphs.info, workplace.choice, seconds)
        keeper = RecordKeeper(records, info, cases, earlier)
        notes = selection.notes
        if not part.whole:
            notes = (*notes, f"{part}: {len(cases)} of {len(selection.cohort)} cases")
        notes = (*notes, *workplace.notes)
        return cls(workplace.executor, cases, options, keeper, notes, given["verbose"], given["quiet"])

    def run(self) -> list[CaseReport]:
        """Work on the cases and keep the records.

        Raises
        ------
        LiteMedSamError
            When a record cannot be written.
        """
        for note in () if self.quiet else self.notes:
            click.echo(readable(f"Note: {note}"))
        tell = Record(reporter(self.verbose, self.quiet), self.keeper.note)
        try:
            reports = run(self.executor, self.cases, self.options, tell)
        finally:
            # Also when the run is stopped, so that the next run can continue it.
            self.keeper.note(tell.reports)
        self.keeper.finish(reports)
        if len(self.cases) > 1:
            # A worker that was killed while it wrote has left a part, though another one has done its case.
            remove_left_over_results(self.cases, self.options)
            if not self.quiet:
                from ..reporting.summary import summary

                click.echo(readable(summary(self.cases, reports, tell.left_out)))
        return reports
