"""The families of scenes and their shares. One scene is drawn, passed through a simulated detector and marked."""

from collections.abc import Callable

import cv2
import numpy as np

from ..acquisition import acquire
from ..samples import Sample
from .canvas import MAX_OBJECTS, Canvas, Size
from .photographs import cells, endoscopy, fundus, skin
from .projections import breast, chest
from .sections import abstract, emission, layers, tomography, ultrasound

Family = Callable[[np.random.Generator, Size], Canvas]

FAMILIES: dict[str, tuple[Family, float]] = {
    "tomography": (tomography, 0.27),
    "abstract": (abstract, 0.07),
    "skin": (skin, 0.09),
    "endoscopy": (endoscopy, 0.09),
    "fundus": (fundus, 0.05),
    "cells": (cells, 0.11),
    "ultrasound": (ultrasound, 0.12),
    "layers": (layers, 0.05),
    "chest": (chest, 0.07),
    "breast": (breast, 0.05),
    "emission": (emission, 0.03),
}
"""For each family, the function that draws it and its share of the scenes."""


def _write_text(rng: np.random.Generator, pixels: np.ndarray) -> None:
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(chr(code) for code in rng.integers(48, 91, int(rng.integers(1, 9))))
        where = (int(rng.integers(pixels.shape[1])), int(rng.choice([0.05, 0.1, 0.95]) * pixels.shape[0]))
        level = int(rng.integers(150, 256))
        cv2.putText(pixels, text, where, cv2.FONT_HERSHEY_SIMPLEX, pixels.shape[0] / 700, (level,) * 3, 1)


def _size(rng: np.random.Generator, side: int) -> Size:
    short = max(32, int(side * (1 if rng.random() < 0.4 else rng.uniform(0.6, 1))))
    return (side, short) if rng.random() < 0.4 else (short, side)


def draw_scene(rng: np.random.Generator, side: int = 256, family: str | None = None) -> Sample:
    """Draw one scene.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    side : int
        Longer side of the scene in pixels, at least 32; emission scenes are up to six times smaller.
    family : str, optional
        A key of `FAMILIES`; random by their shares by default.

    Returns
    -------
    Sample
        The image, grey or in colour, with at least one object of at least 12 pixels.
    """
    names = list(FAMILIES)
    weights = np.array([weight for _, weight in FAMILIES.values()])
    while True:
        name = family or names[int(rng.choice(len(names), p=weights / weights.sum()))]
        long = max(32, int(side * rng.uniform(0.15, 0.4))) if name == "emission" else side
        size = _size(rng, long)
        canvas = FAMILIES[name][0](rng, size)
        pixels = acquire(rng, canvas.picture, 0.5 if name == "emission" else 1.0)
        masks = canvas.objects()
        if not masks:
            continue
        if rng.random() < 0.1:
            _write_text(rng, pixels)
        masks = [masks[k] for k in rng.permutation(len(masks))[:MAX_OBJECTS]]
        sample = Sample(pixels, np.stack(masks))
        return _padded(rng, sample) if rng.random() < 0.1 else sample


def _padded(rng: np.random.Generator, sample: Sample) -> Sample:
    height, width = sample.image.shape[:2]
    top, bottom, left, right = (int(rng.integers(0, max(height, width) // 6 + 1)) for _ in range(4))
    border = ((top, bottom), (left, right))
    fill = int(rng.choice([0, 255, int(rng.integers(256))], p=[0.8, 0.1, 0.1]))
    image = np.pad(sample.image, border + ((0, 0),) * (sample.image.ndim - 2), constant_values=fill)
    return Sample(image, np.pad(sample.masks, ((0, 0), *border)))
