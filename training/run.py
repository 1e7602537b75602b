"""The state of a run between two steps (network, average, optimiser), and one step."""

import copy
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import LiteMedSamError
from ..models.interface import ImageFeatures, TrainableModel
from .config import TrainingConfig
from .corrections import CorrectedPrompts, simulated
from .decoding import Group, groups
from .distillation import Teacher
from .examples import Example
from .kept import FrozenStages, KeptMaps, all_stages, frozen_stages
from .layout import batch_of, keep_channels_last
from .losses import Losses, mask_losses
from .precision import takes_bfloat16

# Version of the checkpoint's layout.
FORMAT = 2
# Differs from the last numbers of the examples' random streams, which are the images of a step.
_CORRECTIONS = 2**31 - 1
_HALF = 0.5


def rate_at(config: TrainingConfig, step: int) -> float:
    """Learning rate of a step, counted from 0: a linear rise, then a cosine down to `last_rate` of the peak."""
    rise = min(1.0, (step + 1) / (config.warm_up + 1))
    progress = max(0, step - config.warm_up) / max(1, config.steps - config.warm_up)
    fall = config.last_rate + (1 - config.last_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.learning_rate * rise * fall


def _statistics(model: TrainableModel) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


class Run:
    """The state of a run between two steps.

    Parameters
    ----------
    config : TrainingConfig
    model : TrainableModel
        With its initial weights; the run owns it from now on.
    device : torch.device
    kept : KeptMaps, optional
        Stores the maps that the encoder's frozen stages compute from an image.
    teacher : Teacher, optional
        Gives the maps that the encoder learns beside the masks.

    Attributes
    ----------
    model, averaged : TrainableModel
        The trained and the averaged network.
    step : int
        Steps done.
    best : float
        Best mean DSC measured so far; −1 before the first measurement.
    """

    def __init__(
        self,
        config: TrainingConfig,
        model: TrainableModel,
        device: torch.device,
        kept: KeptMaps | None = None,
        teacher: Teacher | None = None,
    ):
        self.config = config
        self.device = device
        self.teacher = teacher
        self.model = model.to(device)
        keep_channels_last(self.model)
        self.averaged = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.frozen = FrozenStages(frozen_stages(config, model), kept)
        for stage in all_stages(self.model)[: self.frozen.count]:
            stage.requires_grad_(False)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=config.learning_rate, fused=True)
        self.step = 0
        self.best = -1.0
        self._train_mode()

    def _groups(self) -> list[dict[str, Any]]:
        """Parameter groups by weight decay and learning rate; vectors do not decay."""
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
        # Frozen stages must compute the same maps as those that are kept on disk.
        for stage in all_stages(self.model)[: self.frozen.count]:
            stage.eval()

    def advance(self, examples: tuple[Example, ...]) -> dict[str, float]:
        """Take one step.

        Parameters
        ----------
        examples : tuple of Example
            The step's images; the sides of their targets may differ.

        Returns
        -------
        dict of str to float
            The step's line of the log.

        Raises
        ------
        LiteMedSamError
            When the loss is infinite or not a number.
        """
        config = self.config
        rate = rate_at(config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        side = max(example.targets.shape[-1] for example in examples)
        means, errors = self._losses(examples)
        loss = means.total + config.distillation * errors.sum()
        if not torch.isfinite(loss):
            raise LiteMedSamError(
                f"step {self.step}: the loss is {loss.item()}, expected a finite number",
                "start a new run with a lower learning_rate, in another folder (--out)",
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimiser.step()
        self.step += 1
        self._average()
        named = {name: round(value.item(), 5) for name, value in means._asdict().items()}
        if self.teacher is not None:
            named["maps"] = [round(error, 4) for error in errors.tolist()]
        return {"step": self.step, "side": side, "rate": rate, **named, "norm": round(norm.item(), 4)}

    def _losses(self, examples: tuple[Example, ...]) -> tuple[Losses, torch.Tensor]:
        """The losses of the masks, and the errors of the encoder's maps, float32 (5,) or without a teacher (0,).

        Losses are means over all objects, of the boxes' masks and, in steps with corrections, of the corrected ones.
        """
        mixed = takes_bfloat16(self.config, self.device)
        rng = np.random.default_rng([self.config.seed, self.step, _CORRECTIONS])
        rounds = int(rng.integers(self.config.corrections + 1))
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**63)))
        shares, parts = [], []
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            features, errors = self._features([example.pixels for example in examples])
            for group in groups(self.model, features, examples, self.device):
                losses = self._corrected(generator, group, rounds)
                parts += losses
                shares += [len(group.targets) / len(losses)] * len(losses)
        weights = torch.tensor(shares, device=self.device) / sum(shares)
        return Losses(*(torch.stack(values) @ weights for values in zip(*parts, strict=True))), errors

    def _features(self, images: list[np.ndarray]) -> tuple[ImageFeatures, torch.Tensor]:
        if self.teacher is None:
            return self.frozen.features(self.model, images, self.device), torch.zeros(0, device=self.device)
        return self.teacher.compared(self.model, batch_of(images, self.device))

    def _corrected(self, generator: torch.Generator, group: Group, rounds: int) -> list[Losses]:
        """Losses of the first masks and, after some rounds of corrections, of the last ones."""

        def losses(logits: torch.Tensor, iou: torch.Tensor) -> Losses:
            with torch.autocast(self.device.type, enabled=False):
                return mask_losses(logits, iou, group.boxes, group.targets, group.valid)

        logits, iou = group.windows.decode(self.model, group.prompts)
        found = [losses(logits, iou)]
        given = CorrectedPrompts(group.origins, group.prompts)
        for k in range(rounds):
            made = simulated(generator, logits.detach()[:, 0] > 0, group.targets >= _HALF, group.valid)
            given = given.corrected(made, logits)
            with torch.set_grad_enabled(k == rounds - 1):
                logits, iou = group.windows.decode(self.model, given.prompts)
        return [*found, losses(logits, iou)] if rounds else found

    @torch.no_grad()
    def _average(self) -> None:
        # The average starts late: otherwise a short run would keep much of its initial weights.
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        own: list[torch.Tensor] = list(self.model.parameters())
        torch._foreach_lerp_(list(self.averaged.parameters()), own, 1 - decay)
        for kept, now in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            kept.copy_(now)

    def checkpoint(self) -> dict[str, Any]:
        """Everything that `restore` needs, as tensors and plain values."""
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
        """Continue from a checkpoint of the same configuration."""
        self.model.load_state_dict(content["model"])
        self.averaged.load_state_dict(content["averaged"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.best = content["step"], content["best"]
        torch.set_rng_state(content["random"])
        self._train_mode()
