"""Scenes that imitate cross-sections: CT and MR, ultrasound, retinal layers, emission."""

import cv2
import numpy as np

from ..shapes import blob, dome, ellipse_outline, filled, irregular_outline, ring, smooth_noise, tube
from .canvas import MIN_PIXELS, Canvas, Size, colourised, contrast, fading, softness, spot, spot_in, surfaced


def _organs(rng: np.random.Generator, canvas: Canvas, room: np.ndarray, level: float, count: int) -> None:
    size = canvas.size
    reach = np.sqrt(np.count_nonzero(room) / np.pi)
    for _ in range(count):
        radius = reach * float(np.exp(rng.uniform(np.log(0.06), np.log(0.5))))
        own = contrast(rng, level)
        kind = rng.random()
        if kind < 0.12:
            mask = tube(rng, size, spot_in(rng, room), radius * rng.uniform(2, 5), max(2, radius * 0.4)) & room
        else:
            mask = blob(rng, size, spot_in(rng, room), radius) & room
        if np.count_nonzero(mask) < MIN_PIXELS:
            continue
        canvas.paint(mask, surfaced(rng, size, own), softness(rng, size), fading(rng, size))
        canvas.add(mask)
        if kind > 0.85:
            wall = ring(mask, max(1, int(radius * rng.uniform(0.1, 0.35))))
            canvas.paint(wall, surfaced(rng, size, contrast(rng, own)), softness(rng, size) / 2)
            if rng.random() < 0.5:
                canvas.add(mask & ~wall, covers=False)
        elif kind > 0.6 and radius > 0.03 * max(size):
            for _ in range(int(rng.integers(1, 4))):
                child = blob(rng, size, spot_in(rng, mask), radius * rng.uniform(0.15, 0.5)) & mask
                canvas.paint(child, surfaced(rng, size, contrast(rng, own)), softness(rng, size), fading(rng, size))
                canvas.add(child, covers=rng.random() < 0.4)


def tomography(rng: np.random.Generator, size: Size) -> Canvas:
    """A slice through a body as in CT and MR: shell, lungs, organs with walls and lesions."""
    height, width = size
    canvas = Canvas(np.full(size, rng.choice([0.0, rng.uniform(0, 0.1)]), np.float32))
    level = rng.uniform(0.2, 0.75)
    if rng.random() < 0.7:
        radii = (width * rng.uniform(0.36, 0.52), height * rng.uniform(0.36, 0.52))
        body = filled(ellipse_outline((width / 2, height / 2), radii, rng.normal(0, 0.1)), size)
        if rng.random() < 0.6:
            body = filled(irregular_outline(rng, (width / 2, height / 2), radii, 0.25), size)
    else:
        body = np.ones(size, bool)
    canvas.paint(body, surfaced(rng, size, level), rng.uniform(0, 1))
    if rng.random() < 0.2 and not body.all():
        canvas.add(body, covers=False)
    if rng.random() < 0.6:
        shell = ring(body, max(1, int(rng.uniform(0.01, 0.08) * max(size))))
        canvas.paint(shell, surfaced(rng, size, contrast(rng, level)), rng.uniform(0, 1.5))
        body = body & ~shell
    if rng.random() < 0.3:
        dark = rng.uniform(0, 0.25)
        for side in (-1, 1):
            centre = (width * (0.5 + side * rng.uniform(0.18, 0.25)), height * rng.uniform(0.4, 0.6))
            radii = (width * rng.uniform(0.1, 0.18), height * rng.uniform(0.18, 0.32))
            lung = filled(irregular_outline(rng, centre, radii, rng.uniform(0, 0.3)), size)
            lung = blob(rng, size, centre, float(np.mean(radii))) if rng.random() < 0.3 else lung
            lung &= body
            canvas.paint(lung, surfaced(rng, size, dark, 0.03), rng.uniform(0, 1.2))
            canvas.add(lung)
            for _ in range(int(rng.integers(0, 12))):
                vessel = tube(rng, size, spot_in(rng, lung), 0.1 * width, rng.uniform(1, 2.5)) & lung
                canvas.paint(vessel, dark + rng.uniform(0.1, 0.4), 0.6)
    _organs(rng, canvas, body, level, int(rng.integers(2, 11)))
    return canvas


