"""The training loop: one run in one folder, resumable to the exact step.

A run's folder contains ``log.jsonl`` (one line per step), ``measures.jsonl`` (one line per checkpoint), ``last.pth``
(the state to resume from), ``averaged-STEP.pth`` and ``best.pth`` (averaged weights in half precision, under the
published names) and ``examples-STEP.png``.
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
from ..models.litemedsam import LEARNT
from .cases import Case, read_folders, split
from .config import TrainingConfig, from_mapping
from .distillation import load_teacher, refuse_frozen, teacher_of
from .kept import Keep
from .layout import batch_of
from .measure import held_out_samples, measure
from .pictures import save_examples
from .run import FORMAT, Run
from .stream import Stream
from .transplant import transplanted

# The prompts of weights that learn corrections.
CORRECTABLE = LEARNT[-1]
# Images that the transplant of a teacher's weights is fitted on.
_FITTED = 24
LAST, BEST, LOG, MEASURES = "last.pth", "best.pth", "log.jsonl", "measures.jsonl"


def export_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A network's state on the CPU: floating-point tensors in half precision, the others unchanged."""
    return {
        name: (tensor.half() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }


def save_atomically(content: Any, path: Path) -> None:
    """Write with `torch.save`, through `write_atomically`."""
    write_atomically(path, lambda file: torch.save(content, file), "give another folder with --out")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read ``last.pth``.

    Raises
    ------
    LiteMedSamError
        When the file is absent, damaged or of another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise LiteMedSamError(f"{path}: no such file", "start the run without --resume first") from error
    except OSError as error:
        raise LiteMedSamError(
            f"{path}: cannot be read ({error.strerror or error})", "start a new run in another folder (--out)"
        ) from error
    except DAMAGED as error:
        raise LiteMedSamError(
            f"{path}: not a checkpoint of a run ({str(error)[:120]})", "start a new run in another folder (--out)"
        ) from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise LiteMedSamError(f"{path}: format {found}, expected {FORMAT}", "start a new run in another folder (--out)")
    return content


def _keep_lines(path: Path, last_step: int) -> None:
    """Drop the lines that an interrupted run logged after its last checkpoint."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= last_step]
        path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def initial_model(config: TrainingConfig, init: str | Path | None) -> TrainableModel:
    """The network with the weights of a checkpoint, or with random weights drawn from the seed."""
    if init is None:
        torch.manual_seed(config.seed)
        return SwinLiteMedSAM(config.frame)
    model = load_checkpoint(init)
    if (config.dense or config.corrections) and "scribbles" not in model.prompts:
        model.prompts = (*model.prompts, "scribbles")
        model.prompt_encoder.begin_scribbles()
    if config.corrections and "labels" not in model.prompts:
        if "points" in model.prompts:
            raise LiteMedSamError(
                f"training setting 'corrections' is {config.corrections}, but {model.name} takes points without labels",
                "set corrections = 0, or start from weights of LiteMedSAM",
            )
        model.prompts = CORRECTABLE
    return model


def taught_model(
    config: TrainingConfig, teacher: str | Path, cases: list[Case], device: torch.device
) -> TrainableModel:
    """Swin-LiteMedSAM with the transplanted weights of a teacher, fitted on images of the run.

    Parameters
    ----------
    config : TrainingConfig
    teacher : path
        Weights of LiteMedSAM.
    cases : list of Case
        Those of the run; if empty, the images are synthetic.
    device : torch.device

    Raises
    ------
    LiteMedSamError
        When the weights are those of another network, or a part of the encoder is frozen.
    """
    refuse_frozen(config)
    model = load_teacher(teacher, device)
    return transplanted(model, batch_of(Stream(config, cases).frames(_FITTED), device), config.seed)


def train(
    config: TrainingConfig,
    out: str | Path,
    init: str | Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    keep: Keep | None = None,
    teacher: str | Path | None = None,
    stop: Callable[[int], bool] = lambda step: False,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Start a run, or continue it.

    Parameters
    ----------
    config : TrainingConfig
        To resume, it must equal the run's own, except for `steps`; the learning rate then follows the new length.
    out : path
        The run's folder; created if absent.
    init : path, optional
        Initial weights, published or your own. By default, the transplanted weights of the teacher, or random weights
        without a teacher; see `litemedsam.training.transplant`.
    resume : bool
        Continue from ``last.pth`` in `out`; `init` is then ignored.
    device : str
        ``cpu`` or ``cuda``.
    keep : Keep, optional
        Where the maps of the encoder's frozen stages are stored, and what computes them.
    teacher : path, optional
        Weights of LiteMedSAM, whose maps the encoder learns; needed if `config.distillation` is above 0.
    stop : callable
        Called after each step with the number of steps done; if it returns true, the run writes ``last.pth`` and ends.
    report : callable
        Receives lines for the user.

    Returns
    -------
    Path
        ``best.pth``: half precision, under the published parameter names.

    Raises
    ------
    LiteMedSamError
        On bad cases, weights, checkpoints or folders, or when the loss is infinite or not a number.
    """
    out = Path(out)
    if device == "cuda" and not torch.cuda.is_available():
        raise LiteMedSamError("device cuda: this machine or this PyTorch has no CUDA", "use --device cpu")
    if not resume and (out / LAST).exists():
        raise LiteMedSamError(f"{out}: contains a run already", "continue it with --resume, or give another --out")
    saved = read_checkpoint(out / LAST) if resume else None
    if saved is not None:
        _same(out, config, from_mapping(saved["config"], str(out / LAST)))
    learnt, measured = split(read_folders(config.data, config.subjects), config.held_out, config.apart)
    if config.data and not learnt:
        raise LiteMedSamError(f"all {len(measured)} cases are held out", "give more cases or set held_out = 0")
    samples = held_out_samples(config, measured)
    if saved is not None:
        model = resumed_model(config, saved)
    elif init is None and teacher is not None and config.distillation:
        report(f"the teacher's weights pass to the network, fitted on {_FITTED} images")
        model = taught_model(config, teacher, learnt, torch.device(device))
    else:
        model = initial_model(config, init)
    kept = None if keep is None else keep.maps(config, model)
    run = Run(config, model, torch.device(device), kept, teacher_of(config, model, teacher, torch.device(device)))
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
            report(f"stopped after step {run.step}; continue with --resume")
            break
    return out / BEST


def resumed_model(config: TrainingConfig, saved: dict[str, Any]) -> TrainableModel:
    """The network of a resumed run, with its last weights. Their digest names the kept maps, so they load first."""
    name = saved["network"]
    model = next(known for known in MODELS if known.name == name)(config.frame)
    model.prompts = tuple(saved["prompts"])
    model.load_state_dict(saved["model"])
    return model.eval()


def _same(out: Path, given: TrainingConfig, saved: TrainingConfig) -> None:
    # Workers and paths of folders change no number. The length may change: there may be more or less time than planned.
    given = replace(given, workers=saved.workers, data=saved.data, steps=saved.steps)
    differing = [name for name, value in asdict(saved).items() if asdict(given)[name] != value]
    if differing:
        raise LiteMedSamError(
            f"{out}: the run was started with other settings ({', '.join(differing)})",
            "resume with the run's own configuration, or start a new run in another folder (--out)",
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
