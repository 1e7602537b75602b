"""The view of a radiologist: the identity of an image, and all parts of a volume turned alike."""

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


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (4, 5, 7), (4, 5, 7, 3)])
@pytest.mark.parametrize("rank", [2, 3])
def test_the_identity_changes_nothing(shape, rank):
    if len(shape) not in (rank, rank + 1):
        return
    array = np.arange(np.prod(shape)).reshape(shape)
    view = View.identity(shape[:rank])
    seen = view.see(array)
    np.testing.assert_array_equal(seen, array)
    assert np.shares_memory(seen, array)
    assert seen.flags.c_contiguous
    labels = array.reshape(*shape[:rank], -1)[..., 0]
    np.testing.assert_array_equal(view.restore(labels), labels)
    box, points = np.arange(2.0 * rank)[None], np.arange(2.0 * rank).reshape(2, rank)
    np.testing.assert_array_equal(view.see_boxes(box), box)
    np.testing.assert_array_equal(view.see_points(points), points)
    np.testing.assert_array_equal(view.see_spacing(np.arange(rank)), np.arange(rank))
    assert view.stored_slice(0) == ("z", 0)
    assert view.through == ("z" if rank == 3 else "")


def test_all_parts_of_a_volume_are_turned_alike():
    """A voxel's value is found at its point, in its box and on its slice, as stored and as seen."""
    stored = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    view = View(stored.shape, (2, 0, 1), (True, False, True))
    seen = view.see(stored)
    np.testing.assert_array_equal(view.restore(seen), stored)
    for z, y, x in np.ndindex(stored.shape):
        (point,) = view.see_points(np.array([[x, y, z]])).tolist()
        assert seen[point[2], point[1], point[0]] == stored[z, y, x]
        (box,) = view.see_boxes(np.array([[x, y, z, x, y, z]])).tolist()
        assert box == [*point, *point]
        assert view.stored_slice(point[2]) == (view.through, {"x": x, "y": y, "z": z}[view.through])
