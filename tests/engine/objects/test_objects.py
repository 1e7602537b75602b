"""The objects of a scan, and how they are turned with it."""

import numpy as np
import pytest
from litemedsam.engine.objects.objects import ObjectPrompt, Objects, Stroke
from litemedsam.engine.scan.geometry import View

from litemedsam import LiteMedSamError

VIEW = View((4, 5, 6), (1, 0, 2), (False, True, False))


def test_every_object_has_a_name():
    boxes = np.arange(8.0).reshape(2, 4)
    assert Objects.of_boxes("scan", boxes).names == ("", "")
    assert Objects.of_boxes("scan", boxes, ("a", "")).names == ("a", "")
    np.testing.assert_array_equal(Objects.of_boxes("scan", boxes).boxes, boxes)


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (np.zeros((0, 4)), "scan: there are no boxes"),
        (np.zeros((0, 6)), "scan: there are no boxes"),
        (np.zeros(4), r"boxes has shape \(4,\), expected \(N, 4\) for an image or \(N, 6\) for a volume"),
        (np.zeros((2, 5)), r"boxes has shape \(2, 5\)"),
        (np.zeros((65536, 4), np.uint8), "65536 boxes, expected at most 65535; split the case"),
    ],
)
def test_boxes_of_no_use_are_refused_before_they_become_objects(boxes, words):
    with pytest.raises(LiteMedSamError, match=words):
        Objects.of_boxes("scan", boxes)


def test_box_points_and_strokes_are_turned_together():
    stroke = Stroke(np.array([[1.0, 2, 3], [4, 2, 3]]), 2.0)
    given = ObjectPrompt(np.array([1.0, 2, 3, 4, 3, 3]), "a", np.array([[1.0, 2, 3]]), (stroke,))
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[3, 2, 1] = 1
    objects = Objects((given, ObjectPrompt(np.zeros(6))), mask)
    assert objects.scribbled
    first, second = objects.seen(VIEW).prompts
    # The stored y is seen as x, the stored x as y from its end.
    np.testing.assert_array_equal(first.box, [2, 1, 3, 3, 4, 3])
    np.testing.assert_array_equal(first.points, [[2, 4, 3]])
    np.testing.assert_array_equal(first.strokes[0].places, [[2, 4, 3], [2, 1, 3]])
    assert (first.name, first.strokes[0].width, second.points, second.strokes) == ("a", 2.0, None, ())
    assert np.argwhere(objects.seen(VIEW).stroke_mask).tolist() == [[3, 4, 2]]


def test_other_boxes_keep_the_rest():
    points = np.array([[1.0, 2]])
    objects = Objects((ObjectPrompt(np.zeros(4), "a", points),))
    moved = objects.with_boxes(np.ones((1, 4)))
    np.testing.assert_array_equal(moved.boxes, np.ones((1, 4)))
    assert moved.prompts[0].points is points
    assert moved.names == ("a",)
    assert not moved.scribbled
    assert not Objects(()).scribbled
    assert Objects(()).boxes.shape == (0, 4)
