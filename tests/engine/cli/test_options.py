"""Every option of ``litemedsam-infer``, with a model of a few operators."""

import csv
import json
import os

import cv2
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image
from sample_scans import BOX, VOLUME, labels
from synthetic_scans import ROOT, dicom_image, phantom, stored, write_series


def test_a_mask_gives_boxes_pieces_and_names(infer, scans, tmp_path):
    infer(scans / "scan.nii.gz", "--boxes-from", scans / "mask.nii.gz", "--margin", 2, "--report", tmp_path / "a.json")
    (case,) = json.loads((tmp_path / "a.json").read_text())["cases"]
    assert case["names"] == ["1", "2"]
    z, y, x = np.nonzero(VOLUME == 200)
    assert case["boxes"][0] == [x.min() - 2, y.min() - 2, z.min(), x.max() + 2, y.max() + 2, z.max()]
    infer(
        *(scans / "scan.nii.gz", "--boxes-from", scans / "mask.nii.gz", "--pieces", "--overwrite"),
        *("--report", tmp_path / "b.json"),
    )
    (case,) = json.loads((tmp_path / "b.json").read_text())["cases"]
    assert case["names"] == ["1.1", "2.1"]


def test_names_go_from_json_through_a_mask_to_the_next_result(infer, scans, tmp_path):
    def names(case, *arguments):
        infer(scans / case, *arguments, "--overwrite", "--report", tmp_path / "a.json", "--csv", tmp_path / "a.csv")
        with open(tmp_path / "a.csv", newline="") as file:
            in_table = [row["name"] for row in csv.DictReader(file)]
        (report,) = json.loads((tmp_path / "a.json").read_text())["cases"]
        assert report["names"] == in_table
        return in_table

    for case, result in (("scan.nii.gz", "scan.nii.gz"), ("series", "series.dcm")):
        assert names(case, "--boxes", scans / "boxes.json") == ["liver"]
        mask = (tmp_path / "results" / result).rename(tmp_path / result)
        assert names(case, "--boxes-from", mask) == ["liver"]
        assert names(case, "--boxes-from", mask, "--pieces")[0] == "liver.1"
    segment_of = pydicom.dcmread(tmp_path / "results" / "series.dcm").SegmentSequence[0]
    assert segment_of.SegmentLabel == "liver.1"
    assert segment_of.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Liver"
    (comment,) = nibabel.load(tmp_path / "results" / "scan.nii.gz").header.extensions
    assert json.loads(comment.get_content())["labels"]["1"] == "liver.1"


def test_a_box_on_a_slice_is_followed_to_where_its_object_ends(infer, scans, tmp_path):
    def run(*arguments):
        infer(scans / "scan.nii.gz", *arguments, "--overwrite", "--report", tmp_path / "a.json")
        (case,) = json.loads((tmp_path / "a.json").read_text())["cases"]
        return case["boxes"], case["notes"], (tmp_path / "results" / "scan.nii.gz").read_bytes()

    (box,), notes, extended = run("--box", "9,13,29,30", "--slice", 2, "--extend")
    assert box[:2] + box[3:5] == [9, 13, 29, 30]
    assert 0 <= box[2] <= 2 <= box[5] <= 4
    assert any(f"object 1 was found on slices z = {box[2]:g} to {box[5]:g}" in note for note in notes)
    assert run("--box", "9,13,2,29,30,2", "--extend") == ([box], notes, extended)
    drawn = {"version": 1, "objects": [{"box": [9, 13, 29, 30], "slice": 2, "z": "auto"}]}
    (tmp_path / "drawn.json").write_text(json.dumps(drawn))
    assert run("--boxes", tmp_path / "drawn.json") == ([box], notes, extended)
    # The box that was found, given as such, gives the same bytes.
    assert run("--box", ",".join(f"{value:g}" for value in box))[2] == extended
    assert run("--box", "9,13,29,30", "--slice", 2)[0] == [[9, 13, 2, 29, 30, 2]]


