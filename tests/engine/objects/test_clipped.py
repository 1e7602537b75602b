"""Boxes that reach outside are cut off and noted; those wholly outside are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from form_files import picture
from litemedsam.engine.objects.clipped import ClippedBoxes
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes, StoredBoxes
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan
from sample_scans import BOX
from scan_files import read

from litemedsam import LiteMedSamError


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


OVER = [-5, 20, 115, 110]
COCO = {
    "images": [{"id": 7, "file_name": "case.png", "width": 100, "height": 80}],
    "categories": [{"id": 1, "name": "polyp"}],
    "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [-5, 20, 120, 90], "iscrowd": 0}],
}
LABELME = {
    "imagePath": "case.png", "imageWidth": 100, "imageHeight": 80,
    "shapes": [{"label": "polyp", "points": [[-5, 20], [115, 110]], "shape_type": "rectangle"}],
}  # fmt: skip
ROI = {
    "type": "ROI", "coordinateSystem": "RAS", "coordinateUnits": "mm", "roiType": "Box", "center": [50, 50, 12],
    "orientation": [1, 0, 0, 0, 1, 0, 0, 0, 1], "size": [120, 100, 40], "controlPoints": [{"label": "R-1"}],
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [COCO, LABELME, [{"type": "rectangle", "data": OVER}], [OVER], {"version": 1, "objects": [{"box": OVER}]}],
    ids=["coco", "labelme", "rectangles", "lists", "own"],
)
def test_boxes_in_files_of_other_programs(tmp_path, content):
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    source = BoxesFile(tmp_path / "boxes.json")
    with pytest.raises(LiteMedSamError, match=r"object 1: x from -5 .* is outside the image"):
        prepare(picture(), source.objects(Path("case.png"), picture()))
    found = ClippedBoxes(source).objects(Path("case.png"), picture())
    assert found.boxes.tolist() == [[0, 20, 99, 79]]
    assert len(found.notes) == 1
    np.testing.assert_array_equal(prepare(picture(), found).boxes, found.boxes)


def test_a_region_of_3d_slicer(tmp_path):
    (tmp_path / "roi.mrk.json").write_text(json.dumps({"markups": [ROI]}))
    scan = Scan("scan.nii.gz", np.zeros((12, 80, 100), np.uint8), True, Geometry(np.diag([1.0, 1, 2, 1])))
    found = ClippedBoxes(BoxesFile(tmp_path / "roi.mrk.json")).objects(Path("scan.nii.gz"), scan)
    assert found.boxes.tolist() == [[0, 0, 0, 99, 79, 11]]
    np.testing.assert_array_equal(prepare(scan, found).boxes, found.boxes)


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
