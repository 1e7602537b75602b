"""Synthetic volumes, cut into slices."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .acquisition import acquire
from .samples import Sample
from .shapes import ellipse_outline, filled, irregular_outline, smooth_noise

_MIN_PIXELS = 12
_DEPTH = 16


@dataclass(frozen=True)
class _Solid:
    """A body whose section shrinks with the distance from its middle slice, and drifts sideways."""

    outline: np.ndarray
    centre: np.ndarray
    middle: float
    half_depth: float
    drift: np.ndarray
    level: float
    soft: float

    def section(self, z: float, shape: tuple[int, int]) -> np.ndarray:
        height = (z - self.middle) / self.half_depth
        if abs(height) >= 1:
            return np.zeros(shape, bool)
        points = self.centre + (self.outline - self.centre) * np.sqrt(1 - height**2) + self.drift * height
        return filled(points, shape)


@dataclass(frozen=True)
class Phantom:
    """A synthetic volume.

    Attributes
    ----------
    images : ndarray
        uint8 (D, H, W).
    labels : ndarray
        uint8 (D, H, W), 0 for the background, 1, 2, … for the objects.
    """

    images: np.ndarray
    labels: np.ndarray

    def slices(self) -> list[Sample]:
        """The slices with an object of at least 12 pixels."""
        samples = []
        for image, labels in zip(self.images, self.labels, strict=True):
            numbers, counts = np.unique(labels[labels > 0], return_counts=True)
            kept = numbers[counts >= _MIN_PIXELS]
            if len(kept):
                samples.append(Sample(image, np.stack([labels == number for number in kept])))
        return samples


def _solid(rng: np.random.Generator, depth: int, side: int) -> _Solid:
    centre = rng.uniform(0.25, 0.75, 2) * side
    radius = side * float(np.exp(rng.uniform(np.log(0.04), np.log(0.2))))
    radii = (radius * rng.uniform(0.7, 1.4), radius)
    if rng.random() < 0.4:
        outline = ellipse_outline(tuple(centre), radii, rng.uniform(0, np.pi))
    else:
        outline = irregular_outline(rng, tuple(centre), radii, rng.uniform(0.1, 0.7))
    return _Solid(
        outline,
        centre,
        rng.uniform(0.2, 0.8) * depth,
        depth * rng.uniform(0.15, 0.6),
        rng.normal(0, 0.4, 2) * radius,
        rng.uniform(0, 1),
        rng.uniform(0, 2),
    )


def draw_phantom(rng: np.random.Generator, depth: int = _DEPTH, side: int = 128) -> Phantom:
    """Draw a volume: a body with one to six solids in it.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    depth, side : int
        The volume is (depth, side, side).

    Returns
    -------
    Phantom
        Later solids cover earlier solids; a solid may be hidden entirely.
    """
    return _draw(rng, depth, side, range(depth))


def draw_slice(rng: np.random.Generator, side: int = 256) -> Sample:
    """Draw one slice of a phantom of 16 slices, with at least one object; the other slices are not drawn."""
    while True:
        samples = _draw(rng, _DEPTH, side, [int(rng.integers(_DEPTH))]).slices()
        if samples:
            return samples[0]


def _draw(rng: np.random.Generator, depth: int, side: int, wanted: Sequence[int]) -> Phantom:
    shape = (side, side)
    solids = [_solid(rng, depth, side) for _ in range(int(rng.integers(1, 7)))]
    level, strength = rng.uniform(0.2, 0.8), rng.uniform(0, 0.1)
    # Blending two textures along z makes neighbouring slices alike.
    ends = [smooth_noise(rng, shape, side / rng.uniform(4, 40)) for _ in range(2)]
    body = filled(ellipse_outline((side / 2, side / 2), tuple(rng.uniform(0.38, 0.55, 2) * side), 0), shape)
    acquisition = int(rng.integers(2**31))
    images, labels = (np.zeros((len(wanted), *shape), np.uint8) for _ in range(2))
    for k, z in enumerate(wanted):
        turn = np.pi / 2 * z / depth
        grain = strength * (np.cos(turn) * ends[0] + np.sin(turn) * ends[1])
        picture = np.where(body, level + grain, 0).astype(np.float32)
        for number, solid in enumerate(solids, start=1):
            mask = solid.section(z, shape) & body
            labels[k][mask] = number
            alpha = mask.astype(np.float32)
            alpha = cv2.GaussianBlur(alpha, (0, 0), solid.soft) if solid.soft > 0.3 else alpha
            picture += alpha * (solid.level + grain - picture)
        # All slices come from one scanner: the same seed gives each the same chain.
        images[k] = acquire(np.random.default_rng(acquisition), picture)
    return Phantom(images, labels)
