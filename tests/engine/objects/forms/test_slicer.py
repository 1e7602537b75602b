"""Regions of interest of 3D Slicer, in millimetres."""

import nibabel
import numpy as np
import pytest
from form_files import asked
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan

from litemedsam import LiteMedSamError

GRID = (12, 30, 40)
# Voxels of 2 × 1 × 3 mm, x towards left, y towards posterior.
STRAIGHT = np.array([[-2.0, 0, 0, 35], [0, -1, 0, 12], [0, 0, 3, -7], [0, 0, 0, 1]])


def volume(affine=STRAIGHT):
    return Scan("scan.nii.gz", np.zeros(GRID, np.uint8), True, Geometry(affine), np.ones(3))


def turned_by(degrees):
    """A scan whose grid is turned about the z axis."""
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ STRAIGHT


def roi(center, size, orientation=(-1, 0, 0, 0, -1, 0, 0, 0, 1), **more):
    """A ROI as Slicer 5 saves it."""
    return {
        "type": "ROI", "coordinateSystem": "LPS", "coordinateUnits": "mm", "locked": False,
        "fixedNumberOfControlPoints": False, "labelFormat": "%N-%d", "lastUsedControlPointNumber": 1,
        "roiType": "Box", "center": list(center), "orientation": list(orientation), "size": list(size),
        "insideOut": False, "measurements": [], "display": {"visibility": True},
        "controlPoints": [{"id": "1", "label": "R-1", "position": list(center), "positionStatus": "defined"}],
        **more,
    }  # fmt: skip


def markups(*entries):
    schema = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    return {"@schema": f"{schema}markups-schema-v1.0.3.json#", "markups": list(entries)}


def around(affine, box):
    """Centre and size, in LPS millimetres, of the region from a box's first voxel's edge to its last one's."""
    edges = np.array([np.array(box[:3]) - 0.5, np.array(box[3:]) + 0.5])
    ras = nibabel.affines.apply_affine(affine, edges)
    return ras.mean(axis=0) * (-1, -1, 1), np.abs(ras[1] - ras[0])


@pytest.mark.parametrize("box", [[3, 4, 1, 17, 21, 9], [0, 0, 0, 39, 29, 11], [5, 5, 5, 5, 5, 5]])
def test_a_region_of_whole_voxels_is_their_box(tmp_path, box):
    """Also where it ends with the scan, as Slicer's Fit to volume makes it."""
    center, size = around(STRAIGHT, box)
    found = asked(tmp_path, markups(roi(center, size, name="liver")), volume())
    np.testing.assert_array_equal(found.boxes, [box])
    assert found.names == ("liver",)
    assert prepare(volume(), found).notes == ()