def test_strokes_in_json_do_what_those_of_a_mask_do(infer, scans, tmp_path):
    drawn = {"box": [9, 13, 1, 29, 30, 3], "scribble": {"strokes": [[[16, 21, 2], [23, 21, 2]]]}}
    (tmp_path / "drawn.json").write_text(json.dumps({"version": 1, "objects": [drawn]}))
    found = []
    for options in (
        ("--boxes", tmp_path / "drawn.json"),
        ("--box", BOX, "--scribbles", scans / "strokes.nii.gz"),
        ("--box", BOX),
    ):
        infer(scans / "scan.nii.gz", *options, "--overwrite")
        found.append(labels(tmp_path / "results" / "scan.nii.gz"))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_a_spacing_gives_pictures_millimetres_and_changes_no_mask(infer, scans, tmp_path):
    flat_box, results = "9,13,29,30", tmp_path / "results"
    for case, box, options, spacing in (
        ("slice.png", flat_box, (), (0.5, 1.5)),
        ("pages.tif", BOX, (), (0.5, 1.5, 4.0)),
        ("pages.tif", flat_box, ("--frame", 2), (0.5, 1.5)),
        ("stack", BOX, ("--stack",), (0.5, 1.5, 4.0)),
    ):
        given = (scans / case, "--box", box, "--format", "nifti", "--overwrite", "--overlay", *options)
        stem = case.split(".")[0]
        infer(*given, "--report", tmp_path / "a.json")
        (plain,) = json.loads((tmp_path / "a.json").read_text())["cases"]
        assert plain["areas_mm2"] == plain["volumes_ml"] == []
        before = labels(results / f"{stem}.nii.gz")
        square = cv2.imread(results / f"{stem}.png").shape
        asked = ",".join(map(str, spacing))
        infer(*given, "--report", tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--spacing", asked)
        (spaced,) = json.loads((tmp_path / "a.json").read_text())["cases"]
        mask = nibabel.load(results / f"{stem}.nii.gz")
        np.testing.assert_array_equal(labels(results / f"{stem}.nii.gz"), before)
        np.testing.assert_allclose(mask.header.get_zooms(), spacing)
        assert mask.header.get_xyzt_units()[0] == "mm"
        size = np.count_nonzero(before) * np.prod(spacing)
        assert size > 0
        with open(tmp_path / "a.csv", newline="") as file:
            (row,) = csv.DictReader(file)
        if len(spacing) == 2:
            assert spaced["areas_mm2"] == [float(row["area_mm2"])] == [pytest.approx(size)]
        else:
            assert spaced["volumes_ml"] == [float(row["volume_ml"])] == [pytest.approx(size / 1000)]
        after = cv2.imread(results / f"{stem}.png").shape
        tall, plainly = (height / width for height, width, _ in (after, square))
        assert tall == pytest.approx(3 * plainly, rel=0.02)


def test_a_spacing_for_an_image_that_does_not_tell_it(infer, tmp_path):
    dicom_image(VOLUME[2], modality="OT").save_as(tmp_path / "flat.dcm")
    given = ("--box", "9,13,29,30", "--report", tmp_path / "a.json")
    infer(tmp_path / "flat.dcm", *given, "--format", "png", "--spacing", "0.5,1.5")
    (case,) = json.loads((tmp_path / "a.json").read_text())["cases"]
    assert case["areas_mm2"] == [round(case["voxels"][0] * 0.75, 4)]
    assert case["voxels"][0] > 0
    # A picture's own resolution is for printing.
    for name in ("dense.png", "dense.tif"):
        Image.fromarray(VOLUME[2]).save(tmp_path / name, dpi=(300, 300))
        infer(tmp_path / name, *given)
        assert json.loads((tmp_path / "a.json").read_text())["cases"][0]["areas_mm2"] == []


@pytest.mark.parametrize(
    ("case", "spacing", "words"),
    [
        ("scan.nii.gz", "1,1,2", "scan.nii.gz: tells its own spacing, 1.2 × 1 × 1.4 mm; leave --spacing out"),
        ("series", "1,1,2", "series: tells its own spacing, 1.2 × 1 × 1.4 mm"),
        ("volume.npz", "1,1,2", "volume.npz: an npz file has its spacing under the key spacing"),
        ("slice.png", "1,1,2", "slice.png: a spacing of 3 numbers for an image, expected 2; give one number per axis"),
        ("pages.tif", "1,1", "pages.tif: a spacing of 2 numbers for a volume, expected 3"),
        ("slice.png", "0,1", "slice.png: spacing is (0, 1), expected positive numbers in mm"),
        ("slice.png", "nan,1", "slice.png: spacing is (nan, 1), expected positive numbers in mm"),
    ],
)
def test_spacings_that_do_not_fit_are_refused(infer, scans, tmp_path, case, spacing, words):
    box = "9,13,29,30" if case == "slice.png" else BOX
    (line,) = infer(scans / case, "--box", box, "--spacing", spacing, code=1).stderr.splitlines()
    assert words in line
    assert list((tmp_path / "results").iterdir()) == []


def test_scribbles_and_windows_make_a_difference(infer, scans, tmp_path):
    found = []
    for options in (
        (),
        ("--scribbles", scans / "strokes.nii.gz"),
        ("--window", "40,60"),
        ("--window", "none", "--seed", 5),
        ("--window", "percentiles", "--cache-mb", 0),
        ("--protocol", "published", "--backend", "onnxruntime"),
    ):
        infer(scans / "scan.nii.gz", "--box", BOX, "--overwrite", "-q", *options)
        found.append(labels(tmp_path / "results" / "scan.nii.gz"))
    assert all(one.any() for one in found)
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    # The published way leaves the first and the last slice out.
    assert [page.any() for page in found[5]] == [False, False, True, False, False]


def test_millimetres_are_voxels_elsewhere(infer, scans, tmp_path):
    affine = nibabel.load(scans / "scan.nii.gz").affine
    corners = np.array([[9, 13, 1, 1], [29, 30, 3, 1]]) @ affine.T
    low, high = corners[:, :3].min(axis=0), corners[:, :3].max(axis=0)
    world = ",".join(f"{value:.6f}" for value in (*low, *high))
    infer(scans / "scan.nii.gz", "--box", BOX)
    expected = labels(tmp_path / "results" / "scan.nii.gz")
    infer(scans / "scan.nii.gz", "--box", world, "--box-space", "world", "--overwrite")
    np.testing.assert_array_equal(labels(tmp_path / "results" / "scan.nii.gz"), expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--window", "neck"), "unknown window 'neck'"),
        (("--window", "40,0"), "a width above 0"),
        (("--boxes", "absent.json"), "cannot be read"),
        (("--boxes-from", "absent.nii"), "cannot be read"),
        ((), "there are no boxes"),
        (("--box", "1,1,5,5"), "a box of 4 numbers for a volume of 5 slices"),
        (("--box", BOX, "--frame", "3"), "has no frame 3"),
        (("--box", BOX, "--format", "png"), "a PNG holds one slice"),
        (("--box", BOX, "--format", "dicom"), "needs DICOM images"),
    ],
)
def test_mistakes_are_told_in_one_line(infer, scans, arguments, words):
    (line,) = infer(scans / "scan.nii.gz", *arguments, code=1).stderr.splitlines()
    assert line.startswith("Error: ")
    assert words in line


