"""What is drawn on a volume that may be cut along any axis."""

import numpy as np
import pytest
from litemedsam.server.protocols.nninteractive.interactions import (
    DrawnBox,
    DrawnScribble,
    SetPoint,
    TurnedVolume,
    turned,
)

from litemedsam import LiteMedSamError, Predictor

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 40, 48), np.uint8)


@pytest.fixture(scope="module")
def volume(correctable_bundle):
    with Predictor(correctable_bundle, threads=1) as predictor:
        opened = TurnedVolume(predictor, PIXELS)
        yield opened
        opened.close()


def test_a_place_in_slices_along_each_axis():
    assert [turned((1, 2, 3), axis) for axis in range(3)] == [[3, 2, 1], [3, 1, 2], [2, 1, 3]]


def test_each_direction_is_opened_once(volume):
    for axis, shape in enumerate([(7, 40, 48), (40, 7, 48), (48, 7, 40)]):
        assert volume.along(axis) is volume.along(axis)
        assert volume.along(axis).shape == shape
    assert volume.nbytes == 4 * PIXELS.nbytes


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flat_box_is_cut_along_the_axis_that_it_is_flat_in(volume, axis):
    low, high = [1, 8, 10], [5, 29, 39]
    low[axis] = high[axis] = (3, 20, 24)[axis]
    found = DrawnBox(tuple(low), tuple(high)).applied(volume, None)
    assert found.axis == axis
    assert found.mask.shape == PIXELS.shape
    inside = tuple(
        slice(a, b + 1) if k != axis else slice(None) for k, (a, b) in enumerate(zip(low, high, strict=True))
    )
    assert np.count_nonzero(found.mask) == np.count_nonzero(found.mask[inside])


def test_points_and_scribbles_correct_what_a_box_began(volume):
    begun = DrawnBox((1, 8, 10), (5, 29, 39)).applied(volume, None)
    place = tuple(int(k) for k in np.argwhere(begun.mask)[5])
    assert not SetPoint(place, False).applied(volume, begun).mask[place]
    scribble = np.zeros((2, 3, 12), bool)
    scribble[:, 1, 2:10] = True
    found = DrawnScribble((3, 18, 20), scribble, False).applied(volume, begun)
    assert len(found.history.applied) == 2
    assert found.mask[3:5, 19, 22:30].mean() <= 0.1


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (SetPoint((3, 20, 24), True), "there is no box yet; draw a box around the object first"),
        (DrawnScribble((3, 18, 20), np.ones((1, 1, 1), bool), True), "there is no box yet"),
    ],
)
def test_a_box_comes_first(volume, drawn, words):
    with pytest.raises(LiteMedSamError, match=words):
        drawn.applied(volume, None)


def test_a_scribble_off_the_box_s_slices_is_refused(volume):
    begun = DrawnBox((1, 8, 10), (3, 29, 39)).applied(volume, None)
    with pytest.raises(LiteMedSamError, match="lies on no slice of the object's box; draw it on the box's slices"):
        DrawnScribble((6, 18, 20), np.ones((1, 1, 1), bool), True).applied(volume, begun)
