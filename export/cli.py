"""``litemedsam-export`` turns a checkpoint into a bundle."""

from pathlib import Path

import click

from .. import __version__
from ..errors import LiteMedSamError, broken_installation
from ..standard_streams import run_command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", "bundle", type=click.Path(path_type=Path), required=True, help="Bundle folder to make.")
@click.option("--half", is_flag=True, help="Store weights in half precision: half the size, computed in float32.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="Folder of challenge-format npz cases to measure the accuracy of bf16 and int8 on, against f32.",
)
@click.option("--int8", "quantised", is_flag=True, help="Add an int8 encoder, calibrated on a part of that folder.")
@click.option(
    "--scribble",
    type=click.Choice(["stroke", "ellipse", "none"]),
    default="stroke",
    show_default=True,
    help="The scribble that inference draws in a box, as in training: published weights learnt with strokes.",
)
@click.option(
    "--passage",
    type=click.Choice(["margin", "ellipsoid", "ellipsoid_corners", "ellipsoid_mask"]),
    help="The box on a volume's next slice: the mask's box with a margin, half-way to the ellipsoid in the box, or "
    "this with the mask as scribble; ellipsoid_corners for weights that learnt from boxes with scaled corners. By "
    "default ellipsoid_corners for ellipses, margin otherwise.",
)
@click.option("--description", default="", help="One line on the weights' origin, kept in the bundle.")
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@click.version_option(__version__, prog_name="litemedsam-export")
def main(
    checkpoint: Path,
    bundle: Path,
    half: bool,
    calibration: Path | None,
    quantised: bool,
    scribble: str,
    passage: str | None,
    description: str,
    overwrite: bool,
) -> None:
    """Export CHECKPOINT, a PyTorch file with the published parameter names, to an ONNX bundle.

    The bundle is compared with PyTorch in every runtime. If any runtime deviates, no bundle is written.
    """
    if quantised and calibration is None:
        raise click.UsageError("--int8 needs --calibration FOLDER")
    try:
        from ..engine.backends.registry import native_precisions
        from ..engine.bundle.precision import choose
        from .writer import ExportOptions, export_bundle
    except ModuleNotFoundError as error:
        broken = broken_installation(error)
        text = f'{error.name} is not installed; pip install "litemedsam[export]"' if broken is None else str(broken)
        raise click.ClickException(text) from error
    try:
        options = ExportOptions(half, description, overwrite, calibration, quantised, scribble, passage or "")
        found = export_bundle(checkpoint, bundle, options)
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    for deviation in found.deviations:
        click.echo(
            f"{deviation.backend:12} {deviation.output:16} greatest deviation {deviation.greatest:.1e} "
            f"of {deviation.magnitude:.2f}"
        )
    for precision, agreement in found.card.items():
        means = ", ".join(f"{modality} {dsc:.4f}" for modality, dsc in agreement.mean_dsc.items())
        floats = f"{agreement.floats}{' (emulated)' if agreement.emulated else ''}"
        click.echo(
            f"{precision} with floats in {floats}: DSC against f32 {means}; "
            f"lowest {agreement.worst_dsc:.4f} ({agreement.worst_case})"
        )
    if calibration is not None:
        click.echo(f"auto here: {choose(found.card, native_precisions('openvino'), quantised).text()}")
    size = sum(file.stat().st_size for file in bundle.iterdir())
    click.echo(f"wrote {bundle} ({size / 1e6:.1f} MB)")


def command() -> None:
    """`main` as a process of its own."""
    run_command(main)
