"""NSD against analytic shapes, a naive implementation and DeepMind's library."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litemedsam.evaluation.surface import contour_lengths, surface_areas, surface_dice
from naive import naive_surface_dice

from litemedsam.errors import LiteMedSamError


def block(shape, *sides):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


def disc(radius, side=160):
    y, x = np.mgrid[:side, :side] - side // 2
    return y**2 + x**2 <= radius**2


def test_the_areas_are_those_of_planes():
    areas = surface_areas((5.0, 0.7, 0.9))
    assert areas[0] == areas[255] == 0
    # Bit p of a code is corner p, whose bit a is its place along axis a.
    for axis, area in enumerate((0.7 * 0.9, 5 * 0.9, 5 * 0.7)):
        assert areas[sum(1 << p for p in range(8) if p >> axis & 1)] == pytest.approx(area)
    np.testing.assert_allclose(areas, areas[::-1])
    assert contour_lengths((3.0, 4.0)).tolist() == [0, 2.5, 2.5, 3, 2.5, 4, 5, 2.5, 2.5, 5, 4, 2.5, 3, 2.5, 2.5, 0]


def test_the_surface_of_a_box_is_that_of_the_box_with_cut_edges():
    from litemedsam.evaluation.surface import _cell_codes

    sides, spacing = (4, 5, 6), (1.0, 1.0, 1.0)
    total = surface_areas(spacing)[_cell_codes(np.ones(sides, bool))].sum()
    a, b, c = (n - 1 for n in sides)
    assert total == pytest.approx(2 * (a * b + b * c + a * c) + 4 * (a + b + c) * math.sqrt(0.5) + 8 * math.sqrt(3) / 8)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.8, 0.6)])
def test_a_shifted_slab_matches_while_the_shift_is_within_the_tolerance(axis, spacing):
    sides = [(5, 15), (5, 15), (5, 15)]
    still = block((24, 24, 24), *sides)
    sides[axis] = (7, 17)
    shifted = block((24, 24, 24), *sides)
    shift = 2 * spacing[axis]
    assert surface_dice(still, still, spacing, 0.0) == 1
    assert surface_dice(still, shifted, spacing, shift) == 1
    assert surface_dice(still, shifted, spacing, 0.99 * shift) < 1


def test_far_or_empty_masks_do_not_match():
    a, b, none = block((30, 30), (2, 6), (2, 6)), block((30, 30), (20, 26), (20, 26)), np.zeros((30, 30), bool)
    assert surface_dice(a, b, (1.0, 1.0), 2.0) == 0
    assert surface_dice(a, none, (1.0, 1.0), 2.0) == surface_dice(none, a, (1.0, 1.0), 2.0) == 0
    assert math.isnan(surface_dice(none, none, (1.0, 1.0), 2.0))


def test_a_mask_on_the_image_border_is_closed_there():
    full = np.ones((6, 6, 6), bool)
    assert surface_dice(full, full, (1.0, 1.0, 1.0), 0.0) == 1
    assert surface_dice(full, np.pad(full, 3)[3:-3, 3:-3, 3:-3], (1.0, 1.0, 1.0), 0.0) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(5, 6), (5, 1), (4, 5, 6), (6, 6, 1)]), st.floats(0, 3))
def test_equals_the_naive_implementation(seed, shape, tolerance):
    rng = np.random.default_rng(seed)
    truth, mask = (rng.random(shape) < p for p in (0.5, 0.2))
    truth.flat[0] = mask.flat[-1] = True
    got = surface_dice(truth, mask, (1.0,) * len(shape), tolerance)
    assert got == pytest.approx(naive_surface_dice(truth, mask, tolerance), abs=1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(7, 9), (6, 7, 8), (9, 9, 1)]), st.floats(0, 6))
def test_equals_the_library_that_the_challenge_used(seed, shape, tolerance):
    library = pytest.importorskip("surface_distance.metrics")
    rng = np.random.default_rng(seed)
    # Half noise, which holds all kinds of cells, half a shape.
    truth, mask = (rng.random(shape) < p for p in (0.5, 0.15))
    truth.flat[0] = mask.flat[-1] = True
    spacing = tuple(float(s) for s in rng.uniform(0.5, 5, len(shape)))
    distances = library.compute_surface_distances(truth, mask, spacing)
    expected = library.compute_surface_dice_at_tolerance(distances, tolerance)
    assert surface_dice(truth, mask, spacing, tolerance) == pytest.approx(expected, abs=1e-9)


def test_discs_of_radius_50_and_60():
    a, b = disc(50), disc(60)
    assert surface_dice(a[..., None], b[..., None], (1.0, 1.0, 1.0), 2.0) == pytest.approx(0.8573641153944225, abs=1e-6)
    assert surface_dice(a, b, (1.0, 1.0), 2.0) == 0


@pytest.mark.parametrize(
    ("shapes", "spacing"),
    [(((4, 4), (4, 5)), (1.0, 1.0)), (((4,), (4,)), (1.0,)), (((4, 4), (4, 4)), (1.0, 0.0)), (((4, 4),) * 2, (1.0,))],
)
def test_what_does_not_fit_together_is_refused(shapes, spacing):
    with pytest.raises(LiteMedSamError, match="NSD"):
        surface_dice(*(np.ones(s, bool) for s in shapes), spacing, 2.0)


def test_surface_dice_of_the_empty_and_of_bad_arguments():
    full, empty = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    assert math.isnan(surface_dice(empty, empty, (1.0, 1.0), 1.0))
    assert surface_dice(full, empty, (1.0, 1.0), 1.0) == 0
    assert surface_dice(empty, full, (1.0, 1.0), 1.0) == 0
    for shapes, spacing, words in (
        (((4, 4), (4, 5)), (1.0, 1.0), "expected one shape of 2 or 3 axes"),
        (((4,), (4,)), (1.0,), "expected one shape of 2 or 3 axes"),
        (((4, 4), (4, 4)), (1.0,), "expected 2 finite numbers above 0"),
        (((4, 4), (4, 4)), (1.0, 0.0), "expected 2 finite numbers above 0"),
        (((4, 4), (4, 4)), (1.0, np.inf), "expected 2 finite numbers above 0"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            surface_dice(*(np.ones(shape, bool) for shape in shapes), spacing, 1.0)
