"""Scenes that imitate photographs: skin, the gut, the back of the eye, cells under a microscope."""

import cv2
import numpy as np

from ..shapes import (
    blob,
    cell_mosaic,
    dome,
    ellipse_outline,
    filled,
    half_plane,
    irregular_outline,
    ring,
    smooth_noise,
    texture,
    tube,
)
from .canvas import MAX_OBJECTS, MIN_PIXELS, Canvas, Size, colourised, fading, spot, spot_in, surfaced


def _specular(rng: np.random.Generator, canvas: Canvas, count: int) -> None:
    for _ in range(count):
        glint = blob(rng, canvas.size, spot(rng, canvas.size, 0), rng.uniform(0.004, 0.02) * max(canvas.size))
        canvas.paint(glint, 1.0, rng.uniform(0.3, 1.2), rng.uniform(0.5, 1))


def _round_view(rng: np.random.Generator, canvas: Canvas, smallest: float = 0.47) -> None:
    height, width = canvas.size
    radius = max(height, width) * rng.uniform(smallest, 0.6)
    view = filled(ellipse_outline((width / 2, height / 2), (radius, radius), 0), canvas.size)
    canvas.picture[~view] = rng.uniform(0, 0.05)
    for mask in canvas.masks:
        mask &= view


def skin(rng: np.random.Generator, size: Size) -> Canvas:
    """A pigmented lesion on skin, with patches, hairs and sometimes the round edge of a dermatoscope."""
    tone = np.array([0.85, 0.66, 0.58]) * rng.uniform(0.6, 1.15) + rng.normal(0, 0.06, 3)
    base = tone + 0.03 * texture(rng, size)[..., None] + rng.normal(0, 0.015, 3) * texture(rng, size)[..., None]
    canvas = Canvas(base.astype(np.float32))
    radius = max(size) * rng.uniform(0.08, 0.36)
    rough = rng.uniform(0.1, 0.9)
    mask = blob(rng, size, spot(rng, size, 0.35), radius, rough)
    pigment = np.clip(tone * rng.uniform(0.3, 0.85) + rng.normal(0, 0.08, 3), 0, 1)
    surface = (pigment + 0.07 * texture(rng, size)[..., None]).astype(np.float32)
    canvas.paint(mask, surface, rng.uniform(0.5, 6) * max(size) / 256, fading(rng, size))
    canvas.add(mask)
    for _ in range(int(rng.integers(0, 5))):
        patch = blob(rng, size, spot_in(rng, mask), radius * rng.uniform(0.15, 0.6)) & mask
        shift = pigment * rng.uniform(0.4, 1.3)
        canvas.paint(patch, np.clip(shift, 0, 1).astype(np.float32), rng.uniform(1, 4), rng.uniform(0.3, 0.9))
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(3, 25))):
            hair = tube(rng, size, spot(rng, size, 0), max(size) * rng.uniform(0.2, 0.8), rng.uniform(0.6, 2))
            canvas.paint(hair, rng.uniform(0.02, 0.3), 0.5, rng.uniform(0.4, 0.95))
    if rng.random() < 0.3:
        _round_view(rng, canvas)
    return canvas


