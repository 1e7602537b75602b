"""The view of a radiologist, and boxes in it."""

import numpy as np
import pytest
from litemedsam.engine.scan.geometry import Geometry, View, radiological_view


@pytest.mark.parametrize(
    ("spacing", "shape", "through"),
    [
        ([1, 1, 1], (9, 9, 9), 2),
        ([1, 1, 5], (9, 9, 9), 2),
        ([5, 1, 1], (9, 9, 9), 0),
        ([1, 5, 1], (9, 9, 9), 1),
        ([1.4, 1, 1], (9, 9, 9), 2),
        ([5, 5, 3], (9, 9, 9), 2),
        ([1, 1, 1], (9, 1, 9), 1),
        ([1, 1, 5], (9, 9, 1), 0),
        ([1, 1, 1], (1, 1, 1), 2),
    ],
)
def test_slices_follow_the_direction_of_acquisition(spacing, shape, through):
    view = radiological_view(Geometry(np.diag([*np.array(spacing) * 1.0, 1.0])), shape)
    assert view.axes[2] == through


def test_sagittal_and_coronal_slices_are_seen_as_radiologists_see_them():
    # Stored towards right, anterior, superior.
    assert radiological_view(Geometry(np.diag([5.0, 1, 1, 1])), (4, 3, 2)) == View((4, 3, 2), (1, 2, 0), (True,) * 3)
    assert radiological_view(Geometry(np.diag([1.0, 5, 1, 1])), (4, 3, 2)) == View((4, 3, 2), (0, 2, 1), (True,) * 3)


def test_a_box_on_the_far_edge_of_a_reversed_axis_stays_inside():
    view = View((5, 6, 7), (0, 1, 2), (True, False, False))
    np.testing.assert_array_equal(view.see_boxes(np.array([[2.0, 0, 0, 7, 6, 4]])), [[0, 0, 0, 4, 6, 4]])
    assert view.stored_slice(3) == ("z", 3)
    assert View((5, 6, 7), (1, 2, 0), (False, False, True)).stored_slice(0) == ("x", 6)
