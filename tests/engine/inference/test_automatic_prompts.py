"""Automatic prompts: inside the box, on the foreground, from the seed, the box and the image alone."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litemedsam.engine.inference.automatic_prompts import SCRIBBLES, AutomaticPrompts, fill_ellipse
from litemedsam.engine.inference.prompt import Target


@st.composite
def boxes(draw):
    x0, y0 = draw(st.floats(0, 250)), draw(st.floats(0, 250))
    return np.float32([x0, y0, draw(st.floats(x0, 256)), draw(st.floats(y0, 256))])


@settings(max_examples=150, deadline=None)
@given(boxes(), st.integers(0, 1000), st.sampled_from([0.0, 0.02, 0.5, 1.0]))
def test_points_and_scribble_lie_in_the_box_and_on_the_foreground(box, seed, share):
    foreground = np.random.default_rng(seed).random((256, 256)) < share
    prompt = AutomaticPrompts(seed).prompt(Target(1), box, foreground)
    assert prompt.points.shape == (4, 2)
    assert prompt.points.dtype == np.float32
    low, high = np.floor(box[:2]), np.ceil(box[2:])
    assert (prompt.points >= low).all()
    assert (prompt.points <= high).all()
    assert prompt.scribble.shape == (256, 256)
    assert not (prompt.scribble & ~foreground).any()
    ys, xs = np.nonzero(prompt.scribble)
    if len(xs):
        assert len(xs) > 5
        assert xs.min() >= low[0]
        assert xs.max() <= high[0]
        assert ys.min() >= low[1]
        assert ys.max() <= high[1]


def test_the_same_inputs_give_the_same_prompt_whatever_the_object():
    foreground = np.random.default_rng(0).random((256, 256)) < 0.7
    box = np.float32([30.5, 40, 170, 200])
    first = AutomaticPrompts(3).prompt(Target(1, 0), box, foreground)
    again = AutomaticPrompts(3).prompt(Target(9, 5), box.copy(), foreground)
    np.testing.assert_array_equal(first.points, again.points)
    np.testing.assert_array_equal(first.scribble, again.scribble)
    other = AutomaticPrompts(4).prompt(Target(1, 0), box, foreground)
    assert not np.array_equal(first.points, other.points)
    assert not np.array_equal(first.scribble, other.scribble)


def test_each_point_lies_in_its_quadrant():
    foreground = np.ones((256, 256), bool)
    box = np.float32([20, 60, 220, 160])
    for seed in range(30):
        points = AutomaticPrompts(seed).prompt(Target(1), box, foreground).points
        left, top = points[:, 0] < 120, points[:, 1] < 110
        np.testing.assert_array_equal(left, [True, True, False, False])
        np.testing.assert_array_equal(top, [True, False, False, True])


def test_strokes_differ_in_size_and_are_connected_pieces():
    foreground = np.ones((256, 256), bool)
    box = np.float32([0, 0, 255, 255])
    sizes = [AutomaticPrompts(seed).prompt(Target(1), box, foreground).scribble.sum() for seed in range(20)]
    assert min(sizes) > 5
    assert len(set(sizes)) > 15


def test_an_empty_foreground_gives_the_centre_and_no_scribble():
    prompt = AutomaticPrompts(0).prompt(Target(1), np.float32([10, 20, 30, 60]), np.zeros((256, 256), bool))
    np.testing.assert_array_equal(prompt.points, [[20, 40]] * 4)
    assert not prompt.scribble.any()


@settings(max_examples=100, deadline=None)
@given(boxes(), st.integers(0, 1000))
def test_an_ellipse_fills_the_box_whatever_the_image_shows(box, seed):
    foreground = np.random.default_rng(seed).random((256, 256)) < 0.5
    scribble = AutomaticPrompts(seed, scribble="ellipse").prompt(Target(1), box, foreground).scribble
    again = AutomaticPrompts(seed + 1, scribble="ellipse").prompt(Target(2), box, ~foreground).scribble
    np.testing.assert_array_equal(scribble, again)
    area = np.prod(box[2:] - box[:2] + 1) * np.pi / 4
    ys, xs = np.nonzero(scribble)
    assert len(xs) > 0
    assert xs.min() >= np.floor(box[0])
    assert xs.max() <= np.ceil(box[2])
    assert ys.min() >= np.floor(box[1])
    assert ys.max() <= np.ceil(box[3])
    # A thinner ellipse may pass between the centres of the pixels.
    if (box < 255).all() and (box[2:] - box[:2] >= 3).all():
        assert abs(len(xs) - area) <= 4 * np.sqrt(area) + 4


def test_every_scribble_can_be_asked_for_at_export():
    from litemedsam.export.cli import main

    asked = next(option for option in main.params if option.name == "scribble")
    assert set(asked.type.choices) == set(SCRIBBLES)


# Recorded with numpy 2.4 and OpenCV 5.0: the same inputs give the same prompts in every version of this package.
RECORDED = {
    "points": "456b74690f90a99f9193808a2af815b951a2cfbca48e0d95b72576d9236f6d48",
    "scribbles": "ee34f7cd2ea6a8517292669e30d0b5bbd67d888fff93c70ea6bd24b90bf0f8a2",
}


@pytest.mark.parametrize("kind", RECORDED)
def test_prompts_are_those_of_earlier_versions(kind):
    digest = hashlib.sha256()
    rng = np.random.default_rng(7)
    whole = np.float32(
        [[0, 0, 255, 255], [0, 0, 256, 256], [-3, -2, 20, 30], [250, 1, 256, 9], [5, 5, 5, 5], [9, 9, 12, 14]]
    )
    corners = np.sort(rng.uniform(0, 256, (24, 2, 2)), axis=1).reshape(24, 4).astype(np.float32)
    for share in (0.02, 0.5, 1.0):
        foreground = rng.random((256, 256)) < share
        for number, box in enumerate([*whole, *corners]):
            prompt = AutomaticPrompts(number // 5).prompt(Target(1), box, foreground)
            array = prompt.points if kind == "points" else np.packbits(prompt.scribble)
            digest.update(array.tobytes())
    assert digest.hexdigest() == RECORDED[kind]


def test_a_scribble_has_more_than_five_pixels_of_foreground():
    """Six pixels are enough to try; of five, no stroke would do."""
    box = np.float32([0, 0, 64, 64])
    for count in (5, 6):
        foreground = np.zeros((64, 64), bool)
        foreground[30, 20 : 20 + count] = True
        found = [AutomaticPrompts(seed).prompt(Target(1), box, foreground).scribble.sum() for seed in range(30)]
        assert max(found) == (0 if count == 5 else 6)
        assert set(found) <= {0, 6}


def test_a_scribble_is_tried_six_times():
    """Recorded: with one try fewer there are 57."""
    foreground = np.zeros((64, 64), bool)
    foreground[30, 20:26] = True
    box = np.float32([0, 0, 64, 64])
    found = [AutomaticPrompts(seed).prompt(Target(1), box, foreground).scribble.any() for seed in range(60)]
    assert np.count_nonzero(found) == 58


def test_the_frame_s_own_size_is_kept():
    prompt = AutomaticPrompts().prompt(Target(1), np.float32([1, 1, 60, 60]), np.ones((64, 70), bool))
    assert prompt.scribble.shape == (64, 70)
    assert prompt.box.dtype == np.float32


def test_only_what_the_model_takes_is_drawn():
    foreground = np.ones((64, 64), bool)
    box = [1, 1, 60, 60]
    everything = AutomaticPrompts(2).prompt(Target(1), box, foreground)
    points = AutomaticPrompts(2, ("boxes", "points")).prompt(Target(1), box, foreground)
    np.testing.assert_array_equal(points.points, everything.points)
    assert points.scribble is None
    scribble = AutomaticPrompts(2, ("boxes", "scribbles")).prompt(Target(1), box, foreground)
    assert scribble.points is None
    assert scribble.scribble.any()
    assert AutomaticPrompts(2, ("boxes",)).prompt(Target(1), box, foreground).scribble is None


def test_targets_of_images_are_on_slice_zero_and_the_seed_is_zero():
    assert Target(3) == Target(3, 0)
    foreground = np.ones((64, 64), bool)
    box = np.float32([1, 1, 60, 60])
    default, zero = (source.prompt(Target(1), box, foreground) for source in (AutomaticPrompts(), AutomaticPrompts(0)))
    np.testing.assert_array_equal(default.points, zero.points)


@pytest.mark.parametrize("box", [[0, -8, 60, 0], [-8, 0, 0, 60], [-9, -9, -2, -2]])
def test_a_box_beyond_the_image_has_no_foreground(box):
    """A published box may leave the image; what it leaves is not wrapped around."""
    prompt = AutomaticPrompts(0).prompt(Target(1), np.float32(box), np.ones((64, 64), bool))
    np.testing.assert_array_equal(prompt.points, [[(box[0] + box[2]) // 2, (box[1] + box[3]) // 2]] * 4)
    assert not prompt.scribble.any()


def test_the_first_row_and_column_count():
    points = AutomaticPrompts(0).prompt(Target(1), np.float32([0, 0, 3, 3]), np.ones((64, 64), bool)).points
    assert points[0].tolist() == [0, 0]
    assert points[1, 0] == 0
    assert points[3, 1] == 0


def test_an_ellipse_is_drawn_point_by_point_as_its_equation_says():
    foreground = np.zeros((30, 50), bool)
    for box in ([10, 5, 20, 9], [0.5, 0.5, 5.5, 5.5], [-4, 20.3, 17.25, 40], [40, 2, 60, 28]):
        x0, y0, x1, y1 = box
        across, down = (x1 - x0 + 1) / 2, (y1 - y0 + 1) / 2
        expected = [
            [((x - (x0 + x1) / 2) / across) ** 2 + ((y - (y0 + y1) / 2) / down) ** 2 <= 1 for x in range(50)]
            for y in range(30)
        ]
        found = fill_ellipse(np.random.default_rng(0), np.float32(box), foreground)
        np.testing.assert_array_equal(found, expected)
    # On the ellipse itself, three pixels from its centre.
    assert fill_ellipse(np.random.default_rng(0), np.float32([0.5, 0.5, 5.5, 5.5]), foreground)[3, 0]


@pytest.mark.parametrize(("x", "y", "row", "column"), [(10.6, 4.4, 4, 11), (0.4, 0.4, 0, 0), (48.6, 28.6, 29, 49)])
def test_the_ellipse_of_less_than_a_pixel_is_the_pixel_at_its_centre(x, y, row, column):
    found = fill_ellipse(np.random.default_rng(0), np.float32([x, y, x, y]), np.zeros((30, 50), bool))
    assert np.argwhere(found).tolist() == [[row, column]]


def test_the_scribble_of_weights_that_need_none_is_empty():
    drawn = SCRIBBLES["none"](np.random.default_rng(0), np.float32([2, 2, 9, 9]), np.ones((12, 12), bool))
    assert drawn.shape == (12, 12)
    assert drawn.dtype == bool
    assert not drawn.any()
