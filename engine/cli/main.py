"""``litemedsam-infer``: cases in, label maps out."""

import os
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from ... import __version__
from ...atomic import make_output_folder, remove_left_over
from ...errors import LiteMedSamError
from ..system.stopping import orderly_stop

if TYPE_CHECKING:
    from ..inference.graphs import Graphs


def _check_one_source(**given: object) -> None:
    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join(named)} exclude each other")


class _Numbers(click.ParamType):
    """One of some forms of numbers with commas between, such as ``x,y``."""

    def __init__(self, name: str, forms: tuple[str, ...], example: str):
        self.name = name
        self.forms = forms
        self.example = example

    def convert(self, value, param, ctx):
        """See `click.ParamType.convert`."""
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers with commas between, as in {self.example}", param, ctx)
        if len(numbers) not in [form.count(",") + 1 for form in self.forms]:
            self.fail(f"{value!r} has {len(numbers)} numbers, expected {' or '.join(self.forms)}", param, ctx)
        return numbers


_BOX = _Numbers("x0,y0[,z0],x1,y1[,z1]", ("x0,y0,x1,y1", "x0,y0,z0,x1,y1,z1"), "10,20,60,80")
_SPACING = _Numbers("x,y[,z]", ("x,y", "x,y,z"), "0.5,0.5,3")


