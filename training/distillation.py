"""Distillation: Swin-LiteMedSAM's encoder learns to give the maps of LiteMedSAM's, stage by stage.

No masks are needed, so every image teaches the whole encoder. The stages are those of equal width; two of them stand
beside a map that the teacher has between its stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from ..errors import LiteMedSamError
from ..models import LiteMedSAM, SwinLiteMedSAM, load_checkpoint
from .config import TrainingConfig
from .layout import keep_channels_last

if TYPE_CHECKING:
    from ..models.interface import ImageFeatures, TrainableModel
    from ..models.tiny_vit import Layer

# Shares of stages 1 to 4 and of the embedding in the error.
SHARES = (0.3, 0.3, 0.3, 0.5, 1.0)


def student_modules(model: TrainableModel) -> tuple[nn.Module, ...]:
    """The modules of Swin-LiteMedSAM whose maps are compared: the four stages and the neck."""
    return model.image_encoder.all_stages[1:]


def teacher_modules(model: LiteMedSAM) -> tuple[nn.Module, ...]:
    """The modules that give the same maps in the teacher: blocks and mergings of its layers, and its neck."""
    _, first, second, last = (cast("Layer", layer) for layer in model.image_encoder.layers)
    return first.blocks[-1], first, second.blocks[-1], last, model.image_encoder.neck


@contextmanager
def recorded(modules: Sequence[nn.Module]) -> Iterator[list[torch.Tensor]]:
    """Record the outputs of some modules, in the order in which they run."""
    maps: list[torch.Tensor] = []
    hooks = [module.register_forward_hook(lambda _, __, output: maps.append(output)) for module in modules]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()


def unexplained(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Fraction of variance unexplained: squared error over the variance of the target.

    Parameters
    ----------
    found : Tensor
        (B, C, H, W).
    wanted : Tensor
        (B, C', H, W); if C is a multiple of C', each of its channels is wanted C / C' times.

    Returns
    -------
    Tensor
        () in float32; 0 for equal maps, 1 for the mean of each channel.
    """
    wanted = wanted.float()
    error = found.float() - wanted.repeat(1, found.shape[1] // wanted.shape[1], 1, 1)
    spread = wanted - wanted.mean((0, 2, 3), keepdim=True)
    return error.square().mean() / spread.square().mean().clamp(min=1e-6)


def load_teacher(checkpoint: str | Path, device: torch.device) -> LiteMedSAM:
    """Load the network that teaches, in evaluation mode and without gradients.

    Raises
    ------
    LiteMedSamError
        When the weights are those of another network.
    """
    model = load_checkpoint(checkpoint)
    if not isinstance(model, LiteMedSAM):
        raise LiteMedSamError(
            f"{checkpoint}: weights of {model.name}, expected weights of litemedsam as teacher",
            "give weights of LiteMedSAM with --teacher",
        )
    keep_channels_last(model)
    return model.to(device).requires_grad_(False).eval()


class Teacher:
    """LiteMedSAM's image encoder, whose maps a student learns.

    Parameters
    ----------
    checkpoint : path
        Weights of LiteMedSAM.
    device : torch.device

    Raises
    ------
    LiteMedSamError
        When the weights are those of another network.
    """

    def __init__(self, checkpoint: str | Path, device: torch.device):
        self._model = load_teacher(checkpoint, device)

    def maps(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The maps of stages 1 to 4 and the embedding.

        Parameters
        ----------
        images : Tensor
            float32 (B, 3, S, S) in [0, 1].

        Returns
        -------
        list of Tensor
            (B, 128, S/2, S/2), (B, 160, S/4, S/4) twice, (B, 320, S/4, S/4), (B, 256, S/4, S/4), without gradients.
        """
        modules = teacher_modules(self._model)
        with torch.no_grad(), recorded(modules) as maps:
            self._model.image_encoder(images)
        return maps

    def compared(self, student: TrainableModel, images: torch.Tensor) -> tuple[ImageFeatures, torch.Tensor]:
        """Encode images with the student and compare its maps with the teacher's.

        Parameters
        ----------
        student : TrainableModel
            A Swin-LiteMedSAM.
        images : Tensor
            float32 (B, 3, S, S) in [0, 1].

        Returns
        -------
        features : ImageFeatures
            Of the student.
        errors : Tensor
            float32 (5,), see `unexplained`; times `SHARES`.
        """
        with recorded(student_modules(student)) as own:
            features = student.encode(images)
        errors = [unexplained(found, wanted) for found, wanted in zip(own, self.maps(images), strict=True)]
        return features, torch.stack(errors) * torch.tensor(SHARES, device=images.device)


def teacher_of(
    config: TrainingConfig, model: TrainableModel, checkpoint: str | Path | None, device: torch.device
) -> Teacher | None:
    """The teacher that a configuration asks for.

    Raises
    ------
    LiteMedSamError
        When `checkpoint` and ``config.distillation`` do not go together, the student is no Swin-LiteMedSAM, or a part
        of its encoder is frozen.
    """
    if not config.distillation and checkpoint is None:
        return None
    if not config.distillation or checkpoint is None:
        given = "no teacher" if checkpoint is None else f"the teacher {checkpoint}"
        raise LiteMedSamError(
            f"training setting 'distillation' is {config.distillation}, with {given}, expected both or none",
            "give --teacher FILE with distillation above 0, or neither",
        )
    if not isinstance(model, SwinLiteMedSAM):
        raise LiteMedSamError(
            f"training setting 'distillation' is {config.distillation}, expected 0 for weights of {model.name}",
            "set distillation = 0, or start from weights of Swin-LiteMedSAM",
        )
    refuse_frozen(config)
    return Teacher(checkpoint, device)


def refuse_frozen(config: TrainingConfig) -> None:
    """Raise `LiteMedSamError` if a part of the encoder that should learn a teacher's maps is frozen."""
    if config.freeze_encoder or config.frozen_stages:
        raise LiteMedSamError(
            "training setting 'distillation': the whole encoder learns the teacher's maps, but stages are frozen",
            "set freeze_encoder = false and frozen_stages = 0, or distillation = 0",
        )
