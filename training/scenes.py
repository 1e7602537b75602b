"""Synthetic scenes that look to a network like medicine: domain randomisation, no patient data.

Each family draws a picture in the manner of one way of imaging, and the true mask of every object in it.
"""

from collections.abc import Callable

import cv2
import numpy as np

from .acquisition import acquire
from .samples import Sample
from .shapes import (
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

_MIN_PIXELS = 12
_MIN_VISIBLE = 0.3
_MAX_OBJECTS = 40

Size = tuple[int, int]


class _Canvas:
    """A picture float32 (H, W[, 3]) while it is being painted, and its objects so far."""

    def __init__(self, picture: np.ndarray):
        self.picture = picture
        self.masks: list[np.ndarray] = []
        self._areas: list[int] = []

    @property
    def size(self) -> Size:
        return self.picture.shape[:2]

    def paint(self, mask: np.ndarray, surface: np.ndarray | float, soft: float = 0.0, opacity: float = 1.0) -> None:
        """Lay a surface, of the picture's shape or one level, over the picture where the mask is."""
        alpha = mask.astype(np.float32)
        if soft > 0.3:
            alpha = cv2.GaussianBlur(alpha, (0, 0), soft)
        alpha = alpha * opacity if self.picture.ndim == 2 else (alpha * opacity)[..., None]
        self.picture += alpha * (surface - self.picture)

    def add(self, mask: np.ndarray, covers: bool = True) -> None:
        """Make the mask an object; what it covers, earlier objects lose."""
        if covers:
            for earlier in self.masks:
                earlier &= ~mask
        self.masks.append(mask.copy())
        self._areas.append(int(np.count_nonzero(mask)))

    def forget(self) -> None:
        """Let all objects so far be mere background."""
        self.masks.clear()
        self._areas.clear()

    def objects(self) -> list[np.ndarray]:
        """The objects that are still to be seen, each its largest piece."""
        kept = []
        for mask, area in zip(self.masks, self._areas, strict=True):
            piece = _largest_piece(mask)
            if np.count_nonzero(piece) >= max(_MIN_PIXELS, _MIN_VISIBLE * area):
                kept.append(piece)
        return kept


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def _spot(rng: np.random.Generator, size: Size, margin: float = 0.1) -> tuple[float, float]:
    return tuple(float(rng.uniform(margin, 1 - margin) * side) for side in size[::-1])


def _spot_in(rng: np.random.Generator, mask: np.ndarray) -> tuple[float, float]:
    inside = np.flatnonzero(mask)
    if len(inside) == 0:
        return mask.shape[1] / 2, mask.shape[0] / 2
    y, x = divmod(int(inside[rng.integers(len(inside))]), mask.shape[1])
    return float(x), float(y)


def _contrast(rng: np.random.Generator, level: float) -> float:
    """Another level in [0, 1], now weakly, now strongly different."""
    step = rng.uniform(0.05, 0.2) if rng.random() < 0.45 else rng.uniform(0.2, 0.6)
    other = level + step if rng.random() < 0.5 else level - step
    return float(other if 0 <= other <= 1 else np.clip(2 * level - other, 0, 1))


def _surface(rng: np.random.Generator, size: Size, level: float, strength: float | None = None) -> np.ndarray:
    strength = rng.uniform(0, 0.1) if strength is None else strength
    return (level + strength * texture(rng, size)).astype(np.float32)


def _partial(rng: np.random.Generator, size: Size) -> np.ndarray | float:
    """Opacity that fades away on one side now and then."""
    if rng.random() < 0.75:
        return 1.0
    return np.clip(0.75 + 0.4 * smooth_noise(rng, size, max(size) / 3), 0.15, 1)


def _softness(rng: np.random.Generator, size: Size) -> float:
    return float(rng.choice([0.0, rng.uniform(0.4, 1.5), rng.uniform(1.5, 4)], p=[0.35, 0.45, 0.2])) * max(size) / 256


def _colourise(rng: np.random.Generator, grey: np.ndarray, dark: np.ndarray, light: np.ndarray) -> np.ndarray:
    return (dark + np.clip(grey, 0, 1)[..., None] * (light - dark)).astype(np.float32)


def _organs(rng: np.random.Generator, canvas: _Canvas, room: np.ndarray, level: float, count: int) -> None:
    size = canvas.size
    reach = np.sqrt(np.count_nonzero(room) / np.pi)
    for _ in range(count):
        radius = reach * float(np.exp(rng.uniform(np.log(0.06), np.log(0.5))))
        own = _contrast(rng, level)
        kind = rng.random()
        if kind < 0.12:
            mask = tube(rng, size, _spot_in(rng, room), radius * rng.uniform(2, 5), max(2, radius * 0.4)) & room
        else:
            mask = blob(rng, size, _spot_in(rng, room), radius) & room
        if np.count_nonzero(mask) < _MIN_PIXELS:
            continue
        canvas.paint(mask, _surface(rng, size, own), _softness(rng, size), _partial(rng, size))
        canvas.add(mask)
        if kind > 0.85:
            wall = ring(mask, max(1, int(radius * rng.uniform(0.1, 0.35))))
            canvas.paint(wall, _surface(rng, size, _contrast(rng, own)), _softness(rng, size) / 2)
            if rng.random() < 0.5:
                canvas.add(mask & ~wall, covers=False)
        elif kind > 0.6 and radius > 0.03 * max(size):
            for _ in range(int(rng.integers(1, 4))):
                child = blob(rng, size, _spot_in(rng, mask), radius * rng.uniform(0.15, 0.5)) & mask
                canvas.paint(child, _surface(rng, size, _contrast(rng, own)), _softness(rng, size), _partial(rng, size))
                canvas.add(child, covers=rng.random() < 0.4)


def _tomography(rng: np.random.Generator, size: Size) -> _Canvas:
    height, width = size
    canvas = _Canvas(np.full(size, rng.choice([0.0, rng.uniform(0, 0.1)]), np.float32))
    level = rng.uniform(0.2, 0.75)
    if rng.random() < 0.7:
        radii = (width * rng.uniform(0.36, 0.52), height * rng.uniform(0.36, 0.52))
        body = filled(ellipse_outline((width / 2, height / 2), radii, rng.normal(0, 0.1)), size)
        if rng.random() < 0.6:
            body = filled(irregular_outline(rng, (width / 2, height / 2), radii, 0.25), size)
    else:
        body = np.ones(size, bool)
    canvas.paint(body, _surface(rng, size, level), rng.uniform(0, 1))
    if rng.random() < 0.2 and not body.all():
        canvas.add(body, covers=False)
    if rng.random() < 0.6:
        shell = ring(body, max(1, int(rng.uniform(0.01, 0.08) * max(size))))
        canvas.paint(shell, _surface(rng, size, _contrast(rng, level)), rng.uniform(0, 1.5))
        body = body & ~shell
    if rng.random() < 0.3:
        dark = rng.uniform(0, 0.25)
        for side in (-1, 1):
            centre = (width * (0.5 + side * rng.uniform(0.18, 0.25)), height * rng.uniform(0.4, 0.6))
            radii = (width * rng.uniform(0.1, 0.18), height * rng.uniform(0.18, 0.32))
            lung = filled(irregular_outline(rng, centre, radii, rng.uniform(0, 0.3)), size)
            lung = blob(rng, size, centre, float(np.mean(radii))) if rng.random() < 0.3 else lung
            lung &= body
            canvas.paint(lung, _surface(rng, size, dark, 0.03), rng.uniform(0, 1.2))
            canvas.add(lung)
            for _ in range(int(rng.integers(0, 12))):
                vessel = tube(rng, size, _spot_in(rng, lung), 0.1 * width, rng.uniform(1, 2.5)) & lung
                canvas.paint(vessel, dark + rng.uniform(0.1, 0.4), 0.6)
    _organs(rng, canvas, body, level, int(rng.integers(2, 11)))
    return canvas


def _abstract(rng: np.random.Generator, size: Size) -> _Canvas:
    level = rng.uniform(0.1, 0.9)
    canvas = _Canvas(_surface(rng, size, level, rng.uniform(0.02, 0.2)))
    _organs(rng, canvas, np.ones(size, bool), level, int(rng.integers(1, 8)))
    if rng.random() < 0.5:
        colours = rng.uniform(0, 1, (2, 3))
        canvas.picture = _colourise(rng, canvas.picture, colours[0], colours[1])
        for mask in canvas.objects():
            if rng.random() < 0.5:
                canvas.paint(mask, rng.uniform(0, 1, 3).astype(np.float32), 1.0, rng.uniform(0.1, 0.6))
    return canvas


def _specular(rng: np.random.Generator, canvas: _Canvas, count: int) -> None:
    for _ in range(count):
        spot = blob(rng, canvas.size, _spot(rng, canvas.size, 0), rng.uniform(0.004, 0.02) * max(canvas.size))
        canvas.paint(spot, 1.0, rng.uniform(0.3, 1.2), rng.uniform(0.5, 1))


def _round_view(rng: np.random.Generator, canvas: _Canvas, smallest: float = 0.47) -> None:
    height, width = canvas.size
    radius = max(height, width) * rng.uniform(smallest, 0.6)
    view = filled(ellipse_outline((width / 2, height / 2), (radius, radius), 0), canvas.size)
    canvas.picture[~view] = rng.uniform(0, 0.05)
    for mask in canvas.masks:
        mask &= view


def _skin(rng: np.random.Generator, size: Size) -> _Canvas:
    tone = np.array([0.85, 0.66, 0.58]) * rng.uniform(0.6, 1.15) + rng.normal(0, 0.06, 3)
    base = tone + 0.03 * texture(rng, size)[..., None] + rng.normal(0, 0.015, 3) * texture(rng, size)[..., None]
    canvas = _Canvas(base.astype(np.float32))
    radius = max(size) * rng.uniform(0.08, 0.36)
    rough = rng.uniform(0.1, 0.9)
    mask = blob(rng, size, _spot(rng, size, 0.35), radius, rough)
    pigment = np.clip(tone * rng.uniform(0.3, 0.85) + rng.normal(0, 0.08, 3), 0, 1)
    surface = (pigment + 0.07 * texture(rng, size)[..., None]).astype(np.float32)
    canvas.paint(mask, surface, rng.uniform(0.5, 6) * max(size) / 256, _partial(rng, size))
    canvas.add(mask)
    for _ in range(int(rng.integers(0, 5))):
        patch = blob(rng, size, _spot_in(rng, mask), radius * rng.uniform(0.15, 0.6)) & mask
        shift = pigment * rng.uniform(0.4, 1.3)
        canvas.paint(patch, np.clip(shift, 0, 1).astype(np.float32), rng.uniform(1, 4), rng.uniform(0.3, 0.9))
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(3, 25))):
            hair = tube(rng, size, _spot(rng, size, 0), max(size) * rng.uniform(0.2, 0.8), rng.uniform(0.6, 2))
            canvas.paint(hair, rng.uniform(0.02, 0.3), 0.5, rng.uniform(0.4, 0.95))
    if rng.random() < 0.3:
        _round_view(rng, canvas)
    return canvas


