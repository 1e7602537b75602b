"""The view of an image turns nothing; a volume's view turns all that belongs to it alike."""

import numpy as np
import pytest
from litemedsam.engine.scan.geometry import View
from litemedsam.engine.scan.scan import Scan


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


def test_every_scan_has_a_view():
    picture, volume = np.zeros((5, 7), np.uint8), np.zeros((4, 5, 7), np.uint8)
    assert Scan("a", picture, False).view() == View.identity((5, 7))
    assert Scan("a", np.zeros((5, 7, 3), np.uint8), False).view() == View.identity((5, 7))
    assert Scan("a", volume, True).view() == View.identity((4, 5, 7))
    assert Scan("a", volume).view() == View.identity((4, 5, 7))


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
