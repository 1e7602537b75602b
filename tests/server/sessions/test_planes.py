"""The three planes show the patient as a radiologist expects, however the file stores its axes."""

from itertools import permutations, product

import numpy as np
import pytest
from litemedsam.engine.scan.geometry import Geometry, radiological_view
from litemedsam.engine.scan.scan import Scan
from litemedsam.server.sessions.planes import planes_of
from synthetic_scans import SPACING, oblique, phantom, stored

VOLUME = phantom(6, 20, 24)
MARKS = {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I")}
ORDERS = list(product(permutations(range(3)), product([False, True], repeat=3)))


def planes_and_seen(scan, ras):
    geometry = Geometry(ras)
    view = radiological_view(geometry, scan.shape)
    seen = view.see(scan)
    return planes_of(seen.shape, view, geometry, view.see_spacing(geometry.spacing)), seen


@pytest.mark.parametrize(("order", "flips"), ORDERS)
def test_every_way_to_store_a_volume_gives_the_same_pictures(order, flips):
    """The volume is made in the order left, posterior, superior, so that each plane is an index into it."""
    scan = stored(VOLUME, order, flips)
    planes, seen = planes_and_seen(scan.voxels, scan.ras)
    assert [plane.name for plane in planes] == ["axial", "coronal", "sagittal"]
    expected = {"axial": VOLUME[4], "coronal": VOLUME[::-1, 4], "sagittal": VOLUME[::-1, :, 4]}
    pixels = {"axial": SPACING[[0, 1]], "coronal": SPACING[[0, 2]], "sagittal": SPACING[[1, 2]]}
    for plane in planes:
        k = 4 if plane.name == "axial" else {"coronal": 4, "sagittal": 4}[plane.name]
        np.testing.assert_array_equal(plane.cut(seen, k), expected[plane.name])
        assert plane.marks == MARKS[plane.name]
        assert (plane.height, plane.width) == expected[plane.name].shape
        np.testing.assert_allclose(plane.pixel, pixels[plane.name])


@pytest.mark.parametrize("thick", range(3))
def test_sagittal_and_coronal_acquisitions_have_the_same_marks(thick):
    spacing = np.ones(3)
    spacing[thick] = 4
    planes, seen = planes_and_seen(VOLUME, np.diag([*spacing, 1]))
    assert planes[0].name == ("sagittal", "coronal", "axial")[thick]
    for plane in planes:
        assert plane.marks == MARKS[plane.name]
        assert plane.cut(seen, 0).shape == (plane.height, plane.width)


def test_an_oblique_volume_goes_by_the_closest_axes():
    planes, _ = planes_and_seen(oblique(VOLUME).voxels, oblique(VOLUME).ras)
    assert [plane.marks for plane in planes] == [MARKS[plane.name] for plane in planes]


def test_without_a_place_there_are_no_marks():
    view = Scan("volume", VOLUME).view()
    planes = planes_of(VOLUME.shape, view, None, None)
    assert [plane.name for plane in planes] == ["xy", "xz", "yz"]
    assert {mark for plane in planes for mark in plane.marks} == {""}
    np.testing.assert_array_equal(planes[1].cut(VOLUME, 3), VOLUME[:, 3])
    np.testing.assert_array_equal(planes[2].cut(VOLUME, 3), VOLUME[:, :, 3])
    (flat,) = planes_of((1, 20, 24), view, None, None)
    assert flat.name == "xy"


def test_an_image_has_one_plane_and_keeps_its_colours():
    (plane,) = planes_of((20, 24), Scan("image", VOLUME[0], False).view(), None, np.array([0.5, 0.7]))
    picture = np.zeros((20, 24, 3), np.uint8)
    assert plane.cut(picture, 0).shape == picture.shape
    assert plane.pixel == (0.5, 0.7)
    assert plane.to_json()["marks"] == dict.fromkeys(("left", "right", "top", "bottom"), "")
