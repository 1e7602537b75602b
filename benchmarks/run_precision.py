"""Measures the agreement of bf16 and int8 masks with f32 masks on a folder of cases, by modality.

    python benchmarks/run_precision.py CASES --model BUNDLE

As in a bundle's accuracy card, a volume gives the middle slice of each object, and a case at most four objects.
"""

from pathlib import Path

import click
from litemedsam.engine.bundle.packaged import bundle_folder
from litemedsam.engine.system.resources import available_processors
from litemedsam.export.agreement import measure, offered
from litemedsam.export.calibration import NamedCase

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cases", type=_FOLDER)
@click.option("--model", type=click.Path(path_type=Path), help="A bundle or its name; the default model without.")
@click.option("--most", type=click.IntRange(1), default=1000, help="Cases of each modality, the first by name.")
@click.option("--images-only", is_flag=True, help="Leave volumes out.")
def main(cases: Path, model: Path | None, most: int, images_only: bool) -> None:
    """Compare the precisions on CASES."""
    bundle = bundle_folder(model)
    precisions = offered(bundle)[::-1]
    by_modality: dict[str, list[NamedCase]] = {}
    for path in sorted(cases.glob("2D*.npz" if images_only else "*.npz")):
        case = NamedCase.of(path)
        by_modality.setdefault(case.modality, []).append(case)
    chosen = [case for found in by_modality.values() for case in found[:most]]
    if not chosen or not precisions:
        raise click.ClickException("there is nothing to compare: no cases, or neither bf16 nor int8")
    card = measure(bundle, precisions, chosen, available_processors())
    click.echo(f"| modality | cases | {' | '.join(precisions)} |")
    click.echo(f"|---|---|{'---|' * len(precisions)}")
    for modality, found in sorted(by_modality.items()):
        figures = " | ".join(f"{card[precision].mean_dsc[modality]:.4f}" for precision in precisions)
        click.echo(f"| {modality} | {min(len(found), most)} | {figures} |")
    lowest = " | ".join(f"{card[precision].worst_dsc:.4f} ({card[precision].worst_case})" for precision in precisions)
    click.echo(f"| lowest case | | {lowest} |")


if __name__ == "__main__":
    main()