@pytest.mark.parametrize(
    ("name", "kind", "result"),
    [
        ("scan.nii.gz", "npz", "scan.npz"),
        ("series", None, "series.dcm"),
        ("series", "nifti", "series.nii.gz"),
        ("pages.tif", None, "pages.tif"),
        ("pages.tif", "nifti", "pages.nii.gz"),
        ("volume.npz", "nifti", "volume.nii.gz"),
    ],
)
def test_kinds_of_results(infer, scans, tmp_path, name, kind, result):
    infer(scans / name, "--box", BOX, *(() if kind is None else ("--format", kind)))
    assert [path.name for path in (tmp_path / "results").iterdir()] == [result]


def test_a_folder_that_may_not_be_written_to_is_refused_at_once(infer, scans, monkeypatch):
    from litemedsam import atomic

    class Os:
        W_OK, X_OK, getuid, access = os.W_OK, os.X_OK, os.getuid, staticmethod(lambda *_: False)

    monkeypatch.setattr(atomic, "os", Os)
    assert f"cannot be written (user {os.getuid()} may not)" in infer(scans / "flat.npz", code=1).stderr


def test_boxes_in_a_folder_belong_to_scans_by_name(infer, scans, tmp_path):
    folder = tmp_path / "boxes"
    folder.mkdir()
    (folder / "scan.json").write_bytes((scans / "boxes.json").read_bytes())
    infer(scans / "scan.nii.gz", "--boxes", folder)
    assert "holds no file slice." in infer(scans / "slice.png", "--boxes", folder, code=1).stderr


