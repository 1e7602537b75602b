"""An image is placed in its frame."""

import cv2
import numpy as np
import pytest
from litemedsam.engine.inference.frame import Frame, to_frame


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


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((100, 256), (100, 256)),
        ((512, 256), (256, 128)),
        ((3, 1000), (1, 256)),
        ((1000, 1), (256, 1)),
        ((255, 511), (128, 256)),
    ],
)
def test_the_frame_of_an_image(size, scaled):
    frame = Frame.of(*size, 256)
    assert (frame.size, frame.height, frame.width) == (256, *size)
    assert (frame.scaled_height, frame.scaled_width) == scaled
    assert frame.scale == 256 / max(size)


def test_the_range_of_levels_is_the_image_s_own():
    image = np.tile(np.uint8([[10, 20], [30, 110]]), (8, 8))
    pixels, frame = to_frame(image, 16)
    assert frame.scale == 1
    assert pixels.shape == (3, 16, 16)
    np.testing.assert_allclose(pixels[0, :2, :2], [[0, 0.1], [0.2, 1]], rtol=1e-6)
    one_step, _ = to_frame(np.tile(np.uint8([[7, 8]]), (16, 8)), 16)
    assert set(np.unique(one_step)) == {0, 1}
