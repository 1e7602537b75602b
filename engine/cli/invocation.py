"""One call of the command: its options as objects, and the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from ...atomic import make_output_folder, remove_left_over
from ...errors import readable
from ...inputs import InputFiles
from ..bundle.info import default_bundle
from ..inference.graphs import Graphs
from ..inference.streams import Growing
from ..io.dicom.format import Dicom
from ..io.formats import FORMATS
from ..objects.sources import GivenBoxes, ObjectSource, StoredBoxes
from ..predictor import Predictor
from ..reporting.run_info import RunInfo
from ..running.cohort import LeftOut, distinct, gather
from ..running.executor import Executor, Local
from ..running.options import Existing, Options
from ..running.outputs import Film, MaskFolder, Output, Picture
from ..running.records import RecordKeeper, Records
from ..running.reporters import Record, reporter
from ..running.run import output_paths, remove_left_over_results, run
from ..scan.intensity import scaling_named

if TYPE_CHECKING:
    from ..reporting.case_report import CaseReport
    from ..settings import EngineSettings


def _objects(given: Mapping[str, Any]) -> ObjectSource:
    # Each source is imported where it is asked for, so that a short run starts sooner.
    world = given["box_space"] == "world"
    source: ObjectSource = StoredBoxes()
    if given["boxes"]:
        source = GivenBoxes(given["boxes"], world)
    elif given["boxes_file"] is not None:
        from ..objects.json_file import BoxesFile

        source = BoxesFile(given["boxes_file"], world)
    elif given["mask"] is not None:
        from ..objects.masks import MaskBoxes

        source = MaskBoxes(given["mask"], given["pieces"], given["margin"])
    if given["clip"]:
        from ..objects.clipped import ClippedBoxes

        source = ClippedBoxes(source)
    if given["scribbles"] is not None:
        from ..objects.masks import WithScribbles

        source = WithScribbles(source, given["scribbles"])
    return source


def _options(given: Mapping[str, Any], subfolders: Mapping[Path, Path]) -> Options:
    overlay, existing = given["overlay"], Existing.KEEP
    if given["overwrite"] or given["skip_existing"]:
        existing = Existing.REPLACE if given["overwrite"] else Existing.SKIP
    drawn = overlay is not None or given["page"] is not None
    kind = None if given["format_name"] is None else FORMATS[given["format_name"]]
    drawings: list[Output] = [Picture()] if drawn else []
    drawings += [Film(overlay)] if overlay in ("gif", "mp4") else []
    drawings += [MaskFolder()] if given["separate"] else []
    return Options(
        given["output"],
        _objects(given),
        None if given["window"] is None else scaling_named(given["window"]),
        given["time_point"],
        given["spacing"],
        kind,
        tuple(drawings),
        existing,
        subfolders,
        dicom=Dicom(given["series"], given["allow_uneven"]),
    )


def _left_out(given: Mapping[str, Any]) -> LeftOut:
    """What lies in a searched folder and is no case: results, and what the objects are taken from."""
    options = {"boxes_file": "--boxes", "mask": "--boxes-from", "scribbles": "--scribbles"}
    named = {given[name]: f"since {option} names it" for name, option in options.items() if given[name] is not None}
    return LeftOut({given["output"]: "since results go there", **named})


def _check_outputs(given: Mapping[str, Any], cases: Sequence[Path], options: Options, records: Records) -> None:
    """Refuse a run that would write onto the files that it reads, or twice onto the same file."""
    named = (given["boxes_file"], given["mask"], given["scribbles"], given["model"])
    inputs = InputFiles([*cases, *(path for path in named if path is not None)])
    results = output_paths(cases, options)
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
        cls, given: Mapping[str, Any], settings: EngineSettings, graphs: Graphs | None, seconds: float
    ) -> Invocation:
        """The run that some options ask for.

        Parameters
        ----------
        given : mapping of str to object
            The command's parameters by name, checked by `litemedsam.engine.cli.usage.check_usage`.
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
        left_out = _left_out(given)
        cases, subfolders = gather(given["cases"], given["folder"], given["stack"], left_out)
        options = distinct(cases, _options(given, subfolders))
        records = Records(given["report"], given["table"], given["page"])
        _check_outputs(given, cases, options, records)
        earlier = records.earlier()
        if options.existing is not Existing.SKIP:
            earlier = []
        make_output_folder(options.output)
        remove_left_over_results(cases, options)
        remove_left_over(records.paths)
        start = perf_counter()
        workers = min(given["workers"], len(cases))
        settings = settings.shared_by(workers)
        if graphs is None:
            graphs = Graphs.open(
                settings.bundle or default_bundle(), settings.backend, settings.precision, settings.processors
            )
        predictor = Predictor.of(settings, graphs, Growing(settings.processors, many=len(cases) > 1))
        seconds += perf_counter() - start
        info = RunInfo.of(settings, graphs.bundle, graphs.info, graphs.choice, seconds)
        executor: Executor = Local(predictor)
        if workers > 1:
            from ..running.processes import Processes

            executor = Processes(settings, workers)
        keeper = RecordKeeper(records, info, cases, earlier)
        return cls(executor, cases, options, keeper, left_out.notes, given["verbose"], given["quiet"])

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
        if len(self.cases) > 1 and not self.quiet:
            from ..reporting.summary import summary

            click.echo(readable(summary(self.cases, reports, tell.left_out)))
        return reports
