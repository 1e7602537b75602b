"""Many cases, one after the other: what fails is reported, the others go on."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Protocol

from ...atomic import remove_left_over
from ...errors import LiteMedSamError
from ..io.formats import Format, format_of, result_name, stem_of
from ..objects.placed import placed_prompts
from ..objects.sources import ObjectSource, StoredBoxes
from ..predictor import Predictor
from ..reporting.case_report import CaseReport
from ..reporting.overlay import write_film, write_overlay
from ..scan.intensity import Scaling
from ..scan.scan import prepare, with_spacing
from ..system.stopwatch import Stopwatch

# So many times as long as it took to write the notes they are not written again.
_PAUSE = 20


@dataclass(frozen=True)
class Options:
    """What to do with results.

    Attributes
    ----------
    output : Path
        Folder for them, made when absent.
    overlay : bool
        Also write a PNG beside each.
    overwrite : bool
        Replace those that exist.
    skip_existing : bool
        Leave out cases whose result exists.
    objects : ObjectSource
        Says what is to be segmented.
    scaling : Scaling or None
        How intensities become pixels; what is usual for the scan when None.
    frame : int or None
        Which time point of a series of volumes.
    format : Format or None
        Of the results; the scan's own when None.
    subfolders : mapping of Path to Path
        For some cases, where under `output` their results go.
    film : str
        ``gif`` or ``mp4`` to write the way through a volume's slices as well as the picture, else empty.
    spacing : sequence of float or None
        Of scans whose files do not tell theirs, see `with_spacing`.
    """

    output: Path
    overlay: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    objects: ObjectSource = field(default_factory=StoredBoxes)
    scaling: Scaling | None = None
    frame: int | None = None
    format: Format | None = None
    subfolders: Mapping[Path, Path] = field(default_factory=dict)
    film: str = ""
    spacing: Sequence[float] | None = None

    def target(self, case: Path) -> Path:
        """Where the result of a case goes.

        Raises
        ------
        LiteMedSamError
            When the case cannot be opened or is of no known kind.
        """
        kind = self.format or format_of(case)
        return self.output / self.subfolders.get(case, "") / result_name(case, kind)


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
            objects = f"{report.objects} object{'s' if report.objects != 1 else ''}"
            self._write(f"{report.output}: {objects} in {report.seconds['total']:.2f} s", sys.stdout)
            if self.verbose:
                stages = (f"{name} {value:.3f}" for name, value in report.seconds.items() if name != "total")
                self._write(f"  {report.encoded} encoded; seconds: {', '.join(stages)}", sys.stdout)

    def skipped(self, case: Path) -> None:
        """See `Reporter.skipped`."""
        if not self.quiet:
            self._write(f"{case}: skipped, its result exists", sys.stdout)

    def _write(self, text: str, stream) -> None:
        print(text, file=stream, flush=True)


class Bar(Lines):
    """On a terminal, one bar over all cases and their steps, with the time that is left."""

    def __init__(self, verbose: bool, quiet: bool):
        super().__init__(verbose, quiet)
        from tqdm import tqdm

        self._make = tqdm
        self._bar = None
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
        text = f"{self._done + 1} of {self._bar.total}, {case.name}"
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

    def _write(self, text: str, stream) -> None:
        self._make.write(text, file=stream)


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


def waiting(cases: list[Path], options: Options, tell: Reporter) -> list[Path]:
    """The cases that are not to be skipped."""
    left = []
    for case in cases:
        if options.skip_existing and _has_result(case, options):
            tell.skipped(case)
        else:
            left.append(case)
    return left


def _has_result(case: Path, options: Options) -> bool:
    try:
        return options.target(case).exists()
    except LiteMedSamError:
        # Reported when its turn comes.
        return False


def run(predictor: Predictor, cases: list[Path], options: Options, tell: Reporter) -> list[CaseReport]:
    """Segment cases and write their results.

    Parameters
    ----------
    predictor : Predictor
    cases : list of Path
    options : Options
    tell : Reporter

    Returns
    -------
    list of CaseReport
        Of every case that was not skipped; those with an `error` have no result.
    """
    reports = []
    left = waiting(cases, options, tell)
    tell.started(len(left))
    for path in left:
        try:
            report = _one(predictor, path, options.target(path), options, tell.progress(path))
        except LiteMedSamError as error:
            text = str(error)
            report = CaseReport(case=str(path), error=text if str(path) in text else f"{path}: {text}")
        except MemoryError:
            report = CaseReport(case=str(path), error=f"{path}: not enough memory for this case")
        tell.finished(report)
        reports.append(report)
    return reports


def _one(
    predictor: Predictor, path: Path, target: Path, options: Options, progress: Callable[[int, int], None]
) -> CaseReport:
    watch = Stopwatch()
    with watch.stage("total"):
        if target.exists() and not options.overwrite:
            raise LiteMedSamError(f"{path}: {target} exists", "add --overwrite or --skip-existing")
        if not target.parent.resolve().is_relative_to(options.output.resolve()):
            raise LiteMedSamError(
                f"{path}: its result would leave {options.output} through a link, to {target.parent.resolve()}",
                "give that folder itself with -o",
            )
        with watch.stage("read"):
            scan = with_spacing(format_of(path).read(path, options.frame), options.spacing)
            prepared = prepare(scan, options.objects.objects(path, scan), options.scaling)
        prompts = placed_prompts(prepared, predictor.prompts, predictor.network.info)
        result = predictor.segment_case(prepared.case, progress, prompts)
        drawn = []
        if options.overlay:
            with watch.stage("overlay"):
                picture = picture_path(target)
                write_overlay(picture, prepared.case, result.labels, prepared.view)
                drawn.append(picture)
                if options.film and prepared.case.is_volume:
                    drawn.append(picture.with_suffix(f".{options.film}"))
                    write_film(drawn[-1], options.film, prepared.case, result.labels, prepared.view)
        # The result comes last: where it is there, the case is done.
        try:
            with watch.stage("write"):
                (options.format or format_of(path)).write(
                    target, prepared.restore(result.labels), scan, prepared.objects.names
                )
        except LiteMedSamError:
            for picture in drawn:
                picture.unlink(missing_ok=True)
            raise
    return CaseReport.of(prepared, result, target, watch.seconds)


def remove_left_over_results(cases: list[Path], options: Options) -> None:
    """Remove what an earlier run that was killed left of the results of these cases; see `remove_left_over`."""
    files = []
    for case in cases:
        try:
            target = options.target(case)
        except LiteMedSamError:
            # Reported when its turn comes.
            continue
        picture = picture_path(target)
        files += [target, picture, picture.with_suffix(".gif"), picture.with_suffix(".mp4")]
    remove_left_over(files)


def picture_path(target: Path) -> Path:
    """Where the overlay of a result goes: beside it, never onto it."""
    stem = stem_of(target.name)
    return target.with_name(f"{stem}.overlay.png" if target.suffix in (".png", ".tif") else f"{stem}.png")


def pictures(reports: list[CaseReport]) -> dict[str, bytes]:
    """The overlays of a run by the cases' names, as PNG files; those that are not there any more are left out."""
    paths = {report.case: picture_path(Path(report.output)) for report in reports if not report.error}
    return {case: path.read_bytes() for case, path in paths.items() if path.is_file()}
