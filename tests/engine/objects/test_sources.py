"""Boxes as they are given or stored with the scan."""

from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.io.formats import format_of
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes, StoredBoxes, file_of_scan, no_file_of_scan
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan
from object_files import objects_of
from synthetic_scans import phantom

from litemedsam import LiteMedSamError


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((1, 2, 3, 4), "6 slices"),
        ((1, 2, 0, 31, 4, 1), "outside the image"),
        ((1, 2, 0, 3, 4, 6), "outside the image"),
        ((1, 2, 0.5, 3, 4, 1), "whole slice numbers"),
        ((5, 2, 0, 3, 4, 1), "x_min 5 is greater"),
        ((1, 2, 0, float("nan"), 4, 1), "NaN"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(tmp_path, scan, box, words):
    with pytest.raises(LiteMedSamError, match=words):
        prepare(scan, GivenBoxes([box]).objects(tmp_path, scan))


def test_boxes_in_millimetres(tmp_path, scan):
    # Voxels 3..7, 4..9, 1..4 from centre to centre.
    world = (10 - 14, -5 + 4, 7 + 3, 10 - 6, -5 + 9, 7 + 12)
    found = GivenBoxes([world], world=True).objects(tmp_path, scan)
    np.testing.assert_array_equal(found.boxes, [[3, 4, 1, 7, 9, 4]])
    with pytest.raises(LiteMedSamError, match="outside the scan"):
        GivenBoxes([(-100, 0, 10, 4, 4, 19)], world=True).objects(tmp_path, scan)
    in_file = {"version": 1, "space": "world", "objects": [{"box": list(world), "points": [[0, 0, 10]]}]}
    found = objects_of(tmp_path, scan, in_file)
    np.testing.assert_array_equal(found.boxes, [[3, 4, 1, 7, 9, 4]])
    np.testing.assert_allclose(found.prompts[0].points, [[5, 5, 1]])


def test_a_box_on_a_slice(tmp_path, scan):
    found = GivenBoxes([(3, 4, 8, 9), (1, 2, 5, 6)], slice_index=2).objects(tmp_path, scan)
    np.testing.assert_array_equal(found.boxes, [[3, 4, 2, 8, 9, 2], [1, 2, 2, 5, 6, 2]])
    assert prepare(scan, found).case.open_ended == frozenset()
    found = GivenBoxes([(3, 4, 8, 9), (1, 2, 5, 6)], slice_index=2, open_ended=True).objects(tmp_path, scan)
    prepared = prepare(scan, found)
    assert prepared.case.open_ended == {1, 2}
    # As seen, the slices of this scan may run the other way.
    seen = prepared.case.boxes.copy()
    seen[0, [2, 5]] = seen[0, 2] - 1, seen[0, 2] + 2
    restored = prepared.found(seen)
    assert sorted(restored.boxes[0, [2, 5]]) in ([1, 4], [0, 3])
    np.testing.assert_array_equal(restored.boxes[1], [1, 2, 2, 5, 6, 2])
    low, high = (int(z) for z in restored.boxes[0, [2, 5]])
    assert f"object 1 was found on slices z = {low} to {high}" in restored.notes[-2]
    np.testing.assert_array_equal(restored.objects.boxes, seen)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"boxes": [(1, 2, 0, 3, 4, 1)], "slice_index": 2}, "a slice beside a box of 6 numbers"),
        (
            {"boxes": [(1, 2, 0, 3, 4, 1)], "open_ended": True},
            "its box covers slices z = 0 to 1, expected one slice to search from; give a box with one z",
        ),
        ({"boxes": [(1, 2, 3, 4)], "slice_index": 6}, "outside the image"),
    ],
)
def test_boxes_that_cannot_be_extended_are_refused(tmp_path, scan, given, words):
    with pytest.raises(LiteMedSamError, match=words):
        prepare(scan, GivenBoxes(**given).objects(tmp_path, scan))


def test_an_image_has_no_slices_to_search(tmp_path):
    image = Scan("image", np.zeros((20, 30), np.uint8), False)
    with pytest.raises(LiteMedSamError, match="an image has no further slices; leave the search for slices out"):
        prepare(image, GivenBoxes([(1, 2, 3, 4)], open_ended=True).objects(tmp_path, image))


VOLUME = Scan("scan", np.zeros((3, 6, 7), np.uint8), True)


def test_bad_boxes_of_the_command_line_are_explained():
    for boxes, words in (
        ([[1, 2, 3]], "object 1: a box of 3 numbers, expected x0,y0,x1,y1 or"),
        ([[1, 2, 3, 4], [1, 2, 0, 3, 4, 1]], "object 2: a box of 6 numbers after one of 4"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            GivenBoxes(boxes).objects(Path("scan"), VOLUME)
    with pytest.raises(LiteMedSamError, match="there are no boxes"):
        StoredBoxes().objects(Path("scan"), VOLUME)


PIXELS = phantom(1, 8, 10)[0]


def test_boxes_that_need_more_than_the_scan_tells(tmp_path):
    scan = Scan("scan", np.zeros((3, 4, 5), np.uint8), True, Geometry(np.eye(4)))
    with pytest.raises(LiteMedSamError, match="a box of 4 numbers, expected 6 in millimetres"):
        GivenBoxes([[1, 1, 2, 2]], world=True).objects(tmp_path, scan)
    with pytest.raises(LiteMedSamError, match="outside the scan of 5 × 4 × 3 voxels"):
        GivenBoxes([[1, 1, 1, 2, 9, 2]], world=True).objects(tmp_path, scan)
    np.savez(tmp_path / "a.npz", imgs=PIXELS)
    read = format_of(tmp_path / "a.npz").read(tmp_path / "a.npz")
    with pytest.raises(LiteMedSamError, match="lacks boxes; expected the keys imgs, boxes, got imgs"):
        StoredBoxes().objects(tmp_path / "a.npz", read)


@pytest.mark.parametrize(
    ("scan", "files", "found"),
    [
        ("case_0000.nii.gz", ("case.nii.gz",), "case.nii.gz"),
        ("case_0001.nii.gz", ("case.nrrd", "case.NII"), "case.NII"),
        ("case_0000.nii.gz", ("case.nii.gz", "case_0000.nii"), "case_0000.nii"),
        ("case.nii.gz", ("case_0000.nii.gz",), None),
        ("case_00000.png", ("case.png",), None),
        ("case_12.png", ("case.png",), None),
        ("_0000.png", (".png",), None),
    ],
)
def test_nnunet_names_a_case_without_the_number_of_a_channel(tmp_path, scan, files, found):
    for name in files:
        (tmp_path / name).touch()
    suffixes = (".nii.gz", ".nii", ".png")
    assert file_of_scan(tmp_path, Path("elsewhere") / scan, suffixes) == (None if found is None else tmp_path / found)


def test_both_names_are_said_where_neither_exists(tmp_path):
    error = no_file_of_scan(tmp_path, Path("case_0000.nii.gz"), (".json",))
    assert f"{tmp_path} holds no file case_0000 or case.json" in str(error)
