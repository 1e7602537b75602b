"""Random views of real samples, with their masks."""

import cv2
import numpy as np

from .acquisition import acquire
from .samples import Sample

_MIN_PIXELS = 10
_MIN_KEPT = 0.5


def _flipped(rng: np.random.Generator, sample: Sample) -> Sample:
    image, masks = sample.image, sample.masks
    if rng.random() < 0.5:
        image, masks = image[:, ::-1], masks[:, :, ::-1]
    if rng.random() < 0.5:
        image, masks = image[::-1], masks[:, ::-1]
    if rng.random() < 0.5:
        image, masks = np.swapaxes(image, 0, 1), np.swapaxes(masks, 1, 2)
    return Sample(np.ascontiguousarray(image), np.ascontiguousarray(masks))


def _warped(rng: np.random.Generator, sample: Sample) -> Sample | None:
    height, width = sample.image.shape[:2]
    angle, zoom = rng.normal(0, 12), float(np.exp(rng.uniform(-0.35, 0.5)))
    target = sample.masks[int(rng.integers(len(sample.masks)))]
    ys, xs = np.nonzero(target)
    pull = rng.uniform(0, 1) if zoom > 1 else 0.0
    centre = (float(width / 2 + pull * (xs.mean() - width / 2)), float(height / 2 + pull * (ys.mean() - height / 2)))
    matrix = cv2.getRotationMatrix2D(centre, angle, zoom)
    matrix[:, 2] += np.array([width / 2 - centre[0], height / 2 - centre[1]])
    matrix[:, 2] += rng.normal(0, 0.03, 2) * max(height, width)
    squeeze = np.diag([np.exp(rng.normal(0, 0.08)), 1.0])
    matrix = squeeze @ matrix
    image = cv2.warpAffine(sample.image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    masks = []
    for mask in sample.masks:
        moved = cv2.warpAffine(mask.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST) > 0
        expected = np.count_nonzero(mask) * abs(np.linalg.det(matrix[:, :2]))
        if np.count_nonzero(moved) >= max(_MIN_PIXELS, _MIN_KEPT * expected):
            masks.append(moved)
    return Sample(image, np.stack(masks)) if masks else None


def augment(rng: np.random.Generator, sample: Sample) -> Sample:
    """Flip, turn, zoom, stretch and change the intensities.

    Parameters
    ----------
    rng : numpy.random.Generator
    sample : Sample

    Returns
    -------
    Sample
        With at least one of the sample's objects; an object that is half outside the view is dropped.
    """
    sample = _flipped(rng, sample)
    if rng.random() < 0.65:
        sample = _warped(rng, sample) or sample
    image = sample.image
    grey = image.ndim == 3 and bool((image == image[..., :1]).all())
    if rng.random() < 0.6:
        pixels = (image[..., 0] if grey else image).astype(np.float32) / 255
        image = acquire(rng, pixels, 0.5)
    return Sample(image, sample.masks)
