"""Views of real images: masks follow, colours stay colours, and no object is lost with its image."""

import numpy as np
import pytest
from litemedsam.training.augment import augment
from litemedsam.training.samples import Sample


def test_augmented_masks_follow_the_image():
    # An object brighter than all else stays where its mask is, whatever is turned, zoomed or flipped.
    image = np.full((90, 120), 40, np.uint8)
    mask = np.zeros((90, 120), bool)
    mask[30:60, 50:100] = True
    image[mask] = 200
    for seed in range(30):
        seen = augment(np.random.default_rng(seed), Sample(image, mask[None]))
        assert len(seen.masks) == 1
        inside, outside = seen.image[seen.masks[0]].mean(), seen.image[~seen.masks[0]].mean()
        assert abs(inside - outside) > 20


@pytest.mark.parametrize("shape", [(60, 90), (60, 90, 3)])
def test_images_keep_their_kind(shape):
    rng = np.random.default_rng(0)
    image, masks = rng.integers(0, 256, shape, np.uint8), np.zeros((2, 60, 90), bool)
    masks[0, 20:40, 30:60] = masks[1, :4, :4] = True
    lost = 0
    for seed in range(40):
        seen = augment(np.random.default_rng(seed), Sample(image, masks))
        assert seen.image.dtype == np.uint8
        assert seen.image.shape[:2] in ((60, 90), (90, 60))
        assert seen.masks.shape[1:] == seen.image.shape[:2]
        assert seen.masks.any(axis=(1, 2)).all()
        # A grey image in colours becomes grey where intensities change.
        assert seen.image.ndim == len(shape)
        lost += len(seen.masks) == 1
    assert 0 < lost < 40


def test_grey_in_three_channels_stays_grey():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 1), np.uint8).repeat(3, axis=2)
    masks = np.zeros((1, 40, 40), bool)
    masks[0, 10:30, 10:30] = True
    for seed in range(20):
        seen = augment(np.random.default_rng(seed), Sample(image, masks)).image
        assert seen.ndim == 2 or (seen == seen[..., :1]).all()
