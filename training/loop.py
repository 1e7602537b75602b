"""The training loop: one run in one folder, resumable to the exact step.

A run's folder holds ``log.jsonl`` (a line per step), ``measures.jsonl`` (a line per checkpoint), ``last.pth`` (all
that resuming needs), ``averaged-STEP.pth`` and ``best.pth`` (averaged weights in half precision, published names)
and ``examples-STEP.png``.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from ..atomic import write_atomically
from ..errors import LiteMedSamError
from ..models import SwinLiteMedSAM, load_checkpoint
from ..models.checkpoint import DAMAGED, MODELS, PROMPTS_KEY
from ..models.interface import TrainableModel
from .cases import read_folders, split
from .config import TrainingConfig, from_mapping
from .kept import Keep
from .measure import held_out_samples, measure
from .pictures import save_examples
from .run import FORMAT, Run
from .stream import Stream

LAST, BEST, LOG, MEASURES = "last.pth", "best.pth", "log.jsonl", "measures.jsonl"


def export_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A network's state for keeping: floating tensors in half precision, the others as they are, on the CPU."""
    return {
        name: (tensor.half() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }


def save_atomically(content: Any, path: Path) -> None:
    """`torch.save` by way of `write_atomically`."""
    write_atomically(path, lambda file: torch.save(content, file), "give another folder with --out")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read ``last.pth``.

    Raises
    ------
    LiteMedSamError
        When it is absent, damaged or of another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise LiteMedSamError(
            f"{path}: cannot be read ({error.strerror or error})", "start the run without --resume first"
        ) from error
    except DAMAGED as error:
        raise LiteMedSamError(
            f"{path}: not a checkpoint of a run ({str(error)[:120]})", "give --init to start a new run from weights"
        ) from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise LiteMedSamError(
            f"{path}: format {found}, expected {FORMAT}", "give --init to start a new run from weights"
        )
    return content


def _keep_lines(path: Path, last_step: int) -> None:
    """Drop what an interrupted run logged beyond its last checkpoint."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= last_step]
        path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def initial_model(config: TrainingConfig, init: str | Path | None) -> TrainableModel:
    """The network with a checkpoint's weights, or with random ones drawn from the seed."""
    if init is None:
        torch.manual_seed(config.seed)
        return SwinLiteMedSAM(config.frame)
    model = load_checkpoint(init)
    if config.dense and "scribbles" not in model.prompts:
        model.prompts = (*model.prompts, "scribbles")
        model.prompt_encoder.begin_scribbles()
    return model


def train(
    config: TrainingConfig,
    out: str | Path,
    init: str | Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    keep: Keep | None = None,
    stop: Callable[[int], bool] = lambda step: False,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train, or go on with a run.

    Parameters
    ----------
    config : TrainingConfig
        When resuming, must be the run's own but for `steps`: the rate then follows the new length from here on.
    out : path
        The run's folder, made if absent.
    init : path, optional
        Published or own weights to start from; random ones otherwise.
    resume : bool
        Go on from ``last.pth`` in `out`; `init` is then not looked at.
    device : str
        ``cpu`` or ``cuda``.
    keep : Keep, optional
        Where and how the maps of the encoder's frozen stages are kept.
    stop : callable
        Asked after each step, given the number of steps done, whether to leave; ``last.pth`` is then written.
    report : callable
        Takes lines for the user.

    Returns
    -------
    Path
        ``best.pth``: half precision, published parameter names.

    Raises
    ------
    LiteMedSamError
        On bad cases, weights, checkpoints or folders, or a loss that is no longer a number.
    """
    out = Path(out)
    if device == "cuda" and not torch.cuda.is_available():
        raise LiteMedSamError("device cuda: there is none, or this PyTorch has no CUDA", "use --device cpu")
    if not resume and (out / LAST).exists():
        raise LiteMedSamError(f"{out}: holds a run already", "give --resume to go on with it, or another folder")
    saved = read_checkpoint(out / LAST) if resume else None
    if saved is not None:
        _same(out, config, from_mapping(saved["config"], str(out / LAST)))
    learnt, measured = split(read_folders(config.data, config.subjects), config.held_out, config.apart)
    if config.data and not learnt:
        raise LiteMedSamError(f"{len(measured)} cases, all of them held out", "give more cases or set held_out = 0")
    samples = held_out_samples(config, measured)
    model = initial_model(config, init) if saved is None else resumed_model(config, saved)
    run = Run(config, model, torch.device(device), None if keep is None else keep.maps(config, model))
    out.mkdir(parents=True, exist_ok=True)
    report(f"{len(learnt)} cases to learn from, {len(measured)} held out; {config.steps} steps")
    if saved is not None:
        run.restore(saved)
        for name in (LOG, MEASURES):
            _keep_lines(out / name, run.step)
    elif config.measure_first:
        _record(run, out, samples, report)
    batches = Stream(config, learnt).batches(run.step)
    while run.step < config.steps:
        started = time.perf_counter()
        examples = next(batches)
        waited = time.perf_counter() - started
        line = run.advance(examples)
        _append(out / LOG, {**line, "waited": round(waited, 3), "seconds": round(time.perf_counter() - started, 3)})
        if run.step % config.checkpoint_every == 0 or run.step == config.steps:
            _record(run, out, samples, report)
        elif stop(run.step):
            save_atomically(run.checkpoint(), out / LAST)
            report(f"stopped after step {run.step}; --resume goes on")
            break
    return out / BEST


def resumed_model(config: TrainingConfig, saved: dict[str, Any]) -> TrainableModel:
    """The network of a run that goes on, with its weights: what is kept of its frozen stages is named by them."""
    name = saved["network"]
    model = next(known for known in MODELS if known.name == name)(config.frame)
    model.prompts = tuple(saved["prompts"])
    model.load_state_dict(saved["model"])
    return model.eval()


def _same(out: Path, given: TrainingConfig, saved: TrainingConfig) -> None:
    # Workers and folders' places change no number; a run may turn out to have more or less time than planned.
    given = replace(given, workers=saved.workers, data=saved.data, steps=saved.steps)
    differing = [name for name, value in asdict(saved).items() if asdict(given)[name] != value]
    if differing:
        raise LiteMedSamError(
            f"{out}: the run was started with other settings ({', '.join(differing)})",
            "resume with the run's own configuration, or start a new run with --init",
        )


def _record(run: Run, out: Path, samples: dict, report: Callable[[str], None]) -> None:
    figures = measure(run.averaged, samples, run.config, run.device, run.frozen)
    state = {"model": export_state(run.averaged.state_dict()), PROMPTS_KEY: list(run.averaged.prompts)}
    if not figures or figures["mean"] > run.best:
        run.best = figures.get("mean", run.best)
        save_atomically(state, out / BEST)
    save_atomically(state, out / f"averaged-{run.step:06d}.pth")
    save_examples(out / f"examples-{run.step:06d}.png", run.averaged, samples, run.config, run.device, run.frozen)
    _append(out / MEASURES, {"step": run.step, **{name: round(value, 4) for name, value in figures.items()}})
    save_atomically(run.checkpoint(), out / LAST)
    listed = ", ".join(f"{name} {value:.3f}" for name, value in figures.items()) or "nothing measured"
    report(f"step {run.step}: held-out DSC {listed}")