def abstract(rng: np.random.Generator, size: Size) -> Canvas:
    """Organs without a body, grey or in colour, for images that no other family covers."""
    level = rng.uniform(0.1, 0.9)
    canvas = Canvas(surfaced(rng, size, level, rng.uniform(0.02, 0.2)))
    _organs(rng, canvas, np.ones(size, bool), level, int(rng.integers(1, 8)))
    if rng.random() < 0.5:
        colours = rng.uniform(0, 1, (2, 3))
        canvas.picture = colourised(rng, canvas.picture, colours[0], colours[1])
        for mask in canvas.objects():
            if rng.random() < 0.5:
                canvas.paint(mask, rng.uniform(0, 1, 3).astype(np.float32), 1.0, rng.uniform(0.1, 0.6))
    return canvas


def ultrasound(rng: np.random.Generator, size: Size) -> Canvas:
    """Speckled tissue with a head or with dark lesions, shadows and a fan-shaped field."""
    height, width = size
    level = rng.uniform(0.15, 0.5)
    tissue = level * (1 + 0.35 * smooth_noise(rng, size, max(size) / rng.uniform(3, 8)))
    for _ in range(int(rng.integers(0, 6))):
        y = rng.uniform(0, height)
        stripe = tube(rng, size, (-0.1 * width, y), 1.3 * width, max(1, height * rng.uniform(0.005, 0.04)))
        tissue += rng.uniform(-0.2, 0.5) * cv2.GaussianBlur(stripe.astype(np.float32), (0, 0), 1.5)
    canvas = Canvas(np.clip(tissue, 0.02, 1).astype(np.float32))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    kind = rng.random()
    if kind < 0.35:
        radius = max(size) * rng.uniform(0.15, 0.38)
        axes = (radius, radius * rng.uniform(0.65, 1))
        head = filled(ellipse_outline(spot(rng, size, 0.35), axes, rng.uniform(0, np.pi)), size)
        canvas.paint(head, surfaced(rng, size, level * rng.uniform(0.2, 0.9), 0.05), 2)
        _organs(rng, canvas, head, level, int(rng.integers(0, 4)))
        canvas.forget()
        canvas.add(head)
        skull = ring(head, max(2, int(radius * rng.uniform(0.03, 0.1))))
        seen = np.clip(0.6 + 0.7 * smooth_noise(rng, size, max(size) / 3), 0, 1)
        canvas.paint(skull, rng.uniform(0.7, 1), rng.uniform(0.8, 2), seen)
    else:
        for _ in range(int(rng.integers(1, 4))):
            radius = max(size) * rng.uniform(0.05, 0.25)
            centre = spot(rng, size, 0.2)
            mask = blob(rng, size, centre, radius)
            surface = surfaced(rng, size, level * rng.uniform(0.05, 0.7), 0.04)
            canvas.paint(mask, surface, rng.uniform(0.5, 3), fading(rng, size))
            if rng.random() < 0.5:
                canvas.paint(ring(mask, 2), level * rng.uniform(1.2, 2.2), 1.2, fading(rng, size))
            canvas.add(mask)
            below = np.clip((y - centre[1]) / radius, 0, 1) * np.exp(-(((x - centre[0]) / radius) ** 2) * 1.5)
            canvas.picture *= 1 + rng.uniform(-0.5, 0.5) * np.where(mask, 0, below)
    for _ in range(int(rng.integers(0, 4))):
        middle = rng.uniform(0, width)
        canvas.picture *= 1 - rng.uniform(0.2, 0.7) * np.exp(-(((x - middle) / (width * rng.uniform(0.02, 0.08))) ** 2))
    canvas.picture *= np.exp(-rng.uniform(-0.3, 1) * y / height)
    parts: list[np.ndarray] = [rng.standard_normal(size, np.float32) for _ in range(2)]
    grain = (rng.uniform(0.8, 2.2), rng.uniform(0.5, 1.2))
    parts = [cv2.GaussianBlur(part, (0, 0), sigmaX=grain[0], sigmaY=grain[1]) for part in parts]
    speckle = np.sqrt(parts[0] ** 2 + parts[1] ** 2)
    canvas.picture = canvas.picture * (speckle / speckle.mean()) ** np.float32(rng.uniform(0.4, 1.1))
    canvas.picture = np.maximum(canvas.picture, 0) ** np.float32(rng.uniform(0.6, 1))
    if rng.random() < 0.6:
        half, top = rng.uniform(0.5, 0.9), -rng.uniform(0, 0.3) * height
        away = np.hypot(x - width / 2, y - top)
        fan = (np.abs(np.arctan2(x - width / 2, y - top)) < half) & (away < height - top) & (away > 0.08 * height - top)
        canvas.picture[~fan] = 0
        for mask in canvas.masks:
            mask &= fan
    return canvas


