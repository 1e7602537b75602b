"""Effects of a scanner: shapes and types stay, and strength has its way."""

import numpy as np
import pytest
from litemedsam.training.acquisition import acquire, add_noise, blur, jpeg, resample, shade, to_bytes


@pytest.fixture(params=[(40, 50), (40, 50, 3)], ids=["grey", "colours"])
def image(request):
    y, x = np.mgrid[:40, :50]
    ramp = ((x + y) / 90).astype(np.float32)
    return ramp if len(request.param) == 2 else np.stack([ramp, ramp[::-1], 1 - ramp], axis=-1)


@pytest.mark.parametrize(
    "effect",
    [
        lambda rng, image: shade(rng, image, 0.1),
        lambda rng, image: blur(image, 1.5),
        lambda rng, image: resample(rng, image, 2.0),
        lambda rng, image: add_noise(rng, image, 0.05),
    ],
)
def test_an_effect_changes_values_and_not_the_form(image, effect):
    for seed in range(8):
        changed = effect(np.random.default_rng(seed), image)
        assert changed.shape == image.shape
        assert np.isfinite(changed).all()
        assert 0 < np.abs(changed - image).mean() < 0.2


def test_bytes_are_rounded_and_clipped():
    found = to_bytes(np.array([-0.1, 0, 0.5, 1, 1.4], np.float32))
    assert found.dtype == np.uint8
    assert found.tolist() == [0, 0, 128, 255, 255]


def test_compression_keeps_the_picture(image):
    pixels = to_bytes(image)
    found = jpeg(pixels, 95)
    assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
    assert np.abs(found.astype(int) - pixels).mean() < 6


def test_a_chain_is_stronger_where_it_is_asked_to_be(image):
    pixels = to_bytes(image).astype(int)
    means = []
    for strength in (0.0, 0.5, 1.0):
        found = [acquire(np.random.default_rng(seed), image, strength) for seed in range(40)]
        assert all((each.shape, each.dtype) == (image.shape, np.uint8) for each in found)
        # Inverted pictures come at every strength.
        means.append(np.median([np.abs(each - pixels).mean() for each in found]))
    assert means[0] < 2 < means[2]
    assert means[0] < means[1] < means[2]