def _endoscopy(rng: np.random.Generator, size: Size) -> _Canvas:
    tone = np.array([0.75, 0.38, 0.28]) * rng.uniform(0.7, 1.2) + rng.normal(0, 0.06, 3)
    relief = texture(rng, size, 4)
    light = 1 + 0.12 * relief
    for _ in range(int(rng.integers(0, 6))):
        length, width = (max(size) * rng.uniform(*span) for span in ((0.3, 1), (0.02, 0.08)))
        fold = tube(rng, size, _spot(rng, size, 0), length, width)
        light += rng.uniform(-0.3, 0.3) * cv2.GaussianBlur(fold.astype(np.float32), (0, 0), max(size) * 0.015)
    canvas = _Canvas((tone * light[..., None]).astype(np.float32))
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    for _ in range(1 if rng.random() < 0.75 else 2):
        radius = max(size) * rng.uniform(0.05, 0.3)
        centre = _spot(rng, size, 0.2)
        mask = blob(rng, size, centre, radius, rng.uniform(0, 0.5))
        height = dome(mask)
        heading = rng.uniform(0, 2 * np.pi)
        slope = ((x - centre[0]) * np.cos(heading) + (y - centre[1]) * np.sin(heading)) / radius
        lit = 0.85 + rng.uniform(0, 0.35) * np.sqrt(height) + rng.uniform(0, 0.2) * slope
        own = tone * rng.uniform(0.85, 1.2) + rng.normal(0, 0.04, 3)
        surface = own * (lit + 0.07 * texture(rng, size))[..., None]
        canvas.paint(mask, surface.astype(np.float32), rng.uniform(0.4, 2.5), _partial(rng, size))
        if rng.random() < 0.5:
            rim = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~mask
            canvas.paint(rim & half_plane(rng, size, centre, 0), 0.1, 2, rng.uniform(0.2, 0.6))
        canvas.add(mask)
    if rng.random() < 0.5:
        hole = blob(rng, size, _spot(rng, size), max(size) * rng.uniform(0.05, 0.2))
        canvas.paint(hole, 0.08, max(size) * 0.02, rng.uniform(0.4, 0.95))
        for mask in canvas.masks:
            mask &= ~hole
    _specular(rng, canvas, int(rng.integers(0, 25)))
    if rng.random() < 0.5:
        _round_view(rng, canvas, 0.5)
    return canvas


