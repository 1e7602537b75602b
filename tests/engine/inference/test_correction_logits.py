"""Logits after a correction: places end on their sides, only their own pieces change, and little goes at once."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litemedsam.engine.inference.correction_logits import depth, followed, honoured, pieces_on, restrained
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.prompt import Correction
from litemedsam.engine.inference.region import to_region


@pytest.mark.parametrize("size", [(48, 60), (200, 150), (64, 64), (1, 90)])
def test_every_point_ends_on_its_side_in_pixels_of_the_image(size):
    rng = np.random.default_rng(size[0])
    frame = Frame.of(*size, 64)
    for _ in range(100):
        logits = rng.normal(0, 8, (64, 64)).astype(np.float32)
        places = np.stack([rng.integers(0, side, 1) for side in size[::-1]], axis=-1)
        adds = bool(rng.integers(2))
        correction = Correction(add=places) if adds else Correction(remove=places)
        points, labels = correction.points(frame)
        mask = to_region(honoured(logits, points, labels), frame).full(*size)
        assert mask[places[0, 1], places[0, 0]] == adds


def test_points_beside_each_other_all_end_on_their_sides():
    rng = np.random.default_rng(0)
    frame = Frame.of(64, 64, 64)
    for _ in range(200):
        logits = rng.normal(0, 0.5, (64, 64)).astype(np.float32)
        x, y = rng.integers(8, 50, 2)
        shift = rng.integers(4, 8, 2)
        correction = Correction(add=np.array([[x, y]]), remove=np.array([[x + shift[0], y], [x, y + shift[1]]]))
        mask = to_region(honoured(logits, *correction.points(frame)), frame).full(64, 64)
        assert mask[y, x]
        assert not mask[y, x + shift[0]]
        assert not mask[y + shift[1], x]


def test_points_that_are_right_already_change_nothing():
    logits = np.full((64, 64), 3, np.float32)
    assert honoured(logits, np.array([[5, 6]], np.float32), np.array([1])) is logits


def test_points_beyond_the_frame_count_as_on_its_edge():
    logits = np.full((64, 64), 3, np.float32)
    changed = honoured(logits, np.array([[-5, 70], [80, 0.5]], np.float32), np.array([0, 0]))
    assert changed[63, 0] < 0
    assert changed[0, 63] < 0
    # Just over the border: a logit of 0 is on neither side.
    zero = honoured(np.zeros((64, 64), np.float32), np.array([[5, 6]], np.float32), np.array([1]))
    assert zero[6, 5] == pytest.approx(2)


def test_a_point_changes_its_surroundings_alone():
    logits = np.full((64, 64), 3, np.float32)
    changed = honoured(logits, np.array([[20, 30]], np.float32), np.array([0]))
    assert changed[30, 20] < 0
    assert changed[30, 50] == 3
    assert logits[30, 20] == 3


@pytest.mark.parametrize("size", [(48, 60), (200, 150), (64, 64)])
def test_strokes_end_on_their_sides_all_along(size):
    rng = np.random.default_rng(size[0])
    frame = Frame.of(*size, 64)
    right = total = 0
    for _ in range(30):
        logits = rng.normal(0, 8, (64, 64)).astype(np.float32)
        stroke = np.zeros(size, np.uint8)
        ends = [tuple(int(rng.integers(2, side - 2)) for side in size[::-1]) for _ in range(2)]
        cv2.line(stroke, *ends, 1, 2)
        adds = bool(rng.integers(2))
        correction = Correction(painted=stroke > 0) if adds else Correction(erased=stroke > 0)
        mask = to_region(honoured(logits, *correction.places(frame)), frame).full(*size)
        right += np.count_nonzero(mask[stroke > 0] == adds)
        total += np.count_nonzero(stroke)
    assert right >= 0.97 * total


def page(*squares, side=64, value=True):
    """An array with squares (x, y, size)."""
    made = np.zeros((side, side), type(value))
    for x, y, size in squares:
        made[y : y + size, x : x + size] = value
    return made


def levels(mask):
    """Logits of 4 inside a mask and -4 outside."""
    return np.where(mask, 4, -4).astype(np.float32)


def point(x, y):
    return np.array([[x, y]], np.float32)


ADD, REMOVE = np.array([1]), np.array([0])


def test_only_the_piece_of_the_point_comes():
    before = page((10, 10, 20))
    decoded = levels(page((10, 10, 24), (45, 45, 10)))
    after = restrained(levels(before), decoded, point(32, 20), point(32, 20), ADD) > 0
    np.testing.assert_array_equal(after, page((10, 10, 24)))


def test_only_the_piece_of_the_point_goes_and_nothing_comes_elsewhere():
    before = page((10, 10, 30), (50, 50, 6))
    decoded = levels(page((10, 10, 30), (2, 50, 6)) & ~page((10, 10, 8)))
    after = restrained(levels(before), decoded, point(12, 12), point(12, 12), REMOVE) > 0
    np.testing.assert_array_equal(after, before & ~page((10, 10, 8)))


def test_a_point_beside_a_piece_counts_as_on_it():
    before = page((10, 10, 20))
    decoded = levels(page((10, 10, 20), (30, 10, 6)))
    for x, same in ((29, True), (28, False)):
        place = point(x, 12)
        after = restrained(levels(before), decoded, place, place, ADD) > 0
        assert after[12, 33] == same


def test_a_network_that_takes_most_of_the_mask_away_is_not_followed():
    """The surroundings of the point go instead, as deep as it lies."""
    before = page((10, 10, 30))
    after = restrained(levels(before), levels(page()), point(14, 25), point(14, 25), REMOVE) > 0
    assert not after[25, 14]
    assert 0 < np.count_nonzero(before & ~after) < 60
    assert after[25, 30]
    # Deeper inside, more goes.
    deep = restrained(levels(before), levels(page()), point(25, 25), point(25, 25), REMOVE) > 0
    assert np.count_nonzero(deep) < np.count_nonzero(after)
    assert deep[12, 12]


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False), (16, False)])
def test_an_eighth_of_the_mask_may_go_at_once(more, taken):
    before = page((10, 10, 40))
    less = before.copy()
    less[10:15] = False
    less[15, 10 : 10 + more] = False
    place = point(25, 11)
    after = restrained(levels(before), levels(less), place, place, REMOVE) > 0
    assert np.array_equal(after, less) == taken


@pytest.mark.parametrize(("x", "reach"), [(12, 0.7 * 3), (25, 0.7 * 16), (10, 0.75)])
def test_the_surroundings_of_a_point_are_as_wide_as_seven_tenths_of_its_depth(x, reach):
    before = levels(page((10, 10, 32)))
    place = point(x, 25)
    after = restrained(before, levels(page()), place, place, REMOVE)
    expected = honoured(before, place, REMOVE, (reach,))
    # Distances are approximate.
    np.testing.assert_allclose(after, expected, atol=0.7)
    assert after[25, x] == pytest.approx(-2)


def test_an_answer_counts_for_three_fifths():
    before = np.full((64, 64), -30, np.float32)
    before[10:30, 10:30] = 7
    decoded = np.full((64, 64), -20, np.float32)
    decoded[10:30, 10:34] = 15
    after = restrained(before, decoded, point(31, 20), point(31, 20), ADD)
    # What is beyond 10 counts as 10.
    assert after[20, 31] == pytest.approx(0.6 * 15 - 0.4 * 10)
    assert after[20, 20] == pytest.approx(0.6 * 15 + 0.4 * 7)
    assert after[50, 50] == pytest.approx(0.6 * -20 - 0.4 * 10)


@pytest.mark.parametrize(("dx", "dy"), [(-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (-1, -1)])
@pytest.mark.parametrize("start", [(0, 0), (30, 20), (61, 61)])
def test_a_point_counts_for_the_pixels_beside_it_and_no_farther(start, dx, dy):
    x, y = start[0] + 1, start[1] + 1
    for steps, same in ((1, True), (2, False)):
        at = np.array([x, y]) + steps * np.array([dx, dy])
        if ((at < 0) | (at > 63)).any():
            continue
        # A point on its side already; the new pixel is a piece of its own, but for the mask at the point.
        before = np.full((64, 64), -4, np.float32)
        before[y, x] = 4
        decoded = before.copy()
        decoded[at[1], at[0]] = 40
        place = point(x, y)
        after = restrained(before, decoded, place, place, ADD)
        assert (after[at[1], at[0]] > 0) == same


def test_places_are_rounded_and_those_beyond_the_frame_count_as_on_its_edge():
    before = levels(page((20, 20, 10)))
    for x, y, square in ((39.6, 20.4, (41, 20, 3)), (70, -5, (61, 0, 3)), (-9, 80, (0, 61, 3))):
        decoded = levels(page((20, 20, 10), square))
        inside = np.clip([[x, y]], 0, 63).astype(np.float32)
        after = restrained(before, np.where(decoded > 0, 40, -4).astype(np.float32), point(x, y), inside, ADD)
        # The network's own answer, not the change that takes its place.
        assert (after[square[1] : square[1] + 3, square[0] : square[0] + 3] > 15).all()


def test_a_pixel_is_inside_from_the_first_bit_above_zero():
    hardly = page((10, 10, 20)).astype(np.float32) - np.float32(0.5)
    answer = np.where(page((10, 10, 24), (45, 45, 10)), 0.5, -0.5).astype(np.float32)
    after = restrained(hardly, answer, point(32, 20), point(32, 20), ADD) > 0
    assert after[20, 31]
    assert not after[48, 48]
    assert after[15, 15]
    near = followed(hardly, answer, answer) > 0
    np.testing.assert_array_equal(near, answer > 0)
    zero = np.zeros((64, 64), np.float32)
    np.testing.assert_array_equal(followed(zero, answer, answer) > 0, answer > 0)
    np.testing.assert_array_equal(followed(zero - 1, zero, zero), zero)


def naive(logits, points, labels):
    """The changes by their formula, one after the other, all over the frame."""
    rows, columns = np.mgrid[:64, :64]
    changed = logits.astype(float)
    for reach in (6, 3, 1.5, 0.75):
        for (x, y), label in zip(points, labels, strict=True):
            value, sign = changed[int(y), int(x)], 2 * label - 1
            if sign * value <= 0:
                bump = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * reach**2))
                bump[bump < np.exp(-8)] = 0
                changed += sign * (abs(value) + 2) * bump
    return changed


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_changes_follow_their_formula(seed, count):
    rng = np.random.default_rng(seed)
    logits = cv2.resize(rng.normal(0, 5, (8, 8)), (64, 64)).astype(np.float32)
    points = rng.integers(0, 64, (count, 2)).astype(np.float32)
    labels = rng.integers(0, 2, count)
    # Windows are square, the formula's end is round.
    np.testing.assert_allclose(honoured(logits, points, labels), naive(logits, points, labels), atol=0.05)


def test_the_mask_before_has_its_say():
    """An answer that is hardly sure does not change what was quite sure."""
    before = levels(page((10, 10, 20)))
    decoded = before.copy()
    decoded[10:13, 10:30] = -1
    sure = restrained(before, decoded, point(20, 11), point(20, 11), ADD)
    assert (sure[10:13, 10:30] > 0).all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_all_places_end_on_their_sides_whatever_the_network_says(seed, count):
    rng = np.random.default_rng(seed)
    before, decoded = rng.normal(0, 6, (2, 64, 64)).astype(np.float32)
    # Apart from each other, so that none contradicts another.
    cells = rng.permutation(16)[:count]
    places = np.stack([8 + 16 * (cells % 4), 8 + 16 * (cells // 4)], axis=1).astype(np.float32)
    sides = rng.integers(0, 2, count)
    after = restrained(before, decoded, places[-1:], places, sides)
    x, y = places.T.astype(int)
    np.testing.assert_array_equal(after[y, x] > 0, sides == 1)
    assert after.dtype == np.float32


@given(st.integers(0, 2**32 - 1))
def test_pieces_are_whole_and_disjoint_from_all_others(seed):
    rng = np.random.default_rng(seed)
    changed, ground = cv2.resize(rng.random((8, 8)), (64, 64)) > 0.6, rng.random((64, 64)) > 0.999
    pieces = pieces_on(changed, ground)
    assert not (pieces & ~changed).any()
    np.testing.assert_array_equal(pieces & ground, changed & ground)
    # Diagonal neighbours are connected.
    grown = cv2.dilate(pieces.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not (grown & changed & ~pieces).any()
    np.testing.assert_array_equal(pieces_on(changed, pieces), pieces)


def test_a_neighbouring_slice_changes_where_the_guess_does():
    before = page((10, 10, 20))
    guess = levels(page((10, 10, 20), (30, 15, 4)))
    decoded = levels(page((10, 10, 18), (28, 12, 9), (50, 50, 6)))
    after = followed(levels(before), guess, decoded) > 0
    assert after[16, 35]
    assert not after[52, 52]
    same = followed(levels(before), levels(before), decoded)
    np.testing.assert_array_equal(same > 0, before)


def test_the_depth_is_the_distance_to_the_edge_from_either_side():
    mask = page((10, 10, 21))
    assert depth(mask, point(20, 20)) == pytest.approx(11, abs=0.3)
    assert depth(mask, point(40, 20)) == pytest.approx(10, abs=0.3)
    assert depth(mask, np.concatenate([point(11, 20), point(20, 20)])) == pytest.approx(2, abs=0.3)
    # Without a mask, the frame's border is the edge.
    assert depth(page(), point(20, 30)) == pytest.approx(21, abs=0.3)
    assert depth(~page(), point(63, 30)) == pytest.approx(1, abs=0.1)


def test_a_stroke_across_a_mask_takes_little_beside_itself():
    """The network would take all of it away."""
    before = page((10, 10, 40))
    stroke = np.stack([np.arange(8, 52), np.full(44, 30)], axis=1).astype(np.float32)
    after = restrained(levels(before), levels(page()), stroke, stroke, np.zeros(44, np.int64)) > 0
    assert not after[30].any()
    assert np.count_nonzero(after) > 0.85 * np.count_nonzero(before)
