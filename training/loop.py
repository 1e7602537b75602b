"""The training loop: one run in one folder, resumable to the exact step.

A run's folder holds ``log.jsonl`` (a line per step), ``measures.jsonl`` (a line per checkpoint), ``last.pth`` (all
that resuming needs), ``averaged-STEP.pth`` and ``best.pth`` (averaged weights in half precision, published names)
and ``examples-STEP.png``.
"""

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ..atomic import write_atomically
from ..errors import LiteMedSamError
from ..models import SwinLiteMedSAM, load_checkpoint
from ..models.checkpoint import DAMAGED, MODELS, PROMPTS_KEY
from ..models.interface import PromptableModel
from .cases import read_folders, split
from .config import TrainingConfig, from_mapping
from .examples import Example
from .kept import FrozenStages, KeptMaps, all_stages, digest_of, encode_in_bundle, encode_with
from .losses import Losses, mask_losses
from .measure import held_out_samples, measure, prompts_of
from .pictures import save_examples
from .stream import Stream

FORMAT = 2
LAST, BEST, LOG, MEASURES = "last.pth", "best.pth", "log.jsonl", "measures.jsonl"


def rate_at(config: TrainingConfig, step: int) -> float:
    """Learning rate of a step, from 0: linear rise, then a cosine down to `last_rate` of the peak."""
    rise = min(1.0, (step + 1) / (config.warm_up + 1))
    progress = max(0, step - config.warm_up) / max(1, config.steps - config.warm_up)
    fall = config.last_rate + (1 - config.last_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.learning_rate * rise * fall


def export_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A network's state for keeping: floating tensors in half precision, the others as they are, on the CPU."""
    return {
        name: (tensor.half() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }


def save_atomically(content: Any, path: Path) -> None:
    """`torch.save` by way of `write_atomically`."""
    write_atomically(path, lambda file: torch.save(content, file), "give another folder with --out")


def _statistics(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def decode_window(
    model: PromptableModel, features: NamedTuple, prompts: dict[str, torch.Tensor], origin: tuple[int, int], side: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode prompts on a window of the frame.

    Parameters
    ----------
    model : PromptableModel
    features : NamedTuple
        Of the window's pixels alone, or of the whole frame.
    prompts : dict of str to Tensor
        As `PromptableModel.decode` takes them, in pixels of the frame; ``scribbles`` (n, 1, S, S) of the window.
    origin : tuple of int
        x, y of the window's first pixel in the frame, multiples of 4.
    side : int
        S, the window's side.

    Returns
    -------
    logits, iou : Tensor
        (n, 1, S, S) and (n,), as `PromptableModel.decode` gives them for a whole frame.
    """
    cells, x, y, kept = model.frame // 4, origin[0] // 4, origin[1] // 4, side // 4
    if kept < features.image_embedding.shape[-1]:
        features = type(features)(*(_part(one, one.shape[-1] // cells, x, y, kept) for one in features))
    position = model.prompt_encoder.pe_layer.grid(cells).unflatten(0, (cells, cells))
    position = position[y : y + kept, x : x + kept].flatten(0, 1)
    return model.mask_decoder(features, position, *model.encode_prompts(**prompts))


def _part(feature_map: torch.Tensor, factor: int, x: int, y: int, side: int) -> torch.Tensor:
    x, y, side = x * factor, y * factor, side * factor
    return feature_map[..., y : y + side, x : x + side]


@dataclass(frozen=True)
class Keep:
    """Where the frozen stages' maps are kept, and what makes them.

    Attributes
    ----------
    folder : Path
    encoder : Path, optional
        A bundle of the same encoder, whose bfloat16 graph makes them instead of PyTorch; for an encoder that is frozen
        as a whole.
    """

    folder: Path
    encoder: Path | None = None

    def maps(self, config: TrainingConfig, model: PromptableModel) -> KeptMaps:
        """What keeps the maps of a model's frozen stages.

        Raises
        ------
        LiteMedSamError
            When the bundle is of another encoder, or only a part of the encoder is frozen.
        """
        count = frozen_stages(config, model)
        name = digest_of(model, count)
        if self.encoder is None:
            return KeptMaps(self.folder, f"{name}-torch", encode_with(model, count, config.mixed))
        return KeptMaps(self.folder, f"{name}-bundle", encode_in_bundle(self.encoder, model, count))


class Run:
    """The state of a run between two steps.

    Parameters
    ----------
    config : TrainingConfig
    model : PromptableModel
        With its initial weights; the run owns it from now on.
    device : torch.device
    kept : KeptMaps, optional
        Keeps what the frozen stages of the encoder make of an image.

    Attributes
    ----------
    model, averaged : PromptableModel
        The trained and the averaged network.
    step : int
        Steps done.
    best : float
        Best mean DSC measured so far, −1 before.
    """

    def __init__(
        self, config: TrainingConfig, model: PromptableModel, device: torch.device, kept: KeptMaps | None = None
    ):
        self.config = config
        self.device = device
        self.model = model.to(device)
        self.averaged = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.frozen = FrozenStages(frozen_stages(config, model), kept)
        for stage in all_stages(self.model)[: self.frozen.count]:
            stage.requires_grad_(False)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=config.learning_rate, fused=True)
        self.step = 0
        self.best = -1.0
        self._train_mode()

    def _groups(self) -> list[dict[str, Any]]:
        """What learns, by weight decay and rate; vectors do not decay."""
        encoder = {id(p) for p in self.model.image_encoder.parameters()}
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups = []
        for inside, share in ((False, 1.0), (True, self.config.encoder_rate)):
            for matrices, decay in ((True, self.config.weight_decay), (False, 0.0)):
                members = [p for p in trained if (id(p) in encoder) == inside and (p.ndim > 1) == matrices]
                if members:
                    groups.append({"params": members, "weight_decay": decay, "share": share})
        return groups

    def _train_mode(self) -> None:
        self.model.train()
        if self.config.freeze_statistics:
            for module in _statistics(self.model):
                module.eval()

    def advance(self, examples: tuple[Example, ...]) -> dict[str, float]:
        """Take one step.

        Parameters
        ----------
        examples : tuple of Example
            The step's images, all of one side.

        Returns
        -------
        dict of str to float
            What the log says of the step.

        Raises
        ------
        LiteMedSamError
            When the loss is no longer a number.
        """
        config = self.config
        rate = rate_at(config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        parts = self._losses(examples)
        side = max(example.targets.shape[-1] for example in examples)
        means = Losses(*(torch.stack(values).mean() for values in zip(*parts, strict=True)))
        if not torch.isfinite(means.total):
            raise LiteMedSamError(
                f"step {self.step}: the loss is {means.total.item()}", "lower learning_rate and resume from last.pth"
            )
        self.optimiser.zero_grad(set_to_none=True)
        means.total.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimiser.step()
        self.step += 1
        self._average()
        named = {name: round(value.item(), 5) for name, value in means._asdict().items()}
        return {"step": self.step, "side": side, "rate": rate, **named, "norm": round(norm.item(), 4)}

    def _losses(self, examples: tuple[Example, ...]) -> list[Losses]:
        parts = []
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.mixed):
            features = self.frozen.features(self.model, [example.pixels for example in examples], self.device)
            for k, example in enumerate(examples):
                one = type(features)(*(part[k : k + 1] for part in features))
                prompts = prompts_of(self.model, example, self.device)
                logits, iou = decode_window(self.model, one, prompts, example.origin, example.targets.shape[-1])
                boxes = prompts["boxes"] - prompts["boxes"].new_tensor(example.origin * 2)
                targets, valid = (torch.from_numpy(a).to(self.device) for a in (example.targets, example.valid))
                with torch.autocast(self.device.type, enabled=False):
                    parts.append(mask_losses(logits, iou, boxes, targets, valid))
        return parts

    @torch.no_grad()
    def _average(self) -> None:
        # The initial weights would otherwise stay in the average of a short run.
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        own = list(self.model.parameters())
        torch._foreach_lerp_(list(self.averaged.parameters()), own, 1 - decay)
        for kept, now in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            kept.copy_(now)

    def checkpoint(self) -> dict[str, Any]:
        """All that `restore` needs: tensors and plain values only."""
        return {
            "format": FORMAT,
            "config": {**asdict(self.config), "data": list(self.config.data)},
            "network": self.model.name,
            "prompts": list(self.model.prompts),
            "step": self.step,
            "best": self.best,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Go on from a checkpoint of the same configuration."""
        self.model.load_state_dict(content["model"])
        self.averaged.load_state_dict(content["averaged"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.best = content["step"], content["best"]
        torch.set_rng_state(content["random"])
        self._train_mode()


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


def frozen_stages(config: TrainingConfig, model: PromptableModel) -> int:
    """How many of the encoder's stages stay as they are.

    Raises
    ------
    LiteMedSamError
        When the encoder has fewer.
    """
    if config.frozen_stages > model.stages:
        raise LiteMedSamError(
            f"training setting 'frozen_stages' is {config.frozen_stages}, expected at most {model.stages}",
            "mend the configuration",
        )
    return model.stages if config.freeze_encoder else config.frozen_stages


def initial_model(config: TrainingConfig, init: str | Path | None) -> PromptableModel:
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


def resumed_model(config: TrainingConfig, saved: dict[str, Any]) -> PromptableModel:
    """The network of a run that goes on, with its weights: what is kept of its frozen stages is named by them."""
    name = saved["network"]
    model = next(known for known in MODELS if known.name == name)(config.frame)
    model.prompts = tuple(saved["prompts"])
    model.load_state_dict(saved["model"])
    return model


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