def _fundus(rng: np.random.Generator, size: Size) -> _Canvas:
    tone = np.array([0.75, 0.36, 0.16]) * rng.uniform(0.7, 1.25) + rng.normal(0, 0.05, 3)
    canvas = _Canvas((tone * (1 + 0.08 * texture(rng, size, 3))[..., None]).astype(np.float32))
    radius = max(size) * rng.uniform(0.05, 0.2)
    centre = _spot(rng, size, 0.25)
    stretch = rng.uniform(0.85, 1.2)
    outline = ellipse_outline(centre, (radius, radius * stretch), rng.uniform(0, np.pi))
    if rng.random() < 0.3:
        outline = irregular_outline(rng, centre, (radius, radius * stretch), 0.15)
    disc = filled(outline, size)
    bright = np.clip(tone * rng.uniform(1.15, 1.6) + np.array([0.05, 0.15, 0.1]), 0, 1)
    soft = rng.uniform(0.5, 4) * max(size) / 256
    if rng.random() < 0.5:
        halo = blob(rng, size, (centre[0] + radius * rng.normal(0, 0.3), centre[1]), radius * 1.3)
        canvas.paint(halo, np.float32(tone * 1.15), 4, 0.5)
    canvas.paint(disc, bright.astype(np.float32), soft, _partial(rng, size))
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
        spot = blob(rng, size, _spot(rng, size, 0.2), radius)
        canvas.paint(spot, (tone * 0.6).astype(np.float32), radius / 2, 0.6)
    if rng.random() < 0.7:
        _round_view(rng, canvas)
    return canvas


