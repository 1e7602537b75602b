"""`segment` in Python returns the results that the command writes."""

import shutil

import nibabel
import numpy as np
import pytest
from litemedsam.engine.io.formats import format_of
from litemedsam.engine.io.npz import read_arrays
from sample_scans import labels

from litemedsam import LiteMedSamError, Predictor, segment


def test_segment_gives_what_the_command_writes(infer, scans, tiny_bundle, tmp_path):
    predictor = Predictor(tiny_bundle, threads=1)
    infer(scans / "scan.nii.gz", "--boxes", scans / "boxes.json", "--window", "40,90")
    expected = labels(tmp_path / "results" / "scan.nii.gz")
    result = segment(
        scans / "scan.nii.gz", scans / "boxes.json", window=(40, 90), output=tmp_path / "own.nii", predictor=predictor
    )
    np.testing.assert_array_equal(result.labels, expected)
    np.testing.assert_array_equal(labels(tmp_path / "own.nii"), expected)
    np.testing.assert_array_equal(result.masks, [expected == 1])
    np.testing.assert_allclose(result.affine, nibabel.load(scans / "scan.nii.gz").affine)
    assert result.names == ("liver",)
    own = segment(scans / "flat.npz", predictor=predictor)
    assert own.masks.shape == (2, 40, 48)
    assert own.affine is None
    given = segment(scans / "slice.png", [[9, 13, 29, 30]], window="none", predictor=predictor)
    assert given.scores.shape == (1,)
    assert given.spacing is None
    given = segment(scans / "stack", [[9, 13, 1, 29, 30, 3]], spacing=[0.5, 1.5, 4], predictor=predictor)
    np.testing.assert_array_equal(given.spacing, [0.5, 1.5, 4])
    with pytest.raises(LiteMedSamError, match="a spacing of 1 numbers for an image, expected 2"):
        segment(scans / "slice.png", [[9, 13, 29, 30]], spacing=0.5, predictor=predictor)
    for arguments, words in (
        ({"boxes": [[1, 1, 1, 5, 5, 2]], "box_space": "image"}, "box_space is 'image', expected voxel or world"),
        ({"boxes": [[1, 1, 5, 5]], "frame": 7}, "has no frame 7"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            segment(scans / "scan.nii.gz", predictor=predictor, **arguments)


def test_segment_without_a_predictor_uses_the_default_model(scans):
    result = segment(scans / "slice.png", [[9, 13, 29, 30]])
    assert result.labels.shape == (40, 48)


FLAT, DEEP = [[9, 13, 29, 30]], [[9, 13, 1, 29, 30, 3]]


@pytest.mark.parametrize(
    ("name", "boxes", "output", "expected"),
    [
        ("slice.png", FLAT, "mask.nii.gz", "nifti"),
        ("slice.png", FLAT, "mask.nii", "nifti"),
        ("slice.png", FLAT, "mask.NPZ", "npz"),
        ("scan.nii.gz", DEEP, "mask.npz", "npz"),
        ("scan.nii.gz", DEEP, "mask.tif", "png"),
        ("series", DEEP, "mask.nii.gz", "nifti"),
        ("series", DEEP, "mask.dcm", "dicom"),
        ("stack", DEEP, "mask", "slices"),
        ("stack", DEEP, "mask.tiff", "png"),
    ],
)
def test_the_suffix_of_the_output_decides_its_format(scans, tiny_bundle, tmp_path, name, boxes, output, expected):
    with Predictor(tiny_bundle, threads=1) as predictor:
        result = segment(scans / name, boxes, output=tmp_path / output, predictor=predictor)
    written = format_of(tmp_path / output)
    assert written.name == expected
    if expected == "npz":
        mask = read_arrays(tmp_path / output, ("segs",))["segs"]
    elif expected == "nifti":
        mask = written.read(tmp_path / output).voxels
    else:
        mask = written.read_mask(tmp_path / output, format_of(scans / name).read(scans / name)).labels
    np.testing.assert_array_equal(np.squeeze(mask), result.labels)
    assert result.labels.any()


def test_an_output_of_no_known_kind_is_refused_before_anything_is_computed(scans, tiny_bundle, tmp_path):
    with Predictor(tiny_bundle, threads=1) as predictor:
        with pytest.raises(LiteMedSamError, match=r"mask.txt: no format of results has this suffix"):
            segment(scans / "slice.png", FLAT, output=tmp_path / "mask.txt", predictor=predictor)
        assert predictor.network.streams is None


def test_no_output_replaces_the_scan_the_boxes_or_the_model(scans, own_bundle, tmp_path):
    copies = shutil.copytree(scans, tmp_path / "mine")
    (tmp_path / "link.png").symlink_to(copies / "slice.png")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with Predictor(own_bundle, threads=1) as predictor:
        for name, boxes, output in (
            ("slice.png", FLAT, copies / "slice.png"),
            ("slice.png", FLAT, tmp_path / "link.png"),
            ("scan.nii.gz", copies / "boxes.json", copies / "boxes.json"),
            ("series", DEEP, copies / "series" / "mask.dcm"),
            ("series", DEEP, copies / "series" / "mask.nii"),
            ("stack", DEEP, copies / "stack"),
            ("scan.nii.gz", DEEP, own_bundle / "mask.nii"),
        ):
            with pytest.raises(LiteMedSamError, match=r"which this run reads|is read by this run") as error:
                segment(copies / name, boxes, output=output, predictor=predictor)
            assert str(error.value).endswith("give another output")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
