"""A picture that is painted: what covers what, and which objects are still seen."""

import numpy as np
import pytest
from litemedsam.training.scenes.canvas import MIN_PIXELS, Canvas, colourised, contrast, spot, spot_in


def square(y, x, side, size=(40, 50)):
    mask = np.zeros(size, bool)
    mask[y : y + side, x : x + side] = True
    return mask


@pytest.mark.parametrize("colours", [False, True])
def test_paint_covers_by_its_opacity(colours):
    canvas = Canvas(np.full((40, 50, 3) if colours else (40, 50), 0.2, np.float32))
    canvas.paint(square(5, 5, 10), 1.0)
    canvas.paint(square(20, 20, 10), 1.0, opacity=0.5)
    assert canvas.size == (40, 50)
    assert (canvas.picture[5:15, 5:15] == 1).all()
    np.testing.assert_allclose(canvas.picture[20:30, 20:30], 0.6, rtol=1e-6)
    np.testing.assert_allclose(canvas.picture[35:], 0.2, rtol=1e-6)


def test_soft_paint_fades_at_the_edge():
    canvas = Canvas(np.zeros((40, 50), np.float32))
    canvas.paint(square(10, 10, 20), 1.0, soft=2.0)
    assert canvas.picture[20, 20] > 0.99
    assert 0.3 < canvas.picture[20, 10] < 0.7
    assert 0 < canvas.picture[20, 8] < canvas.picture[20, 10]


def test_a_covered_object_loses_its_pixels_and_an_inner_one_takes_none():
    canvas = Canvas(np.zeros((40, 50), np.float32))
    canvas.add(square(5, 5, 20))
    canvas.add(square(15, 15, 20))
    canvas.add(square(20, 20, 5), covers=False)
    outer, covering, inner = canvas.objects()
    assert outer.sum() == 400 - 100
    assert covering.sum() == 400
    assert inner.sum() == 25
    canvas.forget()
    assert canvas.objects() == []


def test_of_a_divided_object_the_largest_piece_counts():
    canvas = Canvas(np.zeros((40, 50), np.float32))
    bar, across = np.zeros((40, 50), bool), np.zeros((40, 50), bool)
    bar[10:14, 2:48] = True
    across[:, 30:34] = True
    canvas.add(bar)
    canvas.add(across)
    np.testing.assert_array_equal(np.nonzero(canvas.objects()[0])[1].max(), 29)


def test_what_is_hardly_seen_is_no_object():
    canvas = Canvas(np.zeros((40, 50), np.float32))
    canvas.add(square(0, 0, 3))
    canvas.add(square(5, 5, 20))
    canvas.add(square(5, 5, 20) & ~square(5, 5, 6))
    assert MIN_PIXELS > 9
    assert [mask.sum() for mask in canvas.objects()] == [400 - 36]


def test_places_and_levels_are_within_their_ranges():
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = spot(rng, (40, 80), 0.25)
        assert 20 <= x <= 60
        assert 10 <= y <= 30
        x, y = spot_in(rng, square(5, 7, 3))
        assert 7 <= x <= 9
        assert 5 <= y <= 7
        level = float(rng.random())
        assert 0 <= contrast(rng, level) <= 1
    assert spot_in(rng, np.zeros((40, 80), bool)) == (40, 20)


def test_greys_become_colours_between_two():
    dark, light = np.array([0.1, 0.2, 0.3]), np.array([0.9, 0.6, 0.5])
    found = colourised(np.random.default_rng(0), np.array([[-1, 0.5, 2]], np.float32), dark, light)
    np.testing.assert_allclose(found[0], [dark, (dark + light) / 2, light], rtol=1e-6)
