"""The rectangles of SAM tools."""

import numpy as np
import pytest
from form_files import asked, picture

from litemedsam import LiteMedSamError


def test_a_rectangle_and_a_point(tmp_path):
    content = [
        {"type": "rectangle", "data": [1, 2, 10, 11]},
        {"type": "point", "data": [3, 4], "label": 1},
    ]
    found = asked(tmp_path, content, picture())
    np.testing.assert_array_equal(found.boxes, [[1, 2, 10, 11]])
    np.testing.assert_array_equal(found.prompts[0].points, [[3, 4]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"type": "circle", "data": [1, 2, 3, 4]}], "entry 1: type 'circle', expected rectangle or point"),
        ([{"type": "point", "data": [1, 2], "label": 0}], "entry 1: a point off the object"),
        ([{"type": "point", "data": [1, 2]}], "points beside 0 rectangles"),
        ([{"type": "rectangle", "data": [1, 2, 3, 4], "colour": 1}], "entry 1: unknown key colour"),
        ([{"type": "rectangle", "data": [1, 2, 3, 4]}, [1, 2, 3, 4]], "entry 2: list, expected an object with type"),
    ],
)
def test_mistakes_are_named(tmp_path, content, words):
    with pytest.raises(LiteMedSamError) as error:
        asked(tmp_path, content, picture())
    assert words in str(error.value)