def endoscopy(rng: np.random.Generator, size: Size) -> Canvas:
    """Polyps on the wet, lit and folded wall of a gut, with holes and highlights."""
    tone = np.array([0.75, 0.38, 0.28]) * rng.uniform(0.7, 1.2) + rng.normal(0, 0.06, 3)
    relief = texture(rng, size, 4)
    light = 1 + 0.12 * relief
    for _ in range(int(rng.integers(0, 6))):
        length, width = (max(size) * rng.uniform(*span) for span in ((0.3, 1), (0.02, 0.08)))
        fold = tube(rng, size, spot(rng, size, 0), length, width)
        light += rng.uniform(-0.3, 0.3) * cv2.GaussianBlur(fold.astype(np.float32), (0, 0), max(size) * 0.015)
    canvas = Canvas((tone * light[..., None]).astype(np.float32))
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    for _ in range(1 if rng.random() < 0.75 else 2):
        radius = max(size) * rng.uniform(0.05, 0.3)
        centre = spot(rng, size, 0.2)
        mask = blob(rng, size, centre, radius, rng.uniform(0, 0.5))
        height = dome(mask)
        heading = rng.uniform(0, 2 * np.pi)
        slope = ((x - centre[0]) * np.cos(heading) + (y - centre[1]) * np.sin(heading)) / radius
        lit = 0.85 + rng.uniform(0, 0.35) * np.sqrt(height) + rng.uniform(0, 0.2) * slope
        own = tone * rng.uniform(0.85, 1.2) + rng.normal(0, 0.04, 3)
        surface = own * (lit + 0.07 * texture(rng, size))[..., None]
        canvas.paint(mask, surface.astype(np.float32), rng.uniform(0.4, 2.5), fading(rng, size))
        if rng.random() < 0.5:
            rim = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~mask
            canvas.paint(rim & half_plane(rng, size, centre, 0), 0.1, 2, rng.uniform(0.2, 0.6))
        canvas.add(mask)
    if rng.random() < 0.5:
        hole = blob(rng, size, spot(rng, size), max(size) * rng.uniform(0.05, 0.2))
        canvas.paint(hole, 0.08, max(size) * 0.02, rng.uniform(0.4, 0.95))
        for mask in canvas.masks:
            mask &= ~hole
    _specular(rng, canvas, int(rng.integers(0, 25)))
    if rng.random() < 0.5:
        _round_view(rng, canvas, 0.5)
    return canvas


def fundus(rng: np.random.Generator, size: Size) -> Canvas:
    """The back of an eye: optic disc, cup, vessels."""
    tone = np.array([0.75, 0.36, 0.16]) * rng.uniform(0.7, 1.25) + rng.normal(0, 0.05, 3)
    canvas = Canvas((tone * (1 + 0.08 * texture(rng, size, 3))[..., None]).astype(np.float32))
    radius = max(size) * rng.uniform(0.05, 0.2)
    centre = spot(rng, size, 0.25)
    stretch = rng.uniform(0.85, 1.2)
    outline = ellipse_outline(centre, (radius, radius * stretch), rng.uniform(0, np.pi))
    if rng.random() < 0.3:
        outline = irregular_outline(rng, centre, (radius, radius * stretch), 0.15)
    disc = filled(outline, size)
    bright = np.clip(tone * rng.uniform(1.15, 1.6) + np.array([0.05, 0.15, 0.1]), 0, 1)
    soft = rng.uniform(0.5, 4) * max(size) / 256
    if rng.random() < 0.5:
        halo = blob(rng, size, (centre[0] + radius * rng.normal(0, 0.3), centre[1]), radius * 1.3)
        canvas.paint(halo, (tone * 1.15).astype(np.float32), 4, 0.5)
    canvas.paint(disc, bright.astype(np.float32), soft, fading(rng, size))
    canvas.add(disc)
    if rng.random() < 0.7:
        cup = filled(ellipse_outline(centre, (radius * 0.5, radius * rng.uniform(0.3, 0.6)), rng.uniform(0, 3)), size)
        canvas.paint(cup, np.clip(bright * 1.2, 0, 1).astype(np.float32), soft)
        canvas.add(cup, covers=False)
    for _ in range(int(rng.integers(6, 16))):
        start = (centre[0] + rng.normal(0, radius / 4), centre[1] + rng.normal(0, radius / 4))
        vessel = tube(rng, size, start, max(size) * rng.uniform(0.3, 0.8), max(1, radius * rng.uniform(0.04, 0.2)))
        canvas.paint(vessel, (tone * rng.uniform(0.35, 0.7)).astype(np.float32), 0.6, rng.uniform(0.5, 0.9))
    if rng.random() < 0.5:
        shade = blob(rng, size, spot(rng, size, 0.2), radius)
        canvas.paint(shade, (tone * 0.6).astype(np.float32), radius / 2, 0.6)
    if rng.random() < 0.7:
        _round_view(rng, canvas)
    return canvas