def _cells(rng: np.random.Generator, size: Size) -> _Canvas:
    style = rng.random()
    radius = max(size) * float(np.exp(rng.uniform(np.log(0.012), np.log(0.09))))
    if style < 0.2:
        return _mosaic(rng, size, radius * 1.5)
    spans = ((0, 0.2), (0.25, 1)) if style < 0.6 else ((0.6, 1), (0.1, 0.6))
    ground, cell = (rng.uniform(*span) for span in spans)
    canvas = _Canvas(_surface(rng, size, ground, rng.uniform(0, 0.08)))
    rough = rng.uniform(0, 0.5)
    hollow = rng.random() < 0.2
    crowd = np.ones(size, bool) if rng.random() < 0.5 else smooth_noise(rng, size, max(size) / 4) > 0
    count = int(min(_MAX_OBJECTS, rng.uniform(0.1, 0.7) * size[0] * size[1] / (4 * radius**2)))
    taken = np.zeros(size, bool)
    soft = rng.uniform(0, 1.5)
    for _ in range(max(3, count)):
        centre, own = _spot_in(rng, crowd), radius * np.exp(rng.normal(0, 0.2))
        stretch = np.exp(rng.normal(0, 0.2))
        mask = filled(irregular_outline(rng, centre, (own * stretch, own / stretch), rough * rng.random()), size)
        overlap = np.count_nonzero(mask & taken)
        if overlap > 0.25 * np.count_nonzero(mask):
            continue
        level = cell + rng.normal(0, 0.08)
        shape_light = 0.25 * (dome(mask) - 0.5) if rng.random() < 0.5 else 0.0
        canvas.paint(mask, _surface(rng, size, level, 0.05) + np.float32(1) * shape_light, soft)
        if hollow:
            canvas.paint(ring(mask, max(1, int(own * 0.25))), np.clip(level - 0.4, 0, 1), 0.5)
        canvas.add(mask)
        taken |= mask
    if style > 0.6:
        dark = np.clip(np.array([0.35, 0.15, 0.5]) + rng.normal(0, 0.12, 3), 0, 1)
        light = np.clip(np.array([0.95, 0.85, 0.93]) + rng.normal(0, 0.06, 3), 0, 1)
        canvas.picture = _colourise(rng, canvas.picture, dark, light)
    elif rng.random() < 0.2:
        canvas.picture = _colourise(rng, canvas.picture, np.zeros(3), rng.uniform(0.1, 1, 3))
    return canvas


