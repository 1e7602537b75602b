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
@click.version_option(package_name="litemedsam")
def main(
    segs: Path | None, gts: Path, csv_path: Path | None, json_path: Path | None, rivals: bool, workers: int
) -> None:
    """Measure masks against ground truths: DSC and NSD per object, case, modality and over all.

    Files are matched by name. Where only the suffix differs, npz masks are compared with NIfTI truths and the other
    way round; masks named case_0000 as nnU-Net's images belong to the truth named case. Masks that state their place
    must lie on the grid of the truth, and distances count in the header's spacing.

    Every case gets two sets of figures: "challenge", the CVPR 2024 challenge's own with its quirks, and "corrected". A
    case is the mean over its objects, a group the mean over its cases, the macro mean that over the groups. Cases that
    cannot be read are named and left out, and the exit code is 1.
    """
    if segs is None and not rivals:
        raise click.UsageError("nothing to measure: give --segs, --rivals or both")
    for path in filter(None, (csv_path, json_path)):
        if not path.parent.is_dir():
            raise click.UsageError(f"{path}: no such folder; make it first")

    # Late, so that --help does not wait for them.
    from tqdm import tqdm

    from .. import __version__

    try:
        from .cases import case_names
        from .evaluate import Failure, evaluate_folders
    except ModuleNotFoundError as error:
        broken = broken_installation(error)
        text = f'{error}; pip install "litemedsam[evaluation]"' if broken is None else str(broken)
        raise click.ClickException(text) from error
    from .report import as_csv, as_json, as_table, summarise
    from .rivals import RIVALS

    names = case_names(gts)
    if not names:
        raise click.UsageError(f"{gts}: no npz, NIfTI, NRRD or MetaImage files; give the folder of the ground truths")
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
    try:
        if csv_path is not None:
            _write(csv_path, as_csv(results))
        if json_path is not None:
            _write(json_path, as_json(summary, results, failures, __version__))
    except LiteMedSamError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    if results:
        click.echo(as_table(summary))
    if failures:
        click.echo(f"{len(failures)} cases failed, {len(results)} were measured", err=True)
        sys.exit(1)


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
