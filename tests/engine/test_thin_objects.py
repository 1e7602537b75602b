"""Objects of a few pixels' width are found alike in both directions, on an image and on the end slices of a volume."""

import numpy as np
import pytest

from litemedsam import Predictor

LENGTH = 30


def drawn(width, start):
    """Noise (128, 128) with a bright line along x, and its box."""
    image = np.random.default_rng(0).normal(40, 8, (128, 128))
    x, y = start
    image[y : y + width, x : x + LENGTH] += 150
    return np.clip(image, 0, 255).astype(np.uint8), [x, y, x + LENGTH - 1, y + width - 1]


@pytest.fixture(scope="module")
def predictor():
    with Predictor(precision="f32") as made:
        yield made


@pytest.mark.parametrize("width", [1, 2])
def test_a_line_is_found_along_and_across(predictor, width):
    image, (x, y, u, v) = drawn(width, (30, 40))
    along = predictor.open(image, volume=False).predict([[x, y, u, v]]).masks[0]
    across = predictor.open(np.ascontiguousarray(image.T), volume=False).predict([[y, x, v, u]]).masks[0].T
    for mask in (along, across):
        assert mask[y : v + 1, x : u + 1].sum() >= 0.85 * width * LENGTH
        assert mask.sum() == mask[y : v + 1, x : u + 1].sum()
    assert np.count_nonzero(along ^ across) <= 0.15 * width * LENGTH


def test_a_line_on_the_end_slices_of_a_volume(predictor):
    image, (x, y, u, v) = drawn(2, (30, 40))
    mask = predictor.open(np.stack([image] * 5), volume=True).predict([[x, y, 0, u, v, 4]]).masks[0]
    for z in (0, 4):
        rows, columns = np.nonzero(mask[z])
        assert abs(rows.mean() - (y + v) / 2) <= 0.5
        assert abs(columns.mean() - (x + u) / 2) <= 2