def _mosaic(rng: np.random.Generator, size: Size, radius: float) -> _Canvas:
    labels = cell_mosaic(rng, size, max(radius, 5))
    inside = labels > 0
    light, wall = rng.uniform(0.5, 0.9), rng.uniform(0, 0.4)
    picture = np.where(inside, light + 0.05 * texture(rng, size), wall + 0.05 * texture(rng, size))
    canvas = _Canvas(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.5, 1.2)))
    numbers, areas = np.unique(labels[inside], return_counts=True)
    order = rng.permutation(len(numbers))[:_MAX_OBJECTS]
    for k in order:
        if areas[k] < _MIN_PIXELS:
            continue
        mask = labels == numbers[k]
        canvas.add(mask, covers=False)
        if rng.random() < 0.3:
            speck = blob(rng, size, _spot_in(rng, mask), radius * rng.uniform(0.1, 0.3)) & mask
            canvas.paint(speck, rng.uniform(0.1, 0.5), 0.8)
    return canvas


def _ultrasound(rng: np.random.Generator, size: Size) -> _Canvas:
    height, width = size
    level = rng.uniform(0.15, 0.5)
    tissue = level * (1 + 0.35 * smooth_noise(rng, size, max(size) / rng.uniform(3, 8)))
    for _ in range(int(rng.integers(0, 6))):
        y = rng.uniform(0, height)
        stripe = tube(rng, size, (-0.1 * width, y), 1.3 * width, max(1, height * rng.uniform(0.005, 0.04)))
        tissue += rng.uniform(-0.2, 0.5) * cv2.GaussianBlur(stripe.astype(np.float32), (0, 0), 1.5)
    canvas = _Canvas(np.clip(tissue, 0.02, 1).astype(np.float32))
    y, x = np.mgrid[:height, :width].astype(np.float32)
    kind = rng.random()
    if kind < 0.35:
        radius = max(size) * rng.uniform(0.15, 0.38)
        axes = (radius, radius * rng.uniform(0.65, 1))
        head = filled(ellipse_outline(_spot(rng, size, 0.35), axes, rng.uniform(0, np.pi)), size)
        canvas.paint(head, _surface(rng, size, level * rng.uniform(0.2, 0.9), 0.05), 2)
        _organs(rng, canvas, head, level, int(rng.integers(0, 4)))
        canvas.forget()
        canvas.add(head)
        skull = ring(head, max(2, int(radius * rng.uniform(0.03, 0.1))))
        seen = np.clip(0.6 + 0.7 * smooth_noise(rng, size, max(size) / 3), 0, 1)
        canvas.paint(skull, rng.uniform(0.7, 1), rng.uniform(0.8, 2), seen)
    else:
        for _ in range(int(rng.integers(1, 4))):
            radius = max(size) * rng.uniform(0.05, 0.25)
            centre = _spot(rng, size, 0.2)
            mask = blob(rng, size, centre, radius)
            surface = _surface(rng, size, level * rng.uniform(0.05, 0.7), 0.04)
            canvas.paint(mask, surface, rng.uniform(0.5, 3), _partial(rng, size))
            if rng.random() < 0.5:
                canvas.paint(ring(mask, 2), level * rng.uniform(1.2, 2.2), 1.2, _partial(rng, size))
            canvas.add(mask)
            below = np.clip((y - centre[1]) / radius, 0, 1) * np.exp(-(((x - centre[0]) / radius) ** 2) * 1.5)
            canvas.picture *= 1 + rng.uniform(-0.5, 0.5) * np.where(mask, 0, below)
    for _ in range(int(rng.integers(0, 4))):
        centre = rng.uniform(0, width)
        canvas.picture *= 1 - rng.uniform(0.2, 0.7) * np.exp(-(((x - centre) / (width * rng.uniform(0.02, 0.08))) ** 2))
    canvas.picture *= np.exp(-rng.uniform(-0.3, 1) * y / height)
    parts = [rng.standard_normal(size, np.float32) for _ in range(2)]
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


