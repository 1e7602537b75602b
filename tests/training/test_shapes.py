"""Outlines, surfaces and strokes of scenes."""

import numpy as np
import pytest
from litemedsam.training import shapes


@pytest.mark.parametrize(("cell", "most"), [(1.0, 1.3), (3.0, 0.8), (12.0, 0.2)])
def test_noise_is_smooth_below_its_cell(cell, most):
    noise = shapes.smooth_noise(np.random.default_rng(0), (120, 150), cell)
    assert (noise.shape, noise.dtype) == ((120, 150), np.float32)
    assert abs(noise.mean()) < 0.3
    assert 0.6 < noise.std() < 1.4
    assert most / 2 < np.abs(np.diff(noise, axis=1)).mean() < most


def test_a_texture_has_a_usual_spread():
    rng = np.random.default_rng(0)
    spreads = [shapes.texture(rng, (80, 90)).std() for _ in range(20)]
    assert 0.3 < np.mean(spreads) < 1.5


def test_an_ellipse_has_its_area_and_its_place():
    mask = shapes.filled(shapes.ellipse_outline((40, 30), (20, 10), 0.0), (60, 80))
    assert mask.sum() == pytest.approx(np.pi * 200, rel=0.08)
    y, x = np.nonzero(mask)
    assert (x.mean(), y.mean()) == (pytest.approx(40, abs=0.5), pytest.approx(30, abs=0.5))
    turned = shapes.filled(shapes.ellipse_outline((40, 30), (20, 10), np.pi / 2), (60, 80))
    assert np.ptp(np.nonzero(turned)[0]) > 1.7 * np.ptp(np.nonzero(turned)[1])


def test_outlines_may_reach_beyond_the_picture():
    mask = shapes.filled(shapes.ellipse_outline((0, 0), (10, 10), 0.0), (60, 80))
    assert mask[0, 0]
    assert mask.sum() < 100


@pytest.mark.parametrize("seed", range(12))
def test_a_blob_lies_around_its_centre(seed):
    mask = shapes.blob(np.random.default_rng(seed), (100, 100), (50.0, 50.0), 15.0)
    assert (mask.shape, mask.dtype) == ((100, 100), bool)
    y, x = np.nonzero(mask)
    assert np.hypot(x - 50, y - 50).max() < 45


def test_depth_and_border_of_a_mask():
    mask = np.zeros((30, 40), bool)
    mask[5:25, 10:30] = True
    depth = shapes.dome(mask)
    assert depth[~mask].max() == 0
    assert depth.max() == 1
    border = shapes.ring(mask, 2)
    assert (border <= mask).all()
    assert not border[8:22, 13:27].any()
    assert border[5, 10:30].all()
    assert shapes.dome(np.zeros((5, 5), bool)).max() == 0


def test_a_line_parts_the_picture_at_its_distance():
    rng = np.random.default_rng(0)
    near, far = (shapes.half_plane(rng, (50, 60), (30.0, 25.0), distance) for distance in (1.0, -1.0))
    assert near[25, 30]
    assert not far[25, 30]
    assert 0 < near.mean() < 1


def test_a_tube_is_as_wide_and_long_as_asked():
    mask = shapes.tube(np.random.default_rng(0), (200, 200), (100.0, 100.0), 60.0, 5.0)
    assert mask[98:103, 98:103].any()
    assert 60 * 3 < mask.sum() < 60 * 8


def test_cells_share_walls():
    labels = shapes.cell_mosaic(np.random.default_rng(0), (100, 120), 12.0)
    assert (labels.shape, labels.dtype) == ((100, 120), np.int32)
    assert 0.05 < (labels == 0).mean() < 0.5
    assert len(np.unique(labels)) > 10
