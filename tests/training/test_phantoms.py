"""Whole synthetic volumes."""

import numpy as np
from litemedsam.training.phantoms import draw_phantom, draw_slice


def test_a_phantom_is_seeded_and_its_solids_change_slowly():
    one, again = (draw_phantom(np.random.default_rng(5), 12, 96) for _ in range(2))
    np.testing.assert_array_equal(one.images, again.images)
    np.testing.assert_array_equal(one.labels, again.labels)
    assert one.images.shape == one.labels.shape == (12, 96, 96)
    marked = one.labels > 0
    both = (marked[1:] & marked[:-1]).sum((1, 2))
    assert both.max() > 50


def test_slices_bear_objects():
    found = [sample for seed in range(8) for sample in draw_phantom(np.random.default_rng(seed), 8, 64).slices()]
    assert len(found) > 8
    assert min(sample.masks.sum((1, 2)).min() for sample in found) >= 12


def test_one_slice_is_drawn_without_its_volume():
    sample = draw_slice(np.random.default_rng(2), 96)
    assert sample.image.shape == sample.masks.shape[1:] == (96, 96)
    assert sample.masks.any((1, 2)).all()
