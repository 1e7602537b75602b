"""Projections are grey: two lungs and a heart, a gland and its lumps."""

import numpy as np
import pytest
from litemedsam.training.scenes.projections import breast, chest

SIZE = 96, 120


@pytest.mark.parametrize(("draw", "axes", "least", "most"), [(chest, (2,), 2, 3), (breast, (2,), 1, 6)])
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


def test_both_lungs_lie_beside_each_other():
    left, right = chest(np.random.default_rng(1), SIZE).masks[:2]
    assert np.nonzero(left)[1].mean() < 60 < np.nonzero(right)[1].mean()
