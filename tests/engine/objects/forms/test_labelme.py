"""labelme's shapes and the boxes around them."""

import numpy as np
import pytest
from form_files import COLUMNS, ROWS, asked, picture, touched
from litemedsam.engine.objects.prepare import prepare

from litemedsam import LiteMedSamError

# A mask of 3 × 2 pixels as labelme stores it: a PNG in base64.
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACAQAAAABvKtdQAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"


def shape(kind, points, label="polyp", **more):
    """A shape with the keys of labelme 5."""
    return {"label": label, "points": points, "group_id": None, "description": "", "shape_type": kind, "flags": {},
            "mask": None, **more}  # fmt: skip


def drawing(*shapes, **more):
    return {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": "case.png", "imageData": None,
            "imageHeight": ROWS, "imageWidth": COLUMNS, **more}  # fmt: skip


RECTANGLE = shape("rectangle", [[12, 20], [81, 78]])


def test_every_shape_that_encloses_something(tmp_path):
    polygon = [[10.3, 20.7], [40.2, 25.5], [22.9, 50.1]]
    content = drawing(
        RECTANGLE,
        # Drawn from the lower right corner to the upper left one.
        shape("rectangle", [[81, 78], [12, 20]], "again"),
        shape("polygon", polygon, "fold"),
        shape("circle", [[50, 40], [53, 44]], "ball"),
        shape("mask", [[5, 6], [7, 7]], "cells", mask=_PNG),
        shape("rotation", [[20, 10], [30, 20], [20, 30], [10, 20]], "turned"),
    )
    found = asked(tmp_path, content, picture())
    assert found.names == ("polyp", "again", "fold", "ball", "cells", "turned")
    np.testing.assert_array_equal(
        found.boxes,
        [
            [12, 20, 80, 77],
            [12, 20, 80, 77],
            touched((10.3, 20.7), (40.2, 50.1)),
            # Radius 5.
            [45, 35, 54, 44],
            [5, 6, 7, 7],
            [10, 10, 29, 29],
        ],
    )
    assert found.notes == ()


def test_old_files_without_kinds_and_sizes(tmp_path):
    content = {"shapes": [{"label": "polyp", "points": [[12, 20], [81, 20], [81, 78]]}]}
    np.testing.assert_array_equal(asked(tmp_path, content, picture()).boxes, [[12, 20, 80, 77]])


def test_shapes_of_one_group_are_one_object(tmp_path):
    content = drawing(
        shape("rectangle", [[10, 10], [20, 20]], "kidney", group_id=1),
        shape("rectangle", [[0, 0], [5, 5]], "liver", group_id=1),
        shape("polygon", [[30, 5], [40, 5], [40, 30]], "kidney", group_id=1),
        shape("rectangle", [[50, 50], [60, 60]], "kidney"),
        shape("rectangle", [[70, 50], [80, 60]], "kidney"),
    )
    found = asked(tmp_path, content, picture())
    assert found.names == ("kidney", "liver", "kidney", "kidney")
    np.testing.assert_array_equal(found.boxes, [[10, 5, 39, 29], [0, 0, 4, 4], [50, 50, 59, 59], [70, 50, 79, 59]])


def test_shapes_that_enclose_nothing_are_left_aside_with_a_note(tmp_path):
    lines = [shape("point", [[1, 2]]), shape("line", [[1, 2], [3, 4]]), shape("line", [[1, 2], [3, 4]])]
    found = asked(tmp_path, drawing(*lines, RECTANGLE), picture())
    assert len(found.prompts) == 1
    assert "shapes that enclose nothing are left aside: 1 × point, 2 × line" in prepare(picture(), found).notes[0]


@pytest.mark.parametrize("drawn", ["case.png", "..\\images\\case.png", "C:\\a\\case.jpg", "", None, 5])
def test_the_picture_is_the_scan(tmp_path, drawn):
    assert len(asked(tmp_path, drawing(RECTANGLE, imagePath=drawn), picture()).prompts) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (drawing(RECTANGLE, imagePath="other.png"), "was drawn on 'other.png', not on case.png"),
        (drawing(RECTANGLE, imageWidth=99), "width 99, but the scan case.png has 100 × 80 pixels"),
        (drawing(), "no shape that encloses an object; draw a rectangle around each object"),
        (drawing(shape("point", [[1, 2]])), "no shape that encloses an object"),
        (drawing(shape("rectangle", [[1, 2]])), "shape 1: 1 points, expected at least 2 of a rectangle"),
        (drawing(shape("polygon", [])), "shape 1: 0 points"),
        (drawing(RECTANGLE, shape("polygon", [[1, 2], [3]])), "shape 2: point is [3], expected 2 numbers"),
        (drawing(shape("polygon", [[1, 2], [3, float("nan")]])), "shape 1: point holds NaN"),
        (drawing(shape("polygon", 5)), "shape 1: points is 5, expected a list"),
        (drawing(shape("polygon", [[1, 2], [3, 4]], label=None)), "shape 1: label is None, expected a text"),
        (drawing(shape([], [])), "shape 1: 0 points"),
        (drawing(shape(5, [])), "shape 1: shape_type is 5, expected a text"),
        (drawing({"points": []}), "shape 1: lacks label"),
        (drawing(5), "shape 1: int, expected an object with label, points"),
        ({"shapes": None}, "shapes is None, expected a list"),
    ],
)
def test_mistakes_are_named(tmp_path, content, words):
    with pytest.raises(LiteMedSamError) as error:
        asked(tmp_path, content, picture())
    assert words in str(error.value)
    assert "boxes.json" in str(error.value)


def test_pixels_are_no_millimetres(tmp_path):
    with pytest.raises(LiteMedSamError, match="labelme holds pixels, not millimetres; leave --box-space out"):
        asked(tmp_path, drawing(RECTANGLE), picture(), world=True)
