"""A scan that is open: its boxes and points checked, its masks those of the engine, its voxels in the file."""

import nibabel
import numpy as np
import pytest
from litemedsam.server.sessions.open_scan import OpenScan, Reading
from server_client import IMAGE_BOX, VOLUME_BOX

from litemedsam import LiteMedSamError, Predictor, segment


def quiet(done, total):
    """No progress."""


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, "onnxruntime", threads=1) as made:
        yield made


@pytest.fixture(scope="module")
def opened(predictor, scans):
    """A function (name of a scan) to it, open."""
    kept = {}

    def open_scan(name, reading=None):
        if name not in kept:
            kept[name] = OpenScan.read(scans / name, name, reading or Reading(), predictor)
        return kept[name]

    return open_scan


def test_a_reading_is_written_as_arguments():
    assert Reading().arguments == []
    asked = Reading("lung", 0, "7", True)
    assert asked.arguments == ["--window", "lung", "--frame", "0", "--series", "7", "--allow-uneven"]


@pytest.mark.parametrize(
    ("name", "grid", "planes"),
    [
        ("slice.png", (40, 48), ["image"]),
        ("flat.npz", (40, 48), ["image"]),
        ("volume.npz", (5, 40, 48), ["xy", "xz", "yz"]),
        ("scan.nii.gz", (5, 40, 48), ["axial", "coronal", "sagittal"]),
        ("series", (5, 40, 48), ["axial", "coronal", "sagittal"]),
    ],
)
def test_every_scan_has_its_planes(opened, name, grid, planes):
    scan = opened(name)
    assert scan.grid == grid
    assert [plane.name for plane in scan.planes] == planes
    assert scan.plane(planes[-1]) is scan.planes[-1]
    with pytest.raises(LiteMedSamError, match=f"plane 'other', expected one of: {', '.join(planes)}"):
        scan.plane("other")
    # The pixels are in the engine's session alone.
    assert scan.prepared.case.pixels.strides == (0,) * len(grid)
    assert scan.nbytes == scan.scan.voxels.nbytes + np.prod(grid)


@pytest.mark.parametrize("name", ["slice.png", "scan.nii.gz"])
def test_a_mask_is_that_of_the_engine(opened, predictor, scans, name):
    box = VOLUME_BOX if name == "scan.nii.gz" else IMAGE_BOX
    scan = opened(name)
    found = scan.predict(scan.checked_box(list(box)), quiet)
    whole = np.zeros(scan.grid, bool)
    whole[found.window] = found.mask
    stored = scan.prepared.view.stored_boxes(np.array([box], np.float64))
    expected = segment(scans / name, stored, predictor=predictor)
    np.testing.assert_array_equal(scan.prepared.view.restore(whole), expected.masks[0])
    assert found.score == pytest.approx(float(expected.scores[0]))
    size = scan.measure(found)
    assert size == ({"ml": pytest.approx(found.voxels * 1.2 * 1.4 / 1000)} if len(box) == 6 else {"mm2": None})


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ([0, 0, 9, 9], "expected 6 whole numbers"),
        ([0, 0, 0, 9, 9, 4.0], "expected 6 whole numbers"),
        ("000995", "expected 6 whole numbers"),
        ([0, 0, 0, 9, 9, 5], r"box: z from 0 to 5, expected an ascending range in 0\.\.4"),
        ([9, 0, 0, 3, 9, 4], "box: x from 9 to 3"),
    ],
)
def test_boxes_that_make_no_sense_are_refused(opened, box, words):
    with pytest.raises(LiteMedSamError, match=words):
        opened("scan.nii.gz").checked_box(box)


def test_points_and_corrections_lie_inside(opened):
    scan = opened("slice.png")
    assert scan.checked_points([[1, 2], [47, 39]]) == ((1, 2), (47, 39))
    for points in ([[48, 2]], [[1, 2, 3]], [[1.0, 2]], 3, [[1, 2]] * 5):
        with pytest.raises(LiteMedSamError, match="point"):
            scan.checked_points(points)
    assert scan.checked_corrections([]) == ()
    with pytest.raises(LiteMedSamError, match="takes no corrections"):
        scan.checked_corrections([{"add": [1, 2]}])


def test_a_voxel_s_index_and_place_are_the_file_s(opened, scans):
    scan, file = opened("scan.nii.gz"), nibabel.load(scans / "scan.nii.gz")
    for place in ((0, 0, 0), (47, 39, 4), (18, 22, 2)):
        told = scan.voxel(place)
        index = tuple(told["index"])
        assert told["value"] == file.dataobj[index]
        np.testing.assert_allclose(told["mm"], (file.affine @ [*index, 1])[:3], atol=1e-3)
    with pytest.raises(LiteMedSamError, match=r"voxel \(48, 0, 0\), expected one within 48 × 40 × 5"):
        scan.voxel((48, 0, 0))


def test_messages_name_the_scan_as_the_client_does(predictor, scans):
    with pytest.raises(LiteMedSamError) as error:
        OpenScan.read(scans / "boxes.json", "mine", Reading(), predictor)
    assert str(scans) not in str(error.value)
    assert str(error.value).startswith("mine: ")
