"""Images and volumes to open, boxes in them, and what makes two predictions the same."""

import numpy as np

BOXES = np.array([[2, 3, 0, 30, 30, 5], [5, 5, 2, 28, 31, 8], [1, 1, 4, 20, 22, 9], [8, 8, 1, 40, 40, 1]])


def image_of(seed: int, shape: tuple[int, int] = (48, 60)) -> np.ndarray:
    """An image with a bright rectangle, uint8 (H, W)."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 120, shape).astype(np.uint8)
    image[10:30, 12:40] += 100
    return image


def boxes_of(seed: int, count: int) -> np.ndarray:
    """Boxes (count, 4) in such an image."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 20, (count, 2))
    return np.hstack([low, low + rng.integers(6, 25, (count, 2))])


def volume_of(seed: int) -> np.ndarray:
    """Ten such images as a volume, which `BOXES` fit into."""
    return np.stack([image_of(10 * seed + z) for z in range(10)])


def same(one: object, other: object) -> bool:
    """Whether two predictions of an image are equal to the bit."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("masks", "scores", "logits"))
