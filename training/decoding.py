"""The decoder in training: the prompts of several images at once, on whole frames or on windows of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..models.prompt_encoder import PADDING_LABEL

if TYPE_CHECKING:
    from ..models.interface import ImageFeatures, TrainableModel
    from .examples import Example

# The prompts that examples hold under the names of `PromptableModel.decode`.
_HELD = ("boxes", "points", "scribbles")


def prompts_of(model: TrainableModel, examples: Sequence[Example], device: torch.device) -> dict[str, torch.Tensor]:
    """The prompts of some examples that the model's `decode` takes, by name, without any correction."""
    taken = {name: np.concatenate([getattr(one, name) for one in examples]) for name in model.prompts if name in _HELD}
    prompts = {name: torch.from_numpy(array).to(device) for name, array in taken.items()}
    if "labels" in model.prompts:
        count = len(taken["boxes"])
        prompts["points"] = torch.zeros((count, 1, 2), device=device)
        prompts["labels"] = torch.full((count, 1), PADDING_LABEL, device=device)
    return prompts


def by_side(examples: Sequence[Example]) -> list[list[int]]:
    """The places of the examples in their sequence, in groups whose targets have one side."""
    groups = defaultdict(list)
    for place, example in enumerate(examples):
        groups[example.targets.shape[-1]].append(place)
    return list(groups.values())


@dataclass(frozen=True)
class Windows:
    """Windows of some images, each with prompts of its own, as the decoder sees them.

    Attributes
    ----------
    features : ImageFeatures
        Of n windows: one entry for each prompt, or one in all if there is a single image.
    position : Tensor
        (S/4 · S/4, 256) or (n, S/4 · S/4, 256), the windows' positional encoding.
    """

    features: ImageFeatures
    position: torch.Tensor

    @classmethod
    def of(
        cls,
        model: TrainableModel,
        features: ImageFeatures,
        counts: Sequence[int],
        origins: Sequence[tuple[int, int]],
        side: int,
    ) -> Windows:
        """Cut the windows.

        Parameters
        ----------
        model : TrainableModel
        features : ImageFeatures
            Feature maps of each image's window alone, or of its whole frame.
        counts : sequence of int
            Number of prompts on each image.
        origins : sequence of (int, int)
            x, y of each window's first pixel in its frame, multiples of 4.
        side : int
            S, the windows' side.
        """
        cells, kept = model.frame // 4, side // 4
        cut = kept < features.image_embedding.shape[-1]
        grid = model.prompt_encoder.pe_layer.grid(cells).unflatten(0, (cells, cells))
        places = [(x // 4, y // 4) for x, y in origins]
        owners = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)).to(grid.device)

        def windows(maps: torch.Tensor) -> torch.Tensor:
            if cut:
                factor = maps.shape[-1] // cells
                maps = torch.stack([_part(maps[k], factor, x, y, kept) for k, (x, y) in enumerate(places)])
            return maps if len(counts) == 1 else maps[owners]

        if len(set(places)) == 1:
            x, y = places[0]
            return cls(features.map(windows), grid[y : y + kept, x : x + kept].flatten(0, 1))
        position = torch.stack([grid[y : y + kept, x : x + kept].flatten(0, 1) for x, y in places])
        return cls(features.map(windows), position[owners])

    def decode(self, model: TrainableModel, prompts: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode n prompts.

        Parameters
        ----------
        model : TrainableModel
        prompts : dict of str to Tensor
            As `PromptableModel.decode` takes them, in pixels of the frame; ``scribbles`` (n, 1, S, S) of the windows.

        Returns
        -------
        logits, iou : Tensor
            (n, 1, S, S) and (n,), as `PromptableModel.decode` gives them for a whole frame.
        """
        return model.mask_decoder(self.features, self.position, *model.encode_prompts(**prompts))


def _part(feature_map: torch.Tensor, factor: int, x: int, y: int, side: int) -> torch.Tensor:
    x, y, side = x * factor, y * factor, side * factor
    return feature_map[..., y : y + side, x : x + side]


@dataclass(frozen=True)
class Group:
    """Examples of one side, ready for the decoder and the losses.

    Attributes
    ----------
    windows : Windows
    prompts : dict of str to Tensor
        Of all n objects, in pixels of their frames.
    boxes : Tensor
        (n, 4) in pixels of the windows.
    origins : Tensor
        float32 (n, 2), x, y of each object's window.
    targets, valid : Tensor
        float32 and bool (n, S, S).
    """

    windows: Windows
    prompts: dict[str, torch.Tensor]
    boxes: torch.Tensor
    origins: torch.Tensor
    targets: torch.Tensor
    valid: torch.Tensor


def groups(
    model: TrainableModel, features: ImageFeatures, examples: Sequence[Example], device: torch.device
) -> list[Group]:
    """Sort examples by side.

    Parameters
    ----------
    model : TrainableModel
    features : ImageFeatures
        Of all their images, in order.
    examples : sequence of Example
    device : torch.device
    """
    made = []
    for members in by_side(examples):
        chosen = [examples[k] for k in members]
        counts = [len(one.boxes) for one in chosen]
        own = features if len(members) == len(examples) else features.map(itemgetter(members))
        prompts = prompts_of(model, chosen, device)
        repeats = torch.tensor(counts, device=device)
        origins = torch.tensor([one.origin for one in chosen], dtype=torch.float32, device=device)
        origins = origins.repeat_interleave(repeats, dim=0)
        valid = torch.from_numpy(np.stack([one.valid for one in chosen])).to(device)
        made.append(
            Group(
                Windows.of(model, own, counts, [one.origin for one in chosen], chosen[0].targets.shape[-1]),
                prompts,
                prompts["boxes"] - origins.repeat(1, 2),
                origins,
                torch.from_numpy(np.concatenate([one.targets for one in chosen])).to(device),
                valid.repeat_interleave(repeats, dim=0),
            )
        )
    return made