def _layers(rng: np.random.Generator, size: Size) -> _Canvas:
    height, width = size
    count = int(rng.integers(3, 9))
    curve = height * 0.06 * smooth_noise(rng, (1, width), width / 2)[0]
    if rng.random() < 0.5:
        centre = width * rng.uniform(0.3, 0.7)
        pit = np.exp(-(((np.arange(width) - centre) / (0.15 * width)) ** 2))
        curve = curve + height * rng.uniform(-0.1, 0.15) * pit
    top = height * rng.uniform(0.2, 0.45)
    canvas = _Canvas(_surface(rng, size, rng.uniform(0, 0.15), 0.03))
    rows = np.arange(height)[:, None]
    upper = top + curve
    layers = []
    for _ in range(count):
        lower = upper + height * rng.uniform(0.015, 0.12) * (1 + 0.2 * smooth_noise(rng, (1, width), width / 4)[0])
        mask = (rows >= upper) & (rows < lower)
        canvas.paint(mask, _surface(rng, size, rng.uniform(0.1, 0.95), 0.05), 1)
        layers.append(mask)
        upper = np.maximum(lower, upper + 1)
    retina = np.any(layers, axis=0)
    if rng.random() < 0.3:
        canvas.add(layers[int(rng.integers(count))])
    for _ in range(int(rng.integers(1, 7))):
        radius = max(size) * rng.uniform(0.015, 0.1)
        centre = _spot_in(rng, retina)
        outline = irregular_outline(rng, centre, (radius * rng.uniform(0.8, 2), radius), rng.uniform(0, 0.4))
        mask = filled(outline, size) & (retina | (rng.random() < 0.3))
        canvas.paint(mask, _surface(rng, size, rng.uniform(0, 0.25), 0.02), rng.uniform(0.5, 1.5))
        canvas.add(mask)
    speckle = cv2.GaussianBlur(rng.exponential(1, size).astype(np.float32), (0, 0), rng.uniform(0.5, 1))
    canvas.picture *= (0.6 + 0.4 * speckle).astype(np.float32)
    return canvas