def layers(rng: np.random.Generator, size: Size) -> Canvas:
    """Layers with fluid between them, as in optical coherence tomography of a retina."""
    height, width = size
    count = int(rng.integers(3, 9))
    curve = height * 0.06 * smooth_noise(rng, (1, width), width / 2)[0]
    if rng.random() < 0.5:
        middle = width * rng.uniform(0.3, 0.7)
        pit = np.exp(-(((np.arange(width) - middle) / (0.15 * width)) ** 2))
        curve = curve + height * rng.uniform(-0.1, 0.15) * pit
    top = height * rng.uniform(0.2, 0.45)
    canvas = Canvas(surfaced(rng, size, rng.uniform(0, 0.15), 0.03))
    rows = np.arange(height)[:, None]
    upper = top + curve
    bands = []
    for _ in range(count):
        lower = upper + height * rng.uniform(0.015, 0.12) * (1 + 0.2 * smooth_noise(rng, (1, width), width / 4)[0])
        mask = (rows >= upper) & (rows < lower)
        canvas.paint(mask, surfaced(rng, size, rng.uniform(0.1, 0.95), 0.05), 1)
        bands.append(mask)
        upper = np.maximum(lower, upper + 1)
    retina = np.any(bands, axis=0)
    if rng.random() < 0.3:
        canvas.add(bands[int(rng.integers(count))])
    for _ in range(int(rng.integers(1, 7))):
        radius = max(size) * rng.uniform(0.015, 0.1)
        centre = spot_in(rng, retina)
        outline = irregular_outline(rng, centre, (radius * rng.uniform(0.8, 2), radius), rng.uniform(0, 0.4))
        mask = filled(outline, size) & (retina | (rng.random() < 0.3))
        canvas.paint(mask, surfaced(rng, size, rng.uniform(0, 0.25), 0.02), rng.uniform(0.5, 1.5))
        canvas.add(mask)
    speckle = cv2.GaussianBlur(rng.exponential(1, size).astype(np.float32), (0, 0), rng.uniform(0.5, 1))
    canvas.picture *= (0.6 + 0.4 * speckle).astype(np.float32)
    return canvas


def emission(rng: np.random.Generator, size: Size) -> Canvas:
    """Small and noisy uptake in a body, as in PET."""
    canvas = Canvas(np.full(size, 0.02, np.float32))
    body = blob(rng, size, (size[1] / 2, size[0] / 2), max(size) * 0.42, 0.2)
    canvas.paint(body, surfaced(rng, size, rng.uniform(0.03, 0.2), 0.03), 1)
    for _ in range(int(rng.integers(1, 6))):
        mask = blob(rng, size, spot(rng, size, 0.2), max(size) * rng.uniform(0.06, 0.28))
        uptake = 0.25 + 0.75 * rng.random() * dome(mask) ** rng.uniform(0.2, 0.8)
        canvas.paint(mask, uptake.astype(np.float32), rng.uniform(0.6, 1.6))
        canvas.add(mask)
    counts = float(np.exp(rng.uniform(np.log(20), np.log(400))))
    noisy = rng.poisson(np.clip(canvas.picture, 0, 1) * counts) / counts
    canvas.picture = cv2.GaussianBlur(noisy.astype(np.float32), (0, 0), rng.uniform(0.5, 1.3))
    return canvas
