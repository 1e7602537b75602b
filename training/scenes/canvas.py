"""A picture while it is being drawn, its objects, and how surfaces are chosen."""

import cv2
import numpy as np

from ..shapes import smooth_noise, texture

MIN_PIXELS = 12
MAX_OBJECTS = 40
_MIN_VISIBLE = 0.3

Size = tuple[int, int]


class Canvas:
    """A picture float32 (H, W[, 3]) while it is being painted, and its objects so far."""

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
        """Lay a surface, of the picture's shape or one level, over the picture where the mask is."""
        alpha: np.ndarray = mask.astype(np.float32)
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
            if np.count_nonzero(piece) >= max(MIN_PIXELS, _MIN_VISIBLE * area):
                kept.append(piece)
        return kept


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def spot(rng: np.random.Generator, size: Size, margin: float = 0.1) -> tuple[float, float]:
    """A place x, y in pixels, not nearer to the edge than a share of the side."""
    x, y = (float(rng.uniform(margin, 1 - margin) * side) for side in size[::-1])
    return x, y


def spot_in(rng: np.random.Generator, mask: np.ndarray) -> tuple[float, float]:
    """A pixel x, y of a mask bool (H, W); the middle of the picture where the mask is empty."""
    inside = np.flatnonzero(mask)
    if len(inside) == 0:
        return mask.shape[1] / 2, mask.shape[0] / 2
    y, x = divmod(int(inside[rng.integers(len(inside))]), mask.shape[1])
    return float(x), float(y)


def contrast(rng: np.random.Generator, level: float) -> float:
    """Another level in [0, 1], now weakly, now strongly different."""
    step = rng.uniform(0.05, 0.2) if rng.random() < 0.45 else rng.uniform(0.2, 0.6)
    other = level + step if rng.random() < 0.5 else level - step
    return float(other if 0 <= other <= 1 else np.clip(2 * level - other, 0, 1))


def surfaced(rng: np.random.Generator, size: Size, level: float, strength: float | None = None) -> np.ndarray:
    """A surface float32 (H, W) of one level with a texture of some strength, in [0, 0.1) when not given."""
    strength = rng.uniform(0, 0.1) if strength is None else strength
    return (level + strength * texture(rng, size)).astype(np.float32)


def fading(rng: np.random.Generator, size: Size) -> np.ndarray | float:
    """Opacity that fades away on one side now and then."""
    if rng.random() < 0.75:
        return 1.0
    return np.clip(0.75 + 0.4 * smooth_noise(rng, size, max(size) / 3), 0.15, 1)


def softness(rng: np.random.Generator, size: Size) -> float:
    """How far an edge is blurred: standard deviation in pixels."""
    return float(rng.choice([0.0, rng.uniform(0.4, 1.5), rng.uniform(1.5, 4)], p=[0.35, 0.45, 0.2])) * max(size) / 256


def colourised(rng: np.random.Generator, grey: np.ndarray, dark: np.ndarray, light: np.ndarray) -> np.ndarray:
    """A grey picture in [0, 1] between two colours: float32 (H, W, 3)."""
    return (dark + np.clip(grey, 0, 1)[..., None] * (light - dark)).astype(np.float32)