def _chest(rng: np.random.Generator, size: Size) -> _Canvas:
    height, width = size
    level = rng.uniform(0.5, 0.85)
    canvas = _Canvas(_surface(rng, size, level, rng.uniform(0.02, 0.08)))
    centre_x = width * rng.uniform(0.45, 0.55)
    lungs = []
    for side in (-1, 1):
        middle = (centre_x + side * width * rng.uniform(0.18, 0.25), height * rng.uniform(0.42, 0.55))
        radii = (width * rng.uniform(0.12, 0.2), height * rng.uniform(0.25, 0.38))
        lung = filled(_lung_outline(rng, middle, radii, side), size)
        surface = _surface(rng, size, level * rng.uniform(0.2, 0.75), 0.04)
        canvas.paint(lung, surface, rng.uniform(1, 4), _partial(rng, size))
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
        cloud = blob(rng, size, _spot(rng, size), width * rng.uniform(0.03, 0.15))
        canvas.paint(cloud, level, width * 0.03, rng.uniform(0.1, 0.7))
    return canvas


def _lung_outline(
    rng: np.random.Generator, centre: tuple[float, float], radii: tuple[float, float], side: int
) -> np.ndarray:
    """Outline (k, 2) of a lung field: pointed above, broad and hollow below; side −1 or 1 of the midline."""
    theta = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    x, y = np.cos(theta), np.sin(theta)
    narrow = 1 + rng.uniform(0.1, 0.4) * y
    low = y > 0
    floor = np.where(low, y * (1 - rng.uniform(0, 0.5) * np.clip(-side * x, 0, 1)), y)
    wave = 1 + 0.04 * rng.normal() * np.cos(3 * theta + rng.uniform(0, 6)) + 0.03 * rng.normal() * np.cos(5 * theta)
    dent = 1 - rng.uniform(0, 0.5) * ((side * x < 0) & low) * y
    return np.stack([centre[0] + radii[0] * x * narrow * wave * dent, centre[1] + radii[1] * floor * wave], axis=1)


def _breast(rng: np.random.Generator, size: Size) -> _Canvas:
    height, width = size
    level = rng.uniform(0.25, 0.5)
    canvas = _Canvas(np.full(size, rng.uniform(0, 0.05), np.float32))
    radii = (width * rng.uniform(0.6, 0.95), height * rng.uniform(0.38, 0.55))
    breast = filled(ellipse_outline((0, height * rng.uniform(0.45, 0.6)), radii, 0), size)
    canvas.paint(breast, _surface(rng, size, level, 0.05) + 0.1 * dome(breast), 2)
    if rng.random() < 0.3:
        canvas.add(breast, covers=False)
    centre = (width * rng.uniform(0.15, 0.4), height * rng.uniform(0.4, 0.6))
    gland = blob(rng, size, centre, width * rng.uniform(0.1, 0.28), rng.uniform(0.4, 1)) & breast
    canvas.paint(gland, _surface(rng, size, level + rng.uniform(0.1, 0.4), 0.12), rng.uniform(1, 6))
    canvas.add(gland)
    if rng.random() < 0.6:
        bow = rng.uniform(-0.1, 0.1) * width
        across, down = width * rng.uniform(0.2, 0.6), height * rng.uniform(0.25, 0.75)
        line = np.linspace(0, 1, 20)
        hem = np.stack([across * (1 - line) + bow * np.sin(np.pi * line), down * line], axis=1)
        muscle = filled(np.concatenate([[[0, 0]], hem]), size)
        surface = _surface(rng, size, level + rng.uniform(0.1, 0.45), 0.04)
        canvas.paint(muscle, surface, rng.uniform(1, 4), _partial(rng, size))
        canvas.add(muscle)
    for _ in range(int(rng.integers(0, 3))):
        lump = blob(rng, size, _spot_in(rng, breast), width * rng.uniform(0.02, 0.1)) & breast
        canvas.paint(lump, level + rng.uniform(0.15, 0.5), rng.uniform(0.5, 3))
        canvas.add(lump, covers=False)
    for _ in range(int(rng.integers(0, 12))):
        strand = tube(rng, size, _spot_in(rng, breast), width * 0.4, rng.uniform(1, 3)) & breast
        canvas.paint(strand, level + 0.25, 1, rng.uniform(0.2, 0.6))
    return canvas