class _Command(click.Command):
    """A command whose ``--overlay`` may stand without a value, even before a case."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        given: list[str] = []
        for argument in args:
            if given[-1:] == ["--overlay=png"] and argument in ("png", "gif", "mp4"):
                given[-1] = f"--overlay={argument}"
            else:
                given.append("--overlay=png" if argument == "--overlay" else argument)
        return super().parse_args(ctx, given)


def _graphs_ahead(
    cases: tuple[Path, ...],
    folder: Path | None,
    given: tuple[tuple[float, ...], ...],
    model: Path | None,
    backend: str,
    precision: str,
    threads: int | None,
) -> "Graphs":
    """Open the graphs, and begin to load them for what the first case probably is."""
    from ..bundle.info import default_bundle
    from ..inference.graphs import Graphs
    from ..system.resources import available_processors, spare_memory, streams_for
    from .preload import likely_kind

    graphs = Graphs.open(model or default_bundle(), backend, precision, threads or available_processors())
    if spare_memory():
        graphs.begin(*streams_for(graphs.threads, *likely_kind(cases, folder, given)))
    return graphs


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cases", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-i",
    "--input",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of npz cases, or of scans, instead of files.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default="outputs", show_default=True, help="Folder for results."
)
@click.option("--box", "given", type=_BOX, multiple=True, help="A box, ends included; may be repeated.")
@click.option("--boxes", "boxes_file", type=click.Path(path_type=Path), help="JSON file of boxes, or a folder of them.")
@click.option("--boxes-from", "mask", type=click.Path(path_type=Path), help="Mask whose labels are boxed, or a folder.")
@click.option("--pieces", is_flag=True, help="With --boxes-from: each connected piece is an object.")
@click.option("--margin", type=click.IntRange(0), default=0, help="With --boxes-from: voxels to grow boxes by.")
@click.option("--scribbles", type=click.Path(path_type=Path), help="Mask with a stroke of value k on object k.")
@click.option(
    "--box-space",
    type=click.Choice(["voxel", "world"]),
    default="voxel",
    show_default=True,
    help="Boxes count voxels along the file's own axes, or are millimetres (RAS).",
)
@click.option("--window", help="abdomen, lung, brain, bone, mediastinum, LEVEL,WIDTH, percentiles or none.")
@click.option("--stack", is_flag=True, help="A folder of pictures is one volume, each picture a slice.")
@click.option("--spacing", type=_SPACING, help="In mm, of pictures and stacks, which do not tell their own.")
@click.option("--frame", type=click.IntRange(0), help="Time point of a 4D scan, page of a TIFF.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["npz", "nifti", "dicom", "png", "slices"]),
    help="Kind of the results; that of the scan when absent.",
)
@click.option("--model", type=click.Path(path_type=Path), help="Bundle folder; the default model when absent.")
@click.option(
    "--backend", type=click.Choice(["openvino", "onnxruntime"]), default="openvino", show_default=True, help="Runtime."
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "f32", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="Arithmetic; `f32` gives the same masks on every machine, `auto` takes the fastest that loses nearly nothing.",
)
@click.option(
    "--protocol",
    type=click.Choice(["corrected", "published"]),
    default="corrected",
    show_default=True,
    help="How boxes and slices are treated; `published` repeats the model's published script.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Cases to work on at once.")
@click.option("--threads", type=click.IntRange(1), help="Threads to compute with; all that may be used when absent.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the automatic prompts.")
@click.option(
    "--cache-mb", type=click.FloatRange(0), default=512, show_default=True, help="Most memory for embeddings."
)
@click.option(
    "--overlay",
    type=click.Choice(["png", "gif", "mp4"]),
    metavar="[png|gif|mp4]",
    help="Also write a PNG of image, boxes and masks beside each result, and a way through the slices on request.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Write what was done, with seconds per stage, as JSON.")
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Write one line per object: volume, score, box.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one page with all of it; adds --overlay.")
@click.option("--overwrite", is_flag=True, help="Replace results that exist.")
@click.option("--skip-existing", is_flag=True, help="Leave out cases whose result exists.")
@click.option("-v", "--verbose", is_flag=True, help="Show seconds per stage.")
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
@click.version_option(__version__, prog_name="litemedsam-infer")
def main(
    cases: tuple[Path, ...],
    folder: Path | None,
    output: Path,
    given: tuple[tuple[float, ...], ...],
    boxes_file: Path | None,
    mask: Path | None,
    pieces: bool,
    margin: int,
    scribbles: Path | None,
    box_space: str,
    window: str | None,
    stack: bool,
    spacing: tuple[float, ...] | None,
    frame: int | None,
    format_name: str | None,
    model: Path | None,
    backend: str,
    precision: str,
    protocol: str,
    workers: int,
    threads: int | None,
    seed: int,
    cache_mb: float,
    overlay: str | None,
    report: Path | None,
    table: Path | None,
    page: Path | None,
    overwrite: bool,
    skip_existing: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Segment CASES into OUTPUT/<name of the case>, in the case's own format.

    A case is an npz file with imgs and boxes, a NIfTI file, a DICOM series (folder or file), or a PNG, JPEG, TIFF
    or BMP, or with --stack a folder of them; its kind is told by its content. A folder stands for the scans in it
    and below. In npz files an image is (H, W) or (H, W, 3) with boxes (N, 4), a volume (D, H, W) or (D, H, W, 3)
    with boxes (N, 6). All boxes are in voxels, ends included, along the file's own axes: x, y, z are NIfTI's first,
    second and third; column, row and slice otherwise. The first box's object gets the label 1, the second's 2. A case
    that fails is reported; the others go on, and the exit code is 1. Stopped by a signal, it leaves no half-written
    file and ends with 128 + signal.
    """
    # NumPy's threads would spin for a tenth of a second after its import; nothing here multiplies matrices with it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    click.get_current_context().with_resource(orderly_stop())
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing exclude each other")
    _check_one_source(box=given, boxes=boxes_file, boxes_from=mask)
    if bool(cases) == bool(folder):
        raise click.UsageError("give either case files or a folder with -i")
    if (pieces or margin) and not mask:
        raise click.UsageError("--pieces and --margin go with --boxes-from")
    if box_space == "world" and mask:
        raise click.UsageError("--box-space world goes with --box or --boxes")
    try:
        start = perf_counter()
        # Before all else, as it takes longest. How many threads each of several workers has depends on the cases.
        graphs = _graphs_ahead(cases, folder, given, model, backend, precision, threads) if workers == 1 else None
        seconds_to_load = perf_counter() - start
        from ..io.formats import FORMATS
        from ..objects.sources import BoxesFile, GivenBoxes, MaskBoxes, StoredBoxes, WithScribbles
        from ..reporting.case_report import CaseReport, settings, write_report, write_table
        from ..running import run as runner
        from ..running.cohort import check_distinct, gather
        from ..running.resume import read_report, read_table, with_earlier
        from ..scan.intensity import scaling_named

        world = box_space == "world"
        objects = StoredBoxes()
        if given:
            objects = GivenBoxes(given, world)
        elif boxes_file is not None:
            objects = BoxesFile(boxes_file, world)
        elif mask is not None:
            objects = MaskBoxes(mask, pieces, margin)
        if scribbles is not None:
            objects = WithScribbles(objects, scribbles)
        scaling = None if window is None else scaling_named(window)
        kind = None if format_name is None else FORMATS[format_name]
        paths, subfolders = gather(cases, folder, stack, output)
        options = runner.Options(
            output,
            overlay is not None or page is not None,
            overwrite,
            skip_existing,
            objects,
            scaling,
            frame,
            kind,
            subfolders,
            film=overlay if overlay in ("gif", "mp4") else "",
            spacing=spacing,
        )
        check_distinct(paths, options)
        earlier = []
        if skip_existing:
            # The later of two notes on a case counts: the report tells more than the table.
            earlier += [] if table is None else read_table(table)
            earlier += [] if report is None else read_report(report)
        make_output_folder(output)
        runner.remove_left_over_results(paths, options)
        remove_left_over(path for path in (report, table, page) if path is not None)
        start = perf_counter()
        from ..predictor import Predictor
        from ..system.resources import available_processors

        workers = min(workers, len(paths))
        made_with = {
            "bundle": model,
            "backend": backend,
            "precision": precision,
            "protocol": protocol,
            "threads": threads or max(available_processors() // workers, 1),
            "seed": seed,
            "cache_mb": cache_mb,
        }
        predictor = Predictor(**made_with, graphs=graphs)
        seconds_to_load += perf_counter() - start
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    made = settings(predictor, seed, model is None, seconds_to_load)

    def note(reports: list[CaseReport]) -> None:
        noted = with_earlier(paths, reports, earlier)
        if report is not None:
            write_report(report, made, noted)
        if table is not None:
            write_table(table, noted)

    tell = runner.Record(runner.reporter(verbose, quiet), note)
    try:
        try:
            if workers > 1:
                from ..running.processes import run_parallel

                predictor.close()
                reports = run_parallel(made_with, workers, paths, options, tell)
            else:
                reports = runner.run(predictor, paths, options, tell)
        finally:
            # Also of a run that is stopped: the next one adds to it.
            note(tell.reports)
        if page is not None:
            from ..reporting.html import write_page

            noted = with_earlier(paths, reports, earlier)
            write_page(page, made, noted, runner.pictures(noted))
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    if len(paths) > 1 and not quiet:
        from ..reporting.summary import summary

        click.echo(summary(paths, reports, tell.left_out))
    sys.exit(1 if any(entry.error for entry in reports) else 0)


def command() -> None:
    """`main` as a process of its own, which ends at once: the system frees its memory faster than Python does."""
    try:
        main()
    except SystemExit as left:
        sys.stdout.flush()
        sys.stderr.flush()
        # Here, where what `main` held is not freed yet.
        os._exit(left.code)
