"""Boxes from masks."""

import nibabel
import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.formats import FORMATS, SUFFIXES
from litemedsam.engine.objects.masks import MaskBoxes, WithScribbles
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes, file_of_scan
from litemedsam.engine.scan.scan import Scan
from object_files import GRID, mask_file
from PIL import Image
from places import DATA
from synthetic_scans import phantom, stored, write_series

from litemedsam import LiteMedSamError


def test_boxes_from_a_mask(tmp_path, scan):
    mask = np.zeros(GRID, np.uint8)
    mask[1:3, 4:6, 7:11] = 3
    mask[5, 19, 0] = 7
    mask[5, 0, 29] = 7
    file = mask_file(tmp_path, mask, scan.origin.affine)
    found = MaskBoxes(file).objects(tmp_path / "scan.nii.gz", scan)
    np.testing.assert_array_equal(found.boxes, [[7, 4, 1, 10, 5, 2], [0, 0, 5, 29, 19, 5]])
    assert found.names == ("3", "7")
    assert [prompt.label for prompt in found.prompts] == [3, 7]
    found = MaskBoxes(file, pieces=True, margin=2).objects(tmp_path / "scan.nii.gz", scan)
    np.testing.assert_array_equal(found.boxes, [[5, 2, 1, 12, 7, 2], [27, 0, 5, 29, 2, 5], [0, 17, 5, 2, 19, 5]])
    assert found.names == ("3.1", "7.1", "7.2")
    assert [prompt.label for prompt in found.prompts] == [None] * 3

    by_folder = MaskBoxes(tmp_path / "masks")
    (tmp_path / "masks").mkdir()
    with pytest.raises(LiteMedSamError, match=r"holds no file scan\.nii\.gz"):
        by_folder.objects(tmp_path / "scan.nii.gz", scan)
    file.rename(tmp_path / "masks" / "scan.nii.gz")
    assert len(by_folder.objects(tmp_path / "scan.nii.gz", scan).boxes) == 2


def test_labels_stay_when_boxes_and_view_change(tmp_path, scan):
    mask = np.zeros(GRID, np.uint16)
    mask[1, 4, 7], mask[2, 5, 8] = 300, 7
    found = MaskBoxes(mask_file(tmp_path, mask, scan.origin.affine)).objects(tmp_path / "scan.nii.gz", scan)
    assert [prompt.label for prompt in found.prompts] == [7, 300]
    assert [prompt.label for prompt in prepare(scan, found).objects.prompts] == [7, 300]
    given = GivenBoxes([[1, 2, 0, 3, 4, 1]]).objects(tmp_path, scan)
    assert [prompt.label for prompt in given.prompts] == [None]


def test_numbers_below_0_are_no_labels(tmp_path, scan):
    mask = np.zeros(GRID, np.int16)
    mask[1, 4, 7], mask[2, 5, 8] = -1, 7
    found = MaskBoxes(mask_file(tmp_path, mask, scan.origin.affine)).objects(tmp_path / "scan.nii.gz", scan)
    assert [(prompt.name, prompt.label) for prompt in found.prompts] == [("-1", None), ("7", None)]
    assert "holds the number -1; results number the objects from 1" in prepare(scan, found).notes[0]


def test_masks_on_another_grid_are_refused(tmp_path, scan):
    mask = np.ones(GRID, np.uint8)
    moved = scan.origin.affine.copy()
    moved[0, 3] += 2
    for voxels, affine, words in (
        (mask[:5], scan.origin.affine, "voxels along x, y, z"),
        (mask, moved, "2 mm away"),
        (mask * 0, scan.origin.affine, "empty mask"),
        (mask * np.float32(0.5), scan.origin.affine, "whole numbers"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            MaskBoxes(mask_file(tmp_path, voxels, affine)).objects(tmp_path / "scan.nii.gz", scan)


def named_mask(tmp_path, scan, *comments):
    """Objects 1 and 3, with comments in the header."""
    labels = np.zeros(GRID, np.uint8)
    labels[1, 4:6, 7:11], labels[2, 9, 9], labels[2, 9, 12] = 1, 3, 3
    image = nibabel.Nifti1Image(labels.transpose(), scan.origin.affine)
    for comment in comments:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, comment))
    image.to_filename(tmp_path / "named.nii.gz")
    return tmp_path / "named.nii.gz"


def test_objects_take_the_names_that_a_nifti_mask_keeps(tmp_path, scan):
    file = named_mask(tmp_path, scan)
    written = FORMATS["nifti"].read(file).voxels
    FORMATS["nifti"].write(file, written, scan, ["Leber", "", "kidney left"])
    assert MaskBoxes(file).objects(tmp_path / "scan.nii.gz", scan).names == ("Leber", "kidney left")
    pieces = MaskBoxes(file, pieces=True).objects(tmp_path / "scan.nii.gz", scan)
    assert pieces.names == ("Leber.1", "kidney left.1", "kidney left.2")
    # One object has a name, the other its number.
    FORMATS["nifti"].write(file, written, scan, ["Niere (links), größer", "", ""])
    assert MaskBoxes(file).objects(tmp_path / "scan.nii.gz", scan).names == ("Niere (links), größer", "3")


