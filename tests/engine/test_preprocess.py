"""An image to its frame."""

import cv2
import numpy as np
import pytest
from litemedsam.engine.preprocess import to_frame


def test_normalised_by_its_own_range_after_resizing():
    image = np.random.default_rng(0).integers(40, 180, (300, 500, 3)).astype(np.uint8)
    pixels, frame = to_frame(image)
    assert (frame.scaled_height, frame.scaled_width) == (154, 256)
    scaled = cv2.resize(image, (256, 154), interpolation=cv2.INTER_AREA).astype(np.float64)
    expected = (scaled - scaled.min()) / (scaled.max() - scaled.min())
    np.testing.assert_allclose(pixels[:, :154].transpose(1, 2, 0), expected, atol=1e-7)
    assert not pixels[:, 154:].any()
    assert pixels.dtype == np.float32


def test_grey_equals_the_same_grey_in_colour():
    image = np.random.default_rng(0).integers(0, 256, (90, 70)).astype(np.uint8)
    np.testing.assert_array_equal(to_frame(image)[0], to_frame(np.repeat(image[..., None], 3, axis=2))[0])


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_constant_image_gives_zeros(level):
    assert not to_frame(np.full((40, 60), level, np.uint8))[0].any()