def cells(rng: np.random.Generator, size: Size) -> Canvas:
    """Cells or nuclei on a background: fluorescent, bright-field, stained, or a mosaic without gaps."""
    style = rng.random()
    radius = max(size) * float(np.exp(rng.uniform(np.log(0.012), np.log(0.09))))
    if style < 0.2:
        return _mosaic(rng, size, radius * 1.5)
    spans = ((0, 0.2), (0.25, 1)) if style < 0.6 else ((0.6, 1), (0.1, 0.6))
    ground, cell = (rng.uniform(*span) for span in spans)
    canvas = Canvas(surfaced(rng, size, ground, rng.uniform(0, 0.08)))
    rough = rng.uniform(0, 0.5)
    hollow = rng.random() < 0.2
    crowd = np.ones(size, bool) if rng.random() < 0.5 else smooth_noise(rng, size, max(size) / 4) > 0
    count = int(min(MAX_OBJECTS, rng.uniform(0.1, 0.7) * size[0] * size[1] / (4 * radius**2)))
    taken = np.zeros(size, bool)
    soft = rng.uniform(0, 1.5)
    for _ in range(max(3, count)):
        centre, own = spot_in(rng, crowd), radius * np.exp(rng.normal(0, 0.2))
        stretch = np.exp(rng.normal(0, 0.2))
        mask = filled(irregular_outline(rng, centre, (own * stretch, own / stretch), rough * rng.random()), size)
        overlap = np.count_nonzero(mask & taken)
        if overlap > 0.25 * np.count_nonzero(mask):
            continue
        level = cell + rng.normal(0, 0.08)
        shape_light = 0.25 * (dome(mask) - 0.5) if rng.random() < 0.5 else 0.0
        canvas.paint(mask, surfaced(rng, size, level, 0.05) + np.float32(1) * shape_light, soft)
        if hollow:
            canvas.paint(ring(mask, max(1, int(own * 0.25))), np.clip(level - 0.4, 0, 1), 0.5)
        canvas.add(mask)
        taken |= mask
    if style > 0.6:
        dark = np.clip(np.array([0.35, 0.15, 0.5]) + rng.normal(0, 0.12, 3), 0, 1)
        light = np.clip(np.array([0.95, 0.85, 0.93]) + rng.normal(0, 0.06, 3), 0, 1)
        canvas.picture = colourised(rng, canvas.picture, dark, light)
    elif rng.random() < 0.2:
        canvas.picture = colourised(rng, canvas.picture, np.zeros(3), rng.uniform(0.1, 1, 3))
    return canvas


def _mosaic(rng: np.random.Generator, size: Size, radius: float) -> Canvas:
    labels = cell_mosaic(rng, size, max(radius, 5))
    inside = labels > 0
    light, wall = rng.uniform(0.5, 0.9), rng.uniform(0, 0.4)
    picture = np.where(inside, light + 0.05 * texture(rng, size), wall + 0.05 * texture(rng, size))
    canvas = Canvas(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.5, 1.2)))
    numbers, areas = np.unique(labels[inside], return_counts=True)
    order = rng.permutation(len(numbers))[:MAX_OBJECTS]
    for k in order:
        if areas[k] < MIN_PIXELS:
            continue
        mask = labels == numbers[k]
        canvas.add(mask, covers=False)
        if rng.random() < 0.3:
            speck = blob(rng, size, spot_in(rng, mask), radius * rng.uniform(0.1, 0.3)) & mask
            canvas.paint(speck, rng.uniform(0.1, 0.5), 0.8)
    return canvas