@pytest.mark.parametrize(
    ("comments", "names"),
    [
        ([b"made by hand"], ("1", "3")),
        ([b"made by hand", b'{"labels": {"3": "spleen"}}'], ("1", "spleen")),
        ([b'{"labels": ["liver"]}'], ("1", "3")),
        ([b"[1]"], ("1", "3")),
        ([b'{"labels": {"one": "liver"}}'], ("1", "3")),
        ([b'{"labels": {"1": ["liver"], "3": ""}}'], ("1", "3")),
        ([b'{"labels": {"1": "\\ud800"}}'], ("?", "3")),
        ([b"\xff\xfe"], ("1", "3")),
        ([b"[" * 100_000], ("1", "3")),
    ],
)
def test_comments_of_others_name_nothing(tmp_path, scan, comments, names):
    found = MaskBoxes(named_mask(tmp_path, scan, *comments)).objects(tmp_path / "scan.nii.gz", scan)
    assert found.names == names


def test_objects_take_the_labels_of_segments(tmp_path):
    volume = stored(phantom(*GRID), (0, 1, 2), (False,) * 3)
    write_series(tmp_path / "series", volume)
    series = FORMATS["dicom"].read(tmp_path / "series")
    labels = np.zeros(GRID, np.uint8)
    labels[1, 4:6, 7:11], labels[2, 9, 9] = 1, 3
    FORMATS["dicom"].write(tmp_path / "mask.dcm", labels, series, ["liver", "spleen", "tumour 2"])
    found = MaskBoxes(tmp_path / "mask.dcm").objects(tmp_path / "series", series)
    assert found.names == ("liver", "tumour 2")
    np.testing.assert_array_equal(found.boxes, [[7, 4, 1, 10, 5, 1], [9, 9, 2, 9, 9, 2]])
    segmentation = pydicom.dcmread(tmp_path / "mask.dcm")
    segmentation.SegmentSequence[0].SegmentLabel = ""
    segmentation.save_as(tmp_path / "mask.dcm")
    assert MaskBoxes(tmp_path / "mask.dcm").objects(tmp_path / "series", series).names == ("1", "tumour 2")


PIXELS = phantom(1, 8, 10)[0]


def test_too_many_objects_of_a_mask(tmp_path, monkeypatch):
    from litemedsam.engine.objects import masks

    monkeypatch.setattr(masks, "LARGEST_NUMBER", 3)
    scan = Scan("scan", np.zeros((9, 9), np.uint8), False)
    dots = np.zeros((9, 9), np.uint8)
    dots[::4, ::4] = 1
    np.savez(tmp_path / "a.npz", segs=dots)
    with pytest.raises(LiteMedSamError, match="more than 3 objects; remove noise from the mask first"):
        MaskBoxes(tmp_path / "a.npz", pieces=True).objects(tmp_path / "scan", scan)


PUBLIC = DATA / "public"
needs_data = pytest.mark.skipif(not PUBLIC.is_dir(), reason="real scans are not beside the project")


@needs_data
def test_boxes_from_the_truth_are_every_public_set_s_own():
    paths = sorted(PUBLIC.glob("*.npz"))
    assert len(paths) > 100
    for path in paths:
        scan = FORMATS["npz"].read(path)
        boxes = MaskBoxes(path).objects(path, scan).boxes
        np.testing.assert_array_equal(boxes, scan.boxes, err_msg=path.name)


@pytest.mark.parametrize("name", ["scan.tiff", "scan.bmp", "scan.jpeg", "scan.JPG", "scan.TIF", "scan.dicom.png"])
def test_pictures_of_every_suffix_are_found_in_a_folder_of_masks(tmp_path, name):
    """Also where the picture's own suffix is in upper case."""
    picture = Scan("scan", np.zeros((9, 12), np.uint8), False)
    mask = np.zeros((9, 12), np.uint8)
    mask[2:5, 3:8] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / name, quality=100)
    of_scan = tmp_path / f"{name.rpartition('.')[0]}.png"
    direct = MaskBoxes(tmp_path / "masks" / name).objects(of_scan, picture)
    found = MaskBoxes(tmp_path / "masks").objects(of_scan, picture)
    np.testing.assert_array_equal(found.boxes, direct.boxes)
    strokes = WithScribbles(GivenBoxes([[1, 1, 8, 8]]), tmp_path / "masks").objects(of_scan, picture)
    np.testing.assert_array_equal(strokes.stroke_mask > 127, mask > 0)


def test_a_folder_without_a_mask_names_all_that_was_looked_for(tmp_path):
    picture = Scan("scan", np.zeros((9, 12), np.uint8), False)
    with pytest.raises(LiteMedSamError) as error:
        MaskBoxes(tmp_path).objects(tmp_path / "case.png", picture)
    assert f"{tmp_path} holds no file case.nii.gz, .nii, .hdr, .npz, .dcm," in str(error.value)
    for suffix in (".tiff", ".bmp", ".jpeg"):
        assert suffix in str(error.value)


def test_a_segmentation_counts_before_the_picture_of_it(tmp_path):
    """A folder of results holds a picture beside each; the result is the mask."""
    scan = Scan("scan", np.zeros((9, 12), np.uint8), False)
    labels = np.zeros((9, 12), np.uint8)
    labels[2:5, 3:8] = 1
    for name in ("npz", "nifti"):
        folder = tmp_path / name
        target = folder / FORMATS[name].result_name("scan.png", "scan")
        FORMATS[name].write(target, labels[None] if name == "nifti" else labels, scan, ("",))
        Image.fromarray(np.full((9, 12, 3), 200, np.uint8)).save(folder / "scan.png")
        assert file_of_scan(folder, tmp_path / "scan.png", SUFFIXES) == target
