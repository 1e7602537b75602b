"""The command litemedsam-eval."""

import sys
from pathlib import Path

import click

from ..atomic import write_atomically
from ..errors import LiteMedSamError, broken_installation
from ..inputs import InputFiles
from ..standard_streams import run_command

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
MOST_CLICKS = 50
"""Of each object; far more than anybody makes."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-s", "--segs", type=_FOLDER, help="Folder of masks: npz with segs, NIfTI, NRRD or MetaImage.")
@click.option(
    "-g",
    "--gts",
    type=_FOLDER,
    required=True,
    help="Folder of truths: npz with gts and spacing, NIfTI, NRRD, MetaImage.",
)
@click.option("--csv", "csv_path", type=_FILE, help="Write one row per object to this file.")
@click.option("--json", "json_path", type=_FILE, help="Write everything to this file.")
@click.option(
    "--rivals", is_flag=True, help="Measure filled box, ellipse and GrabCut too (from boxes and imgs in GTS)."
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--clicks",
    type=click.IntRange(1, MOST_CLICKS),
    help="Instead of masks, measure the model on GTS (npz with imgs, boxes and gts): after a box, and after each of so "
    "many clicks where its mask is most wrong.",
)
@click.option("--objects", type=click.IntRange(1), help="With --clicks: only so many objects of each case.")
@click.option("--model", type=click.Path(path_type=Path), help="With --clicks: a bundle folder or its name.")
@click.option("--threads", type=click.IntRange(1), help="With --clicks: threads to compute with.")
@click.version_option(package_name="litemedsam")
def main(
    segs: Path | None,
    gts: Path,
    csv_path: Path | None,
    json_path: Path | None,
    rivals: bool,
    workers: int,
    clicks: int | None,
    objects: int | None,
    model: Path | None,
    threads: int | None,
) -> None:
    """Measure masks against ground truths: DSC and NSD per object, case, modality and over all.

    Files are matched by name. Where only the suffix differs, npz masks are compared with NIfTI truths and the other
    way round; masks named case_0000 as nnU-Net's images belong to the truth named case. Masks that state their place
    must lie on the grid of the truth, and distances count in the header's spacing.

    Every case gets two sets of figures: "challenge", the CVPR 2024 challenge's own with its quirks, and "corrected". A
    case is the mean over its objects, a group the mean over its cases, the macro mean that over the groups. Cases that
    cannot be read are named and left out, and the exit code is 1.
    """
    measured = {"--segs": segs, "--rivals": rivals, "--clicks": clicks}
    if not any(measured.values()):
        raise click.UsageError("nothing to measure: give --segs, --rivals or both, or --clicks")
    if clicks is not None and (segs is not None or rivals):
        raise click.UsageError("--clicks measures the model itself, without --segs and --rivals")
    if clicks is None and (objects is not None or model is not None or threads is not None):
        raise click.UsageError("--objects, --model and --threads go with --clicks")
    for path in filter(None, (csv_path, json_path)):
        if not path.parent.is_dir():
            raise click.UsageError(f"{path}: no such folder; make it first")

    try:
        if clicks is None:
            failed = _measure_masks(segs, gts, csv_path, json_path, rivals, workers)
        else:
            failed = _measure_clicks(gts, csv_path, json_path, clicks, objects, model, threads)
    except ModuleNotFoundError as error:
        broken = broken_installation(error)
        text = f'{error}; pip install "litemedsam[evaluation]"' if broken is None else str(broken)
        raise click.ClickException(text) from error
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    if failed:
        sys.exit(1)


def _measure_masks(
    segs: Path | None, gts: Path, csv_path: Path | None, json_path: Path | None, rivals: bool, workers: int
) -> bool:
    """Measure masks and rivals; whether a case failed."""
    # Late, so that --help does not wait for them.
    from tqdm import tqdm

    from .. import __version__
    from .evaluate import Failure, evaluate_folders
    from .report import as_csv, as_json, as_table, summarise
    from .rivals import RIVALS

    names = _names(gts)
    _check_outputs([gts] if segs is None else [gts, segs], csv_path, json_path)
    results, failures = [], []
    # disable=None: no bar where nobody watches.
    for found in tqdm(
        evaluate_folders(segs, gts, RIVALS if rivals else (), workers), total=len(names), unit="case", disable=None
    ):
        if isinstance(found, Failure):
            failures.append(found)
            click.echo(f"error: {found.message}", err=True)
        else:
            results.append(found)
    summary = summarise(results)
    if csv_path is not None:
        _write(csv_path, as_csv(results))
    if json_path is not None:
        _write(json_path, as_json(summary, results, failures, __version__))
    if results:
        click.echo(as_table(summary))
    return _told(len(failures), len(results))


def _measure_clicks(
    gts: Path,
    csv_path: Path | None,
    json_path: Path | None,
    clicks: int,
    objects: int | None,
    model: Path | None,
    threads: int | None,
) -> bool:
    """Measure a model that takes corrections; whether a case failed."""
    # Late, so that --help does not wait for them.
    from tqdm import tqdm

    from .. import __version__
    from ..engine.inference.prompt import check_correctable
    from ..engine.predictor import Predictor
    from .click_report import as_csv, as_json, as_table
    from .evaluate import Failure
    from .interaction import case_courses

    names = [name for name in _names(gts) if name.endswith(".npz")]
    if not names:
        raise click.UsageError(f"{gts}: no npz files; --clicks needs their imgs, boxes and gts")
    _check_outputs([gts], csv_path, json_path)
    results, failures = [], []
    with Predictor(model, threads=threads) as predictor:
        check_correctable(predictor.network.info)
        for name in tqdm(names, unit="case", disable=None):
            try:
                results.append(case_courses(predictor, gts / name, clicks, objects))
            except LiteMedSamError as error:
                failures.append(Failure(name, str(error)))
                click.echo(f"error: {error}", err=True)
    if csv_path is not None:
        _write(csv_path, as_csv(results))
    if json_path is not None:
        _write(json_path, as_json(results, failures, __version__))
    if results:
        click.echo(as_table(results))
    return _told(len(failures), len(results))


def _names(gts: Path) -> list[str]:
    from .cases import case_names

    names = case_names(gts)
    if not names:
        raise click.UsageError(f"{gts}: no npz, NIfTI, NRRD or MetaImage files; give the folder of the ground truths")
    return names


def _told(failed: int, measured: int) -> bool:
    if failed:
        click.echo(f"{failed} cases failed, {measured} were measured", err=True)
    return failed > 0


def _check_outputs(folders: list[Path], *outputs: Path | None) -> None:
    """Refuse to write onto the cases, or twice onto one file."""
    from .cases import case_names

    inputs = InputFiles(folder / name for folder in folders for name in case_names(folder))
    paths = [path for path in outputs if path is not None]
    try:
        for path in paths:
            inputs.refuse(path, "choose another file")
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    if len({path.resolve() for path in paths}) < len(paths):
        raise click.UsageError(f"{paths[0]}: --csv and --json name the same file")


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()), "choose a file that can be written")


def command() -> None:
    """`main` as a process of its own."""
    run_command(main)
