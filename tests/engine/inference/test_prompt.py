"""A user's own points and scribbles, in the frame."""

import numpy as np
import pytest
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.prompt import Target, UserPrompts, check_taken, image_prompts

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
