"""``litemedsam-infer``: cases in, label maps out."""

import sys
from pathlib import Path
from time import perf_counter

import click

from .. import __version__
from ..errors import LiteMedSamError
from .io.atomic import make_output_folder
from .stopping import orderly_stop

_SUFFIX = ".npz"


def _gather(cases: tuple[Path, ...], folder: Path | None) -> list[Path]:
    if bool(cases) == bool(folder):
        raise click.UsageError("give either case files or a folder with -i")
    if folder is None:
        return list(cases)
    if not folder.is_dir():
        raise LiteMedSamError(f"{folder}: no such folder of cases")
    found = sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX and not path.name.startswith("."))
    if not found:
        raise LiteMedSamError(f"{folder}: holds no {_SUFFIX} files")
    return found


def _check_distinct(cases: list[Path]) -> None:
    first: dict[str, Path] = {}
    for case in cases:
        other = first.setdefault(case.name, case)
        if other is not case:
            raise click.UsageError(f"{other} and {case} would both become {case.name} in the output folder")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cases", nargs=-1, type=click.Path(path_type=Path))
@click.option("-i", "--input", "folder", type=click.Path(path_type=Path), help="Folder of cases, instead of files.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default="outputs", show_default=True, help="Folder for results."
)
@click.option("--model", type=click.Path(path_type=Path), help="Bundle folder; the default model when absent.")
@click.option(
    "--backend", type=click.Choice(["openvino", "onnxruntime"]), default="openvino", show_default=True, help="Runtime."
)
@click.option("--precision", type=click.Choice(["f32", "bf16"]), default="f32", show_default=True, help="Arithmetic.")
@click.option(
    "--protocol",
    type=click.Choice(["corrected", "published"]),
    default="corrected",
    show_default=True,
    help="How boxes and slices are treated; `published` repeats the model's published script.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads to compute with; all that may be used when absent.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the automatic prompts.")
@click.option(
    "--cache-mb", type=click.FloatRange(0), default=512, show_default=True, help="Most memory for embeddings."
)
@click.option("--overlay", is_flag=True, help="Also write a PNG of image, boxes and masks beside each result.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what was done, with seconds per stage, as JSON.")
@click.option("--overwrite", is_flag=True, help="Replace results that exist.")
@click.option("--skip-existing", is_flag=True, help="Leave out cases whose result exists.")
@click.option("-v", "--verbose", is_flag=True, help="Show seconds per stage.")
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
@click.version_option(__version__, prog_name="litemedsam-infer")
def main(
    cases: tuple[Path, ...],
    folder: Path | None,
    output: Path,
    model: Path | None,
    backend: str,
    precision: str,
    protocol: str,
    threads: int | None,
    seed: int,
    cache_mb: float,
    overlay: bool,
    report: Path | None,
    overwrite: bool,
    skip_existing: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Segment CASES, npz files with imgs and boxes, into OUTPUT/<same name>.npz with segs.

    An image is (H, W) or (H, W, 3) with boxes (N, 4), a volume (D, H, W) or (D, H, W, 3) with boxes (N, 6), in
    pixels, ends included. Object k of the boxes gets the label k + 1. A case that fails is reported; the others
    go on, and the exit code is 1. Stopped by a signal, it leaves no half-written file and ends with 128 + signal.
    """
    click.get_current_context().with_resource(orderly_stop())
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing exclude each other")
    try:
        paths = _gather(cases, folder)
        _check_distinct(paths)
        make_output_folder(output)
        start = perf_counter()
        from .predictor import Predictor

        predictor = Predictor(model, backend, precision, protocol, threads, seed, cache_mb)
        seconds_to_load = perf_counter() - start
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    from . import runner

    options = runner.Options(output, overlay, overwrite, skip_existing)
    reports = runner.run(predictor, paths, options, runner.reporter(verbose, quiet))
    failed = sum(bool(entry.error) for entry in reports)
    if report is not None:
        from .report import settings, write_report

        try:
            write_report(report, settings(predictor, seed, model is None, seconds_to_load), reports)
        except LiteMedSamError as error:
            raise click.ClickException(str(error)) from error
    sys.exit(1 if failed else 0)
