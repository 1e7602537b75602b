"""Scenes that imitate X-ray projections: chest and breast."""

import cv2
import numpy as np

from ..shapes import blob, dome, ellipse_outline, filled, tube
from .canvas import Canvas, Size, fading, spot, spot_in, surfaced


def chest(rng: np.random.Generator, size: Size) -> Canvas:
    """Lung fields, heart, ribs and clouds."""
    height, width = size
    level = rng.uniform(0.5, 0.85)
    canvas = Canvas(surfaced(rng, size, level, rng.uniform(0.02, 0.08)))
    centre_x = width * rng.uniform(0.45, 0.55)
    lungs = []
    for side in (-1, 1):
        middle = (centre_x + side * width * rng.uniform(0.18, 0.25), height * rng.uniform(0.42, 0.55))
        radii = (width * rng.uniform(0.12, 0.2), height * rng.uniform(0.25, 0.38))
        lung = filled(_lung_outline(rng, middle, radii, side), size)
        surface = surfaced(rng, size, level * rng.uniform(0.2, 0.75), 0.04)
        canvas.paint(lung, surface, rng.uniform(1, 4), fading(rng, size))
        lungs.append(lung)
    for lung in lungs:
        canvas.add(lung, covers=False)
    heart = blob(rng, size, (centre_x + 0.05 * width, height * 0.65), width * rng.uniform(0.1, 0.18), 0.15)
    heart |= filled(ellipse_outline((centre_x, height * 0.45), (width * 0.06, height * 0.4), 0), size)
    canvas.paint(heart, level * rng.uniform(1, 1.25), rng.uniform(1, 4), rng.uniform(0.5, 1))
    if rng.random() < 0.7:
        canvas.add(heart)
    for k in range(int(rng.integers(0, 14))):
        y = height * (0.15 + 0.06 * k)
        for side in (-1, 1):
            xs = np.linspace(0, 0.42 * width, 16)
            path = np.stack([centre_x + side * xs, y + 0.5 * xs - 0.4 * xs**2 / (0.4 * width) * 2.2], axis=1)
            rib = np.zeros(size, np.uint8)
            cv2.polylines(rib, [np.rint(path).astype(np.int32)], False, 1, max(1, int(0.02 * height)))
            canvas.picture += rng.uniform(0.02, 0.12) * cv2.GaussianBlur(rib.astype(np.float32), (0, 0), 1.2)
    for _ in range(int(rng.integers(0, 5))):
        cloud = blob(rng, size, spot(rng, size), width * rng.uniform(0.03, 0.15))
        canvas.paint(cloud, level, width * 0.03, rng.uniform(0.1, 0.7))
    return canvas


def _lung_outline(
    rng: np.random.Generator, centre: tuple[float, float], radii: tuple[float, float], side: int
) -> np.ndarray:
    """Outline float (k, 2) of a lung field, pointed above, broad and hollow below; `side` is −1 or 1."""
    theta = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    x, y = np.cos(theta), np.sin(theta)
    narrow = 1 + rng.uniform(0.1, 0.4) * y
    low = y > 0
    floor = np.where(low, y * (1 - rng.uniform(0, 0.5) * np.clip(-side * x, 0, 1)), y)
    wave = 1 + 0.04 * rng.normal() * np.cos(3 * theta + rng.uniform(0, 6)) + 0.03 * rng.normal() * np.cos(5 * theta)
    dent = 1 - rng.uniform(0, 0.5) * ((side * x < 0) & low) * y
    return np.stack([centre[0] + radii[0] * x * narrow * wave * dent, centre[1] + radii[1] * floor * wave], axis=1)


def breast(rng: np.random.Generator, size: Size) -> Canvas:
    """A breast with gland, muscle, lumps and strands."""
    height, width = size
    level = rng.uniform(0.25, 0.5)
    canvas = Canvas(np.full(size, rng.uniform(0, 0.05), np.float32))
    radii = (width * rng.uniform(0.6, 0.95), height * rng.uniform(0.38, 0.55))
    breast = filled(ellipse_outline((0, height * rng.uniform(0.45, 0.6)), radii, 0), size)
    canvas.paint(breast, surfaced(rng, size, level, 0.05) + 0.1 * dome(breast), 2)
    if rng.random() < 0.3:
        canvas.add(breast, covers=False)
    centre = (width * rng.uniform(0.15, 0.4), height * rng.uniform(0.4, 0.6))
    gland = blob(rng, size, centre, width * rng.uniform(0.1, 0.28), rng.uniform(0.4, 1)) & breast
    canvas.paint(gland, surfaced(rng, size, level + rng.uniform(0.1, 0.4), 0.12), rng.uniform(1, 6))
    canvas.add(gland)
    if rng.random() < 0.6:
        bow = rng.uniform(-0.1, 0.1) * width
        across, down = width * rng.uniform(0.2, 0.6), height * rng.uniform(0.25, 0.75)
        line = np.linspace(0, 1, 20)
        hem = np.stack([across * (1 - line) + bow * np.sin(np.pi * line), down * line], axis=1)
        muscle = filled(np.concatenate([[[0, 0]], hem]), size)
        surface = surfaced(rng, size, level + rng.uniform(0.1, 0.45), 0.04)
        canvas.paint(muscle, surface, rng.uniform(1, 4), fading(rng, size))
        canvas.add(muscle)
    for _ in range(int(rng.integers(0, 3))):
        lump = blob(rng, size, spot_in(rng, breast), width * rng.uniform(0.02, 0.1)) & breast
        canvas.paint(lump, level + rng.uniform(0.15, 0.5), rng.uniform(0.5, 3))
        canvas.add(lump, covers=False)
    for _ in range(int(rng.integers(0, 12))):
        strand = tube(rng, size, spot_in(rng, breast), width * 0.4, rng.uniform(1, 3)) & breast
        canvas.paint(strand, level + 0.25, 1, rng.uniform(0.2, 0.6))
    return canvas
