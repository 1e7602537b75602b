"""Lists of numbers."""

import numpy as np
import pytest
from form_files import asked, picture
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan

from litemedsam import LiteMedSamError

VOLUME = Scan("scan", np.zeros((6, 20, 30), np.uint8), True, Geometry(np.diag([2.0, 1, 3, 1])))


def test_boxes_of_an_image(tmp_path):
    found = asked(tmp_path, [[1, 2, 10, 11], [3.5, 4, 8, 9]], picture())
    np.testing.assert_array_equal(found.boxes, [[1, 2, 10, 11], [3.5, 4, 8, 9]])
    assert found.names == ("", "")


def test_one_box_needs_no_second_bracket(tmp_path):
    np.testing.assert_array_equal(asked(tmp_path, [1, 2, 10, 11], picture()).boxes, [[1, 2, 10, 11]])


def test_boxes_of_a_volume_in_voxels_and_millimetres(tmp_path):
    np.testing.assert_array_equal(asked(tmp_path, [[1, 2, 0, 9, 8, 3]], VOLUME).boxes, [[1, 2, 0, 9, 8, 3]])
    world = asked(tmp_path, [[2, 2, 0, 18, 8, 9]], VOLUME, world=True)
    np.testing.assert_array_equal(world.boxes, [[1, 2, 0, 9, 8, 3]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "there are no boxes"),
        ([[]], "object 1: box is [], expected 4 or 6 numbers"),
        ([1, 2, 3], "object 1: box is [1, 2, 3], expected 4 or 6 numbers"),
        ([[1, 2, 3, 4], [1, 2, 3, 4, 5]], "object 2: box is [1, 2, 3, 4, 5]"),
        ([[1, 2, 3, 4], 5], "object 2: box is 5"),
        ([[1, 2, 3, 4], [1, 2, 0, 3, 4, 1]], "object 2: a box of 6 numbers after one of 4"),
        ([[9, 2, 3, 4]], "object 1: x_min 9 is greater than x_max 3"),
        ([[1, 2, 3, "4"]], "expected 4 or 6 numbers"),
        ([[1, 2, 3, True]], "expected 4 or 6 numbers"),
        (["liver"], "object 1: box is ['liver']"),
    ],
)
def test_mistakes_are_named(tmp_path, content, words):
    with pytest.raises(LiteMedSamError) as error:
        asked(tmp_path, content, picture())
    assert words in str(error.value)


def test_boxes_that_do_not_fit_the_scan_are_refused_as_others_are(tmp_path):
    with pytest.raises(LiteMedSamError, match="a box of 4 numbers for a volume of 6 slices"):
        prepare(VOLUME, asked(tmp_path, [[1, 2, 3, 4]], VOLUME))
