"""Pictures of a network's masks on held-out images."""

from pathlib import Path

import cv2
import numpy as np
import torch

from ..models.interface import TrainableModel
from .config import TrainingConfig
from .kept import FrozenStages
from .measure import WHOLE, segment
from .samples import Sample

_TILE = 224
_COLUMNS = 3
_TRUTH, _FOUND = (0, 255, 0), (0, 0, 255)


def _outlined(sample: Sample, found: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    image = sample.image if sample.image.ndim == 3 else np.repeat(sample.image[..., None], 3, axis=2)
    height, width = image.shape[:2]
    factor = _TILE / max(height, width)
    size = (max(1, int(width * factor)), max(1, int(height * factor)))
    tile = np.zeros((_TILE, _TILE, 3), np.uint8)
    view = np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA)[..., ::-1])
    for colour, masks in ((_TRUTH, sample.masks[chosen]), (_FOUND, found)):
        for mask in masks:
            small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            lines, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(view, lines, -1, colour, 1)
    tile[: size[1], : size[0]] = view
    return tile


def save_examples(
    path: Path,
    model: TrainableModel,
    samples: dict[str, list[Sample]],
    config: TrainingConfig,
    device: torch.device,
    frozen: FrozenStages = WHOLE,
) -> None:
    """Write a PNG: one row per group, up to three images each; true outlines are green, predicted outlines red."""
    rows = []
    for members in samples.values():
        tiles = [_outlined(sample, *segment(model, sample, config, device, frozen)) for sample in members[:_COLUMNS]]
        tiles += [np.zeros_like(tiles[0])] * (_COLUMNS - len(tiles))
        rows.append(np.hstack(tiles))
    if rows:
        cv2.imwrite(str(path), np.vstack(rows))
