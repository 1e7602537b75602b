"""Boxes that reach outside are cut off and noted; those wholly outside are refused."""

import numpy as np
import pytest
from litemedsam.engine.objects.clipped import ClippedBoxes
from litemedsam.engine.objects.sources import GivenBoxes, StoredBoxes
from sample_scans import BOX
from scan_files import read


def clipped(path, boxes):
    found = ClippedBoxes(GivenBoxes(boxes)).objects(path, read(path))
    return found.boxes.tolist(), found.notes


@pytest.mark.parametrize(
    ("name", "box", "expected"),
    [
        ("slice.png", [-3, -2.5, 29, 30], [0, 0, 29, 30]),
        ("slice.png", [9, 13, 50, 41], [9, 13, 47, 39]),
        ("slice.png", [9, 13, 48, 40], [9, 13, 48, 40]),
        ("slice.png", [9, 13, 29, 30], [9, 13, 29, 30]),
        ("scan.nii.gz", [-3, 13, -1, 60, 30, 9], [0, 13, 0, 47, 30, 4]),
        ("pages.tif", [9, 13, 1, 29, 44, 5], [9, 13, 1, 29, 39, 5]),
    ],
)
def test_a_box_is_cut_at_the_edges(scans, name, box, expected):
    (found,), notes = clipped(scans / name, [box])
    assert found == expected
    assert len(notes) == (box != expected)
    for note in notes:
        assert note.startswith(f"{scans / name}: object 1: its box (")
        assert "reaches outside the image, cut to (" in note


def test_boxes_in_the_file_itself(tmp_path):
    np.savez(tmp_path / "a.npz", imgs=np.zeros((4, 20, 30, 3), np.uint8), boxes=[[-2, 3, 0, 31, 9, 3]])
    np.savez(tmp_path / "b.npz", imgs=np.zeros((20, 30, 3), np.uint8), boxes=[[-2, 3, 31, 25]])
    for name, expected in (("a", [0, 3, 0, 29, 9, 3]), ("b", [0, 3, 29, 19])):
        path = tmp_path / f"{name}.npz"
        assert ClippedBoxes(StoredBoxes()).objects(path, read(path)).boxes.tolist() == [expected]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ("60,13,1,70,30,3", "is outside the image"),
        ("-9,13,1,-1,30,3", "is outside the image"),
        ("nan,13,1,29,30,3", "holds NaN"),
        ("9,13,29,30", "a box of 4 numbers for a volume"),
    ],
)
def test_what_lies_wholly_outside_is_refused_as_before(infer, scans, box, words):
    assert words in infer(scans / "scan.nii.gz", "--box", box, "--clip", code=1).stderr


def test_the_option(infer, scans):
    over = BOX.replace("29", "55")
    assert "outside the image" in infer(scans / "scan.nii.gz", "--box", over, code=1).stderr
    run = infer(scans / "scan.nii.gz", "--box", over, "--clip")
    assert "its box (9, 13, 1, 55, 30, 3) reaches outside the image, cut to (9, 13, 1, 47, 30, 3)" in run.stdout
    infer(scans / "scan.nii.gz", "--box", BOX, "--box-space", "world", "--clip", code=2)