def test_every_voxel_that_a_region_touches_counts(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(20):
        low = rng.uniform(0, [20, 15, 6])
        high = low + rng.uniform(0.1, [18, 13, 5])
        ras = nibabel.affines.apply_affine(STRAIGHT, np.array([low, high]))
        found = asked(tmp_path, markups(roi(ras.mean(0) * (-1, -1, 1), np.abs(ras[1] - ras[0]))), volume())
        # Voxel by voxel, along each axis: it reaches half a voxel to both sides.
        expected = []
        for axis, count in enumerate(GRID[::-1]):
            inside = [i for i in range(count) if min(high[axis], i + 0.5) - max(low[axis], i - 0.5) > 1e-3]
            expected.append((inside[0], inside[-1]))
        np.testing.assert_array_equal(found.boxes[0].reshape(2, 3).T, expected)


def test_lps_and_ras_units_and_defaults_mean_the_same(tmp_path):
    box = [3, 4, 1, 17, 21, 9]
    center, size = around(STRAIGHT, box)
    ras = roi(center * (-1, -1, 1), size, np.eye(3).ravel(), coordinateSystem="RAS")
    micrometres = roi(center * 1000, size * 1000, coordinateUnits="um")
    coded = roi(center, size, coordinateUnits=["mm", "UCUM", "millimeter"])
    short = {"type": "ROI", "center": list(center), "size": list(size)}
    by_hand = {"type": "ROI", "size": list(size), "controlPoints": [{"position": list(center)}]}
    found = asked(tmp_path, markups(ras, micrometres, coded, short, by_hand), volume())
    np.testing.assert_array_equal(found.boxes, [box] * 5)
    # Regions are in millimetres, whatever --box-space says.
    world = asked(tmp_path, markups(ras), volume(), world=True)
    np.testing.assert_array_equal(world.boxes, [box])


@pytest.mark.parametrize("degrees", [0, 30, 90])
def test_a_region_that_is_turned_with_the_scan_is_straight(tmp_path, degrees):
    box = [3, 4, 1, 17, 21, 9]
    affine = turned_by(degrees)
    # The columns are the region's axes, in LPS.
    axes = np.diag([-1.0, -1, 1]) @ (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    center = nibabel.affines.apply_affine(affine, (np.array(box[:3]) + box[3:]) / 2) * (-1, -1, 1)
    size = (np.array(box[3:]) - box[:3] + 1) * (2.0, 1, 3)
    found = asked(tmp_path, markups(roi(center, size, axes.ravel())), volume(affine))
    np.testing.assert_array_equal(found.boxes, [box])
    assert found.notes == ()


def test_of_a_region_turned_against_the_scan_the_box_around_it_counts(tmp_path):
    angle = np.radians(30)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    center = nibabel.affines.apply_affine(STRAIGHT, [20, 15, 5]) * (-1, -1, 1)
    size = np.array([30.0, 8, 9])
    found = asked(tmp_path, markups(roi(center, size, turn.ravel())), volume())
    # Points all over the region, taken to voxels by nibabel's own means.
    grid = np.stack(np.meshgrid(*[np.linspace(-0.4999, 0.4999, 61)] * 3), axis=-1).reshape(-1, 3)
    points = (center + (grid * size) @ turn.T) * (-1, -1, 1)
    voxels = np.rint(nibabel.affines.apply_affine(np.linalg.inv(STRAIGHT), points))
    np.testing.assert_array_equal(found.boxes[0], [*voxels.min(0), *voxels.max(0)])
    assert "markup 1: is turned against the voxels, the box around it counts" in prepare(volume(), found).notes[0]


def test_other_markups_are_left_aside_with_a_note(tmp_path):
    center, size = around(STRAIGHT, [3, 4, 1, 17, 21, 9])
    fiducial = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": []}
    found = asked(tmp_path, markups(fiducial, roi(center, size)), volume())
    assert len(found.prompts) == 1
    assert "1 markups of other types than ROI are left aside" in found.notes[0]
    with pytest.raises(LiteMedSamError, match="holds no ROI; draw a Markups ROI around each object"):
        asked(tmp_path, markups(fiducial), volume())


def test_a_region_outside_of_the_scan_is_refused_in_voxels(tmp_path):
    center, size = around(STRAIGHT, [3, 4, 1, 17, 35, 9])
    with pytest.raises(LiteMedSamError, match=r"object 1: y from 4 to 35 .* outside the image"):
        prepare(volume(), asked(tmp_path, markups(roi(center, size)), volume()))


GOOD = roi([0, 0, 0], [4, 4, 4])


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (GOOD | {"coordinateSystem": "IJK"}, "coordinateSystem is 'IJK', expected LPS or RAS"),
        (GOOD | {"coordinateSystem": []}, "coordinateSystem is []"),
        (GOOD | {"coordinateUnits": "inch"}, "coordinateUnits is 'inch', expected mm or um"),
        (GOOD | {"coordinateUnits": [[]]}, "coordinateUnits is [], expected mm or um"),
        (GOOD | {"insideOut": True}, "is inside out; clear Inside out in Slicer's Markups module"),
        (GOOD | {"size": [4, 0, 4]}, "size is [4, 0, 4], expected lengths above 0"),
        (GOOD | {"size": None}, "size is None, expected 3 numbers"),
        (GOOD | {"center": [1, 2]}, "center is [1, 2], expected 3 numbers"),
        (GOOD | {"orientation": [1, 0, 0, 0, 1, 0, 0, 0, 0]}, "expected a rotation"),
        (GOOD | {"orientation": [1e12] * 9}, "expected a rotation"),
        (GOOD | {"name": 4}, "name is 4, expected a text"),
        ({"type": "ROI", "size": [4, 4, 4]}, "center is None, expected 3 numbers"),
        ({"size": [4, 4, 4]}, "lacks type"),
        (7, "int, expected an object with type"),
    ],
)
def test_mistakes_are_named(tmp_path, entry, words):
    with pytest.raises(LiteMedSamError) as error:
        asked(tmp_path, markups(entry), volume())
    assert words in str(error.value)
    assert "boxes.json: markup 1" in str(error.value)


def test_millimetres_need_a_scan_that_has_them(tmp_path):
    unplaced = Scan("stack", np.zeros(GRID, np.uint8), True)
    with pytest.raises(LiteMedSamError, match="does not say where it lies in millimetres; give boxes in voxels"):
        asked(tmp_path, markups(GOOD), unplaced)