def test_a_series_of_a_mixed_folder_is_chosen(infer, tmp_path):
    folder = tmp_path / "mixed"
    paths = write_series(folder, stored(VOLUME, (0, 1, 2), (False,) * 3))
    for number, path in enumerate(paths):
        image = pydicom.dcmread(path)
        image.SeriesInstanceUID, image.SeriesNumber, image.SeriesDescription = f"{ROOT}77", 7, "Other"
        image.SOPInstanceUID = f"{ROOT}77.{number}"
        image.save_as(folder / f"other{number}")
    (folder / "readme.txt").write_text("two series")
    assert "choose one with --series NUMBER" in infer(folder, "--box", BOX, code=1).output
    for asked in ("7", f"{ROOT}77", "oth"):
        output = infer(folder, "--box", BOX, "--series", asked, "--overwrite").output
        assert "left aside files that are not DICOM: readme.txt" in output
        written = pydicom.dcmread(tmp_path / "results" / "mixed.dcm")
        assert written.ReferencedSeriesSequence[0].SeriesInstanceUID == f"{ROOT}77"
    assert "contains no series 9" in infer(folder, "--box", BOX, "--series", 9, "--overwrite", code=1).output


def test_uneven_slices_are_taken_on_request(infer, tmp_path):
    paths = write_series(tmp_path / "series", stored(phantom(6, 40, 48), (0, 1, 2), (False,) * 3))
    lost = sorted(paths, key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])[3]
    lost.unlink()
    assert "or add --allow-uneven" in infer(tmp_path / "series", "--box", BOX, code=1).output
    arguments = (tmp_path / "series", "--box", BOX, "--allow-uneven", "--report", tmp_path / "a.json")
    assert "1.4 mm are counted for each slice" in infer(*arguments).output
    (case,) = json.loads((tmp_path / "a.json").read_text())["cases"]
    assert any("1 slice missing between slices 2 and 3" in note for note in case["notes"])


def test_an_echo_is_chosen_by_frame(infer, tmp_path):
    folder = tmp_path / "echoes"
    paths = write_series(folder, stored(VOLUME, (0, 1, 2), (False,) * 3), modality="MR")
    for number, path in enumerate(paths):
        image = pydicom.dcmread(path)
        image.EchoTime = 10
        image.save_as(path)
        image.EchoTime, image.SOPInstanceUID = 20, f"{ROOT}88.{number}"
        image.save_as(folder / f"second{number}")
    output = infer(folder, "--box", BOX, code=1).output
    assert "differ in EchoTime (10, 20); choose one with --frame 0 to 1" in output
    infer(folder, "--box", BOX, "--frame", 1)
    written = pydicom.dcmread(tmp_path / "results" / "echoes.dcm")
    sources = {
        source.ReferencedSOPInstanceUID
        for frame in written.PerFrameFunctionalGroupsSequence
        for source in frame.DerivationImageSequence[0].SourceImageSequence
    }
    assert all(uid.startswith(f"{ROOT}88.") for uid in sources)
