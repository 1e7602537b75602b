"""A user's own points and scribbles, in the frame."""

import numpy as np
import pytest
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.prompt import (
    Correction,
    Prompt,
    Target,
    UserPrompts,
    check_correctable,
    check_taken,
    image_prompts,
)

from litemedsam import LiteMedSamError

FRAME = Frame.of(40, 80, 64)
MODEL = BundleInfo("any", 64, ("boxes", "points", "scribbles"), (), "", "f32", "single", "", "")
BOXY = BundleInfo("boxy", 64, ("boxes",), (), "", "f32", "single", "", "")
FOREGROUND = np.ones((64, 64), bool)
BOX = np.float32([4, 4, 40, 20])


def prompt(source, number, z=0):
    return source.prompt(Target(number, z), BOX, FOREGROUND)


@pytest.mark.parametrize("kind", ["points", "scribbles", "both", "neither"])
def test_what_is_not_given_is_made(kind):
    points = np.full((2, 4, 2), 10.0) if kind in ("points", "both") else None
    scribbles = np.zeros((2, 40, 80), bool)
    scribbles[1, 10:20, 30:50] = True
    scribbles = scribbles if kind in ("scribbles", "both") else None
    source = image_prompts(points, scribbles, 2, FRAME, MODEL, AutomaticPrompts(0))
    made, mixed = prompt(AutomaticPrompts(0), 2), prompt(source, 2)
    np.testing.assert_array_equal(mixed.box, BOX)
    np.testing.assert_array_equal(mixed.points, made.points if points is None else np.full((4, 2), 8.0))
    drawn = np.zeros((64, 64), bool)
    drawn[8:16, 24:40] = True
    np.testing.assert_array_equal(mixed.scribble, made.scribble if scribbles is None else drawn)
    if scribbles is not None:
        assert not prompt(source, 1).scribble.any()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_fewer_points_than_four_count_again(count):
    given = np.array([[5.0, 10], [40, 20], [79.5, 39], [80, 40]])[:count]
    source = image_prompts(given[None], None, 1, FRAME, MODEL, AutomaticPrompts(0))
    points = prompt(source, 1).points
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, np.float32([given[k % count] * 0.8 for k in range(4)]))


@pytest.mark.parametrize(
    ("points", "scribbles", "words"),
    [
        (np.zeros((1, 5, 2)), None, r"points has shape \(1, 5, 2\) .*, expected numbers \(1, k, 2\), k from 1 to 4"),
        (np.zeros((1, 0, 2)), None, "k from 1 to 4"),
        (np.zeros((2, 4, 2)), None, "k from 1 to 4"),
        (np.zeros((1, 4, 3)), None, "k from 1 to 4"),
        (np.zeros((4, 2)), None, "k from 1 to 4"),
        (np.full((1, 1, 2), "a"), None, "k from 1 to 4"),
        (
            [[[1, 2]], [[1, 2], [3, 4]]],
            None,
            "points differ in number between objects; repeat some of the fewer points",
        ),
        ([[[81, 2]]], None, "object 1: a point lies outside the image of 80 × 40 pixels"),
        ([[[3, np.nan]]], None, "object 1: a point lies outside the image of 80 × 40 pixels"),
        ([[[-1, 2]]], None, "object 1: a point lies outside"),
        (None, np.zeros((1, 40, 80)), r"expected bool \(1, 40, 80\)"),
        (None, np.zeros((1, 80, 40), bool), r"expected bool \(1, 40, 80\)"),
    ],
)
def test_arrays_that_make_no_sense_are_refused(points, scribbles, words):
    with pytest.raises(LiteMedSamError, match=words):
        image_prompts(points, scribbles, 1, FRAME, MODEL, AutomaticPrompts(0))


def test_a_thin_stroke_survives_shrinking_and_strokes_of_one_target_are_joined():
    frame = Frame.of(200, 200, 64)
    across, down = np.zeros((2, 200, 200), bool)
    across[100, 10:190], down[10:190, 50] = True, True
    joined = UserPrompts.in_image({}, [(Target(1), across), (Target(1), down)], frame, AutomaticPrompts(0))
    alone = [
        UserPrompts.in_image({}, [(Target(1), page)], frame, AutomaticPrompts(0)).scribbles[Target(1)]
        for page in (across, down)
    ]
    assert alone[0].any(axis=0).sum() >= 57
    np.testing.assert_array_equal(joined.scribbles[Target(1)], alone[0] | alone[1])


def test_prompts_are_those_of_their_object_and_slice():
    points = {Target(2, 5): np.array([[10.0, 10]])}
    source = UserPrompts.in_image(points, [], FRAME, AutomaticPrompts(3))
    made = prompt(AutomaticPrompts(3), 2, 5)
    np.testing.assert_array_equal(prompt(source, 2, 5).points, np.full((4, 2), 8.0))
    for number, z in ((2, 4), (1, 5)):
        np.testing.assert_array_equal(prompt(source, number, z).points, made.points)


def test_kinds_that_the_model_does_not_take_are_refused_alike():
    for kind in ("points", "scribbles"):
        with pytest.raises(LiteMedSamError) as error:
            check_taken(BOXY, [kind], "scan.png: ")
        text = f"the model boxy takes no {kind}, only: boxes; leave out the {kind}"
        assert str(error.value) == f"scan.png: {text}"
        given = {"points": [[[1, 2]]], "scribbles": np.ones((1, 40, 80), bool)}
        arguments = [given[kind] if name == kind else None for name in ("points", "scribbles")]
        with pytest.raises(LiteMedSamError) as error:
            image_prompts(*arguments, 1, FRAME, BOXY, AutomaticPrompts(0))
        assert str(error.value) == text
    check_taken(BOXY, [])
    image_prompts(None, None, 1, FRAME, BOXY, AutomaticPrompts(0))


