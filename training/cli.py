"""The command ``litemedsam-train``."""

import signal
from dataclasses import replace
from pathlib import Path

import click

from ..errors import LiteMedSamError
from ..standard_streams import run_command
from .config import TrainingConfig, read_config


@click.command()
@click.argument("config")
@click.option(
    "--init", type=click.Path(path_type=Path), help="Initial weights; by default made from --teacher, else random."
)
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of npz files with imgs and gts, as in the challenge. Repeatable. Replaces data of CONFIG.",
)
@click.option("--out", default=Path("runs/train"), show_default=True, type=click.Path(path_type=Path))
@click.option("--resume", is_flag=True, help="Continue the run in --out.")
@click.option("--device", default="cpu", show_default=True, type=click.Choice(["cpu", "cuda"]))
@click.option("--steps", type=int, help="Length of the whole run. Replaces steps of CONFIG.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Folder that stores the maps of the encoder's frozen stages. Needs variants above 0.",
)
@click.option(
    "--encoder",
    type=click.Path(path_type=Path),
    help="Bundle of the same weights; its encoder fills --keep faster. Needs freeze_encoder.",
)
@click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    help="Weights of LiteMedSAM, whose maps the encoder learns. Needs distillation above 0. Without --init, the run "
    "begins with these weights as far as they fit, and fits other layers to those maps.",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of the network; all cores by default.")
def main(
    config: str,
    init: Path | None,
    data: tuple[Path, ...],
    out: Path,
    resume: bool,
    device: str,
    steps: int | None,
    keep: Path | None,
    encoder: Path | None,
    teacher: Path | None,
    threads: int | None,
) -> None:
    """Train or fine-tune a network with the settings in CONFIG.

    CONFIG is a TOML file or the name of a recipe in the package, such as default or finetune. SIGTERM finishes the
    current step, writes a checkpoint and stops.
    """
    try:
        settings = read_config(config)
        if data:
            settings = replace(settings, data=tuple(map(str, data)))
        if steps is not None:
            settings = replace(settings, steps=steps)
        if encoder is not None and keep is None:
            raise click.UsageError("--encoder needs --keep FOLDER")
        best = _train(settings, out, init, resume, device, keep, encoder, teacher, threads)
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"weights: {best}")


def _train(
    settings: TrainingConfig,
    out: Path,
    init: Path | None,
    resume: bool,
    device: str,
    keep: Path | None,
    encoder: Path | None,
    teacher: Path | None,
    threads: int | None,
) -> Path:
    # torch takes seconds to import; --help should not wait for it.
    try:
        import torch

        from .kept import Keep
        from .loop import train
    except ModuleNotFoundError as error:
        raise LiteMedSamError(f"training needs {error.name}", "pip install 'litemedsam[export]'") from error
    if threads:
        torch.set_num_threads(threads)
    asked = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        kept = None if keep is None else Keep(keep, encoder)
        return train(settings, out, init, resume, device, kept, teacher, lambda step: bool(asked), click.echo)
    finally:
        signal.signal(signal.SIGTERM, before)


def command() -> None:
    """`main` as a process of its own."""
    run_command(main)
