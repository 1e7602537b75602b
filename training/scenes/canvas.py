"""A picture that is being drawn, its objects, and the choice of surfaces."""

import cv2
import numpy as np

from ..shapes import smooth_noise, texture

MIN_PIXELS = 12
MAX_OBJECTS = 40
_MIN_VISIBLE = 0.3

Size = tuple[int, int]


class Canvas:
    """A picture float32 (H, W) or (H, W, 3) that is being painted, and its objects so far."""

    def __init__(self, picture: np.ndarray):
        self.picture = picture
        self.masks: list[np.ndarray] = []
        self._areas: list[int] = []

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.picture.shape[:2]

    def paint(
        self, mask: np.ndarray, surface: np.ndarray | float, soft: float = 0.0, opacity: np.ndarray | float = 1.0
    ) -> None:
        """Paint a surface over the pixels of a mask: one level, or an array of the picture's shape."""
        alpha: np.ndarray = mask.astype(np.float32)
        if soft > 0.3:
            alpha = cv2.GaussianBlur(alpha, (0, 0), soft)
        alpha = alpha * opacity if self.picture.ndim == 2 else (alpha * opacity)[..., None]
        self.picture += alpha * (surface - self.picture)

    def add(self, mask: np.ndarray, covers: bool = True) -> None:
        """Add a mask as an object. If it covers earlier objects, they lose the covered pixels."""
        if covers:
            for earlier in self.masks:
                earlier &= ~mask
        self.masks.append(mask.copy())
        self._areas.append(int(np.count_nonzero(mask)))

    def forget(self) -> None:
        """Turn all objects so far into background."""
        self.masks.clear()
        self._areas.clear()

    def objects(self) -> list[np.ndarray]:
        """The objects that are still visible, the largest piece of each."""
        kept = []
        for mask, area in zip(self.masks, self._areas, strict=True):
            piece = _largest_piece(mask)
            if np.count_nonzero(piece) >= max(MIN_PIXELS, _MIN_VISIBLE * area):
                kept.append(piece)
        return kept


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def spot(rng: np.random.Generator, size: Size, margin: float = 0.1) -> tuple[float, float]:
    """A random position x, y in pixels; `margin` is the least distance from the edge, as a share of the side."""
    x, y = (float(rng.uniform(margin, 1 - margin) * side) for side in size[::-1])
    return x, y


def spot_in(rng: np.random.Generator, mask: np.ndarray) -> tuple[float, float]:
    """A random pixel x, y of a mask bool (H, W); the middle of the picture if the mask is empty."""
    inside = np.flatnonzero(mask)
    if len(inside) == 0:
        return mask.shape[1] / 2, mask.shape[0] / 2
    y, x = divmod(int(inside[rng.integers(len(inside))]), mask.shape[1])
    return float(x), float(y)


def contrast(rng: np.random.Generator, level: float) -> float:
    """A random level in [0, 1] that differs weakly or strongly from `level`."""
    step = rng.uniform(0.05, 0.2) if rng.random() < 0.45 else rng.uniform(0.2, 0.6)
    other = level + step if rng.random() < 0.5 else level - step
    return float(other if 0 <= other <= 1 else np.clip(2 * level - other, 0, 1))


def surfaced(rng: np.random.Generator, size: Size, level: float, strength: float | None = None) -> np.ndarray:
    """A surface float32 (H, W): one level and a texture; its strength is random in [0, 0.1) by default."""
    strength = rng.uniform(0, 0.1) if strength is None else strength
    return (level + strength * texture(rng, size)).astype(np.float32)


def fading(rng: np.random.Generator, size: Size) -> np.ndarray | float:
    """Opacity that sometimes fades on one side."""
    if rng.random() < 0.75:
        return 1.0
    return np.clip(0.75 + 0.4 * smooth_noise(rng, size, max(size) / 3), 0.15, 1)


def softness(rng: np.random.Generator, size: Size) -> float:
    """A random blur of an edge: standard deviation in pixels."""
    return float(rng.choice([0.0, rng.uniform(0.4, 1.5), rng.uniform(1.5, 4)], p=[0.35, 0.45, 0.2])) * max(size) / 256


def colourised(rng: np.random.Generator, grey: np.ndarray, dark: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Map a grey picture in [0, 1] to colours between two: float32 (H, W, 3)."""
    return (dark + np.clip(grey, 0, 1)[..., None] * (light - dark)).astype(np.float32)