def test_a_scribble_counts_as_drawn_where_the_user_drew_it():
    assert not Prompt(BOX).drawn
    source = image_prompts(None, np.ones((1, 40, 80), bool), 1, FRAME, MODEL, AutomaticPrompts(0))
    assert prompt(source, 1).drawn
    assert not prompt(source, 2).drawn


def test_a_point_may_lie_on_the_image_s_edges():
    source = image_prompts([[[0, 0], [80, 40]]], None, 1, FRAME, MODEL, AutomaticPrompts(0))
    np.testing.assert_array_equal(prompt(source, 1).points[:2], [[0, 0], [64, 32]])
    with pytest.raises(LiteMedSamError, match="object 2: a point lies outside the image of 80 × 40 pixels"):
        image_prompts([[[1, 1]], [[-0.1, 0]]], None, 2, FRAME, MODEL, AutomaticPrompts(0))


def test_corrections_are_refused_by_a_model_that_did_not_learn_them():
    able = BundleInfo("able", 64, ("boxes", "points", "labels", "scribbles"), (), "", "f32", "single", "", "")
    check_correctable(able)
    with pytest.raises(LiteMedSamError, match=r"^here: the model any takes no corrections, only: boxes, points"):
        check_correctable(MODEL, "here: ")


def test_a_correction_s_points_are_placed_as_a_mask_is_resized():
    # Centres of pixels: in a frame of 0.8 of the image, pixel x lies at (x + 0.5) · 0.8 − 0.5.
    correction = Correction(np.array([[10.0, 20]]), np.array([[79.0, 39], [0, 0]]))
    points, labels = correction.points(FRAME)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(labels, [1, 0, 0])
    np.testing.assert_allclose(points, [[7.9, 15.9], [63, 31], [0, 0]], rtol=1e-6)
    large = Frame.of(16, 32, 64)
    np.testing.assert_allclose(Correction(np.array([[3, 5]])).points(large)[0], [[6.5, 10.5]], rtol=1e-6)
    np.testing.assert_allclose(Correction(np.array([[31.4, 15.4]])).points(large)[0], [[63, 31]], rtol=1e-6)


def test_an_empty_correction_has_no_points():
    nothing = Correction()
    assert nothing.slice_index == 0
    assert nothing.add.shape == nothing.remove.shape == (0, 2)
    points, labels = nothing.points(FRAME)
    assert points.shape == (0, 2)
    assert labels.shape == (0,)
    empty = Correction(painted=np.zeros((40, 80), bool), erased=np.zeros((40, 80), bool))
    assert len(empty.points(FRAME)[0]) == 0
    mask = np.full((64, 64), 0.25, np.float32)
    np.testing.assert_array_equal(empty.drawn(mask, FRAME), mask)


def test_a_stroke_gives_its_first_middle_and_last_pixel():
    page = np.zeros((64, 64), bool)
    page[7, 10:31] = True
    points, labels = Correction(erased=page).points(Frame.of(64, 64, 64))
    np.testing.assert_array_equal(points, [[10, 7], [20, 7], [30, 7]])
    np.testing.assert_array_equal(labels, [0, 0, 0])
    # Row by row, so that one of several rows comes from the middle.
    page[9, 10:31] = True
    np.testing.assert_array_equal(Correction(painted=page).points(Frame.of(64, 64, 64))[0], [[10, 7], [30, 7], [30, 9]])


def test_strokes_are_drawn_into_the_mask_where_they_touch_the_frame():
    painted, erased = np.zeros((40, 80), bool), np.zeros((40, 80), bool)
    painted[10, 30:50] = True
    erased[20:30, 10] = True
    drawn = Correction(painted=painted, erased=erased).drawn(np.full((64, 64), 0.5, np.float32), FRAME)
    assert drawn.dtype == np.float32
    expected = np.full((64, 64), 0.5)
    expected[8, 24:40] = 1
    expected[16:24, 8] = 0
    np.testing.assert_array_equal(drawn, expected)


def test_a_stroke_s_places_are_one_in_each_of_the_frame_s_pixels():
    page = np.zeros((256, 128), bool)
    page[8:16, 4:20] = True
    places, sides = Correction(np.array([[50, 60]]), erased=page).places(Frame.of(256, 128, 64))
    np.testing.assert_array_equal(sides, [1, *[0] * 8])
    expected = [[50, 60], *([x, y] for x in (4, 8, 12, 16) for y in (8, 12))]
    np.testing.assert_allclose(places, (np.array(expected) + 0.5) / 4 - 0.5)
    # Smaller than the frame, every pixel counts.
    small = np.zeros((16, 16), bool)
    small[3:5, 7:10] = True
    places, _ = Correction(painted=small).places(Frame.of(16, 16, 64))
    np.testing.assert_allclose(places, [[4 * x + 1.5, 4 * y + 1.5] for x in (7, 8, 9) for y in (3, 4)])
    assert len(Correction().places(Frame.of(16, 16, 64))[0]) == 0
