"""Masks on a slice as a picture with transparency, whichever way the plane runs."""

import cv2
import numpy as np
import pytest
from litemedsam.engine.scan.geometry import Geometry, View
from litemedsam.server.sessions.masks import ObjectMask
from litemedsam.server.sessions.overlay import overlay
from litemedsam.server.sessions.planes import planes_of

GRID = 4, 6, 8
RED, BLUE = "#ff0000", "#0000ff"


def decoded(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)


def planes(directions=(1.0, 1, 1)):
    geometry = Geometry(np.diag([*directions, 1.0]))
    return planes_of(GRID, View.identity(GRID), geometry, np.ones(3))


def mask_of(seed, box):
    whole = np.zeros(GRID, bool)
    rng = np.random.default_rng(seed)
    x0, y0, z0, x1, y1, z1 = box
    window = slice(z0, z1 + 1), slice(y0, y1 + 1), slice(x0, x1 + 1)
    whole[window] = rng.random(whole[window].shape) > 0.3
    return whole, ObjectMask.of(whole, box, 0.5)


@pytest.mark.parametrize("directions", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_a_mask_lies_where_its_voxels_are_shown(directions):
    whole, mask = mask_of(0, (1, 1, 1, 6, 3, 2))
    for plane in planes(directions):
        for k in range(plane.count):
            shown = decoded(overlay(plane, k, [(mask, RED)], False))
            expected = plane.cut(whole, k)
            np.testing.assert_array_equal(shown[..., 3] > 0, expected)
            assert (shown[expected] == (0, 0, 255, 255)).all()


def test_later_masks_cover_earlier_ones():
    one, first = mask_of(1, (0, 0, 0, 7, 5, 3))
    two, second = mask_of(2, (2, 1, 0, 5, 4, 3))
    plane = planes()[0]
    shown = decoded(overlay(plane, 1, [(first, RED), (second, BLUE)], False))
    upper, lower = plane.cut(two, 1), plane.cut(one & ~two, 1)
    assert (shown[upper][:, 0] == 255).all()
    assert (shown[lower][:, 2] == 255).all()


def test_an_outline_is_the_edge_also_at_the_image_s():
    whole = np.zeros(GRID, bool)
    whole[1, :5, 2:7] = True
    mask = ObjectMask.of(whole, (0, 0, 1, 7, 5, 1), 0.5)
    plane = planes()[0]
    edge = decoded(overlay(plane, 1, [(mask, RED)], True))[..., 3] > 0
    area = plane.cut(whole, 1)
    inner = cv2.erode(np.pad(area, 1).astype(np.uint8), np.ones((3, 3)))[1:-1, 1:-1] > 0
    np.testing.assert_array_equal(edge, area & ~inner)


def test_an_image_has_one_plane():
    (plane,) = planes_of((6, 8), View.identity((6, 8)), None, None)
    whole = np.zeros((6, 8), bool)
    whole[2:4, 1:5] = True
    shown = decoded(overlay(plane, 0, [(ObjectMask.of(whole, (1, 2, 4, 3), 0.5), RED)], False))
    np.testing.assert_array_equal(shown[..., 3] > 0, whole)
