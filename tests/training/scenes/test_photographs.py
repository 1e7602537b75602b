"""Photographs are drawn in colour; cells come in grey, too, and many at once."""

import numpy as np
import pytest
from litemedsam.training.scenes.photographs import cells, endoscopy, fundus, skin

SIZE = 96, 120


@pytest.mark.parametrize(
    ("draw", "axes", "least", "most"),
    [(skin, (3,), 1, 1), (endoscopy, (3,), 1, 2), (fundus, (3,), 1, 2), (cells, (2, 3), 10, 400)],
)
def test_a_scene_has_its_channels_and_its_objects(draw, axes, least, most):
    counts = []
    for seed in range(8):
        canvas = draw(np.random.default_rng(seed), SIZE)
        assert canvas.size == SIZE
        assert canvas.picture.ndim in axes
        assert np.isfinite(canvas.picture).all()
        assert all(mask.shape == SIZE for mask in canvas.masks)
        counts.append(len(canvas.objects()))
    assert least <= max(counts) <= most
