"""The effects of a scanner, camera or file format on an image; also the intensity augmentation of real images."""

import cv2
import numpy as np

from .shapes import smooth_noise


def _each_channel(field: np.ndarray, image: np.ndarray) -> np.ndarray:
    return field if image.ndim == 2 else field[..., None]


def shade(rng: np.random.Generator, image: np.ndarray, amount: float) -> np.ndarray:
    """Multiply by a smooth field around 1; image float32 (H, W) or (H, W, 3)."""
    field = smooth_noise(rng, image.shape[:2], max(image.shape[:2]) / rng.uniform(1, 2.5))
    return image * np.exp(amount * _each_channel(field, image))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur with a Gaussian; image float32 (H, W) or (H, W, 3), sigma in pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def resample(rng: np.random.Generator, image: np.ndarray, factor: float) -> np.ndarray:
    """Shrink by a factor above 1 and enlarge again; image float32 (H, W) or (H, W, 3)."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(8, int(width / factor)), max(8, int(height / factor))), interpolation=cv2.INTER_AREA)
    how = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(3))]
    return cv2.resize(small, (width, height), interpolation=how)


def add_noise(rng: np.random.Generator, image: np.ndarray, amount: float) -> np.ndarray:
    """Add Gaussian, grainy, multiplicative or magnitude noise; image float32 (H, W) or (H, W, 3), about [0, 1]."""
    shape = image.shape[:2]
    kind = rng.random()
    if kind < 0.4:
        return image + amount * rng.standard_normal(image.shape, np.float32)
    if kind < 0.6:
        grain = blur(rng.standard_normal(shape, np.float32), rng.uniform(0.6, 1.5))
        return image + 2 * amount * _each_channel(grain, image)
    if kind < 0.8:
        return image * (1 + 1.5 * amount * _each_channel(rng.standard_normal(shape, np.float32), image))
    parts = [_each_channel(amount * rng.standard_normal(shape, np.float32), image) for _ in range(2)]
    return np.sqrt((image + parts[0]) ** 2 + parts[1] ** 2)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Compress as JPEG and decode again; image uint8 (H, W) or (H, W, 3), quality 0 to 100."""
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(code, cv2.IMREAD_UNCHANGED)
    return np.asarray(decoded)


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Clip floats to [0, 1] and scale them to uint8."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def acquire(rng: np.random.Generator, image: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Apply a random chain of shading, resampling, blur, noise, gamma, contrast, inversion and compression.

    Parameters
    ----------
    rng : numpy.random.Generator
    image : ndarray
        float32 (H, W) or (H, W, 3), about [0, 1].
    strength : float
        0 leaves the image almost unchanged; 1 suits synthetic scenes.

    Returns
    -------
    ndarray
        uint8, of the same shape.
    """
    image = np.clip(image, 0, 1.5).astype(np.float32)
    if rng.random() < 0.4:
        image = shade(rng, image, strength * rng.uniform(0, 0.25))
    if rng.random() < 0.2 * strength:
        image = resample(rng, image, rng.uniform(1, 1 + 1.5 * strength))
    if rng.random() < 0.4:
        image = blur(image, rng.uniform(0.3, 0.4 + strength))
    if rng.random() < 0.6:
        image = np.maximum(add_noise(rng, image, strength * rng.uniform(0, 0.07)), 0)
    if rng.random() < 0.6:
        image = np.clip(image, 0, None) ** np.float32(np.exp(strength * rng.normal(0, 0.3)))
    if rng.random() < 0.4:
        image = (image - 0.5) * rng.uniform(1 - 0.4 * strength, 1 + 0.6 * strength) + 0.5
        image = image + strength * rng.uniform(-0.15, 0.15)
    if image.ndim == 3 and rng.random() < 0.5:
        image = image * (1 + strength * rng.normal(0, 0.1, 3)).astype(np.float32)
    if rng.random() < 0.06:
        image = 1 - np.clip(image, 0, 1)
    pixels = to_bytes(image)
    if rng.random() < 0.15:
        pixels = jpeg(pixels, int(rng.integers(40, 96)))
    return pixels