def _emission(rng: np.random.Generator, size: Size) -> _Canvas:
    canvas = _Canvas(np.full(size, 0.02, np.float32))
    body = blob(rng, size, (size[1] / 2, size[0] / 2), max(size) * 0.42, 0.2)
    canvas.paint(body, _surface(rng, size, rng.uniform(0.03, 0.2), 0.03), 1)
    for _ in range(int(rng.integers(1, 6))):
        mask = blob(rng, size, _spot(rng, size, 0.2), max(size) * rng.uniform(0.06, 0.28))
        uptake = 0.25 + 0.75 * rng.random() * dome(mask) ** rng.uniform(0.2, 0.8)
        canvas.paint(mask, np.float32(uptake), rng.uniform(0.6, 1.6))
        canvas.add(mask)
    counts = float(np.exp(rng.uniform(np.log(20), np.log(400))))
    noisy = rng.poisson(np.clip(canvas.picture, 0, 1) * counts) / counts
    canvas.picture = cv2.GaussianBlur(noisy.astype(np.float32), (0, 0), rng.uniform(0.5, 1.3))
    return canvas


Family = Callable[[np.random.Generator, Size], _Canvas]

FAMILIES: dict[str, tuple[Family, float]] = {
    "tomography": (_tomography, 0.27),
    "abstract": (_abstract, 0.07),
    "skin": (_skin, 0.09),
    "endoscopy": (_endoscopy, 0.09),
    "fundus": (_fundus, 0.05),
    "cells": (_cells, 0.11),
    "ultrasound": (_ultrasound, 0.12),
    "layers": (_layers, 0.05),
    "chest": (_chest, 0.07),
    "breast": (_breast, 0.05),
    "emission": (_emission, 0.03),
}


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
        All randomness comes from it.
    side : int
        Longer side of the scene in pixels, at least 32; emission scenes are up to six times smaller.
    family : str, optional
        A key of `FAMILIES`; by default drawn by their weights.

    Returns
    -------
    Sample
        The image, grey or in colour, and at least one object of at least 12 pixels.
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
        masks = [masks[k] for k in rng.permutation(len(masks))[:_MAX_OBJECTS]]
        sample = Sample(pixels, np.stack(masks))
        return _padded(rng, sample) if rng.random() < 0.1 else sample


def _padded(rng: np.random.Generator, sample: Sample) -> Sample:
    height, width = sample.image.shape[:2]
    top, bottom, left, right = (int(rng.integers(0, max(height, width) // 6 + 1)) for _ in range(4))
    border = ((top, bottom), (left, right))
    fill = int(rng.choice([0, 255, int(rng.integers(256))], p=[0.8, 0.1, 0.1]))
    image = np.pad(sample.image, border + ((0, 0),) * (sample.image.ndim - 2), constant_values=fill)
    return Sample(image, np.pad(sample.masks, ((0, 0), *border)))
