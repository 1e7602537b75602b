"""Cross-sections are grey, but for abstract ones, which may have colours."""

import numpy as np
import pytest
from litemedsam.training.scenes.sections import abstract, emission, layers, tomography, ultrasound

SIZE = 96, 120


@pytest.mark.parametrize(
    ("draw", "axes", "least", "most"),
    [
        (tomography, (2,), 2, 60),
        (abstract, (2, 3), 2, 60),
        (ultrasound, (2,), 1, 6),
        (layers, (2,), 1, 8),
        (emission, (2,), 1, 6),
    ],
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
