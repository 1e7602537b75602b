"""What is written of a scan: where, and in which order."""

import csv
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.running.case_run import run_case
from litemedsam.engine.running.job import Request, segment_file
from litemedsam.engine.running.options import Existing, Options
from litemedsam.engine.running.outputs import Film, LabelMap, Picture, possible_paths
from PIL import Image
from sample_scans import labels

from litemedsam import LiteMedSamError, Predictor, segment


@pytest.mark.parametrize(
    ("target", "picture", "film"),
    [
        ("o/a.nii.gz", "o/a.png", "o/a.gif"),
        ("o/a.npz", "o/a.png", "o/a.gif"),
        ("o/a.png", "o/a.overlay.png", "o/a.overlay.gif"),
        ("o/a.tif", "o/a.overlay.png", "o/a.overlay.gif"),
    ],
)
def test_drawings_lie_beside_the_label_map_and_never_on_it(target, picture, film):
    target = Path(target)
    assert LabelMap(FORMATS["npz"]).path(target) == target
    assert Picture().path(target) == Path(picture)
    assert Film("gif").path(target) == Path(film)
    assert {target, Path(picture), Path(film)} < set(possible_paths([target]))


def test_a_film_of_an_image_is_not_written(tiny_bundle, scans, tmp_path):
    with Predictor(tiny_bundle, threads=1) as predictor:
        flat = segment_file(predictor, Request(scans / "flat.npz"))
        volume = segment_file(predictor, Request(scans / "volume.npz"))
    Film("gif").write(tmp_path / "flat.npz", flat)
    Film("gif").write(tmp_path / "volume.npz", volume)
    assert [path.name for path in tmp_path.iterdir()] == ["volume.gif"]


class Unwritable(type(FORMATS["npz"])):
    """A format whose results fail."""

    def write(self, path, labels, scan, names):
        raise LiteMedSamError(f"{path}: no space")


def test_no_drawing_is_left_where_the_label_map_fails(tiny_bundle, scans, tmp_path):
    drawings = (Picture(), Film("gif"))
    failing = Options(tmp_path, drawings=drawings, format=Unwritable())
    with Predictor(tiny_bundle, threads=1) as predictor:
        report = run_case(predictor, scans / "volume.npz", failing, lambda done, total: None)
        assert "no space" in report.error
        assert list(tmp_path.iterdir()) == []
        report = run_case(predictor, scans / "volume.npz", Options(tmp_path, drawings=drawings), lambda *_: None)
        assert not report.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["volume.gif", "volume.npz", "volume.png"]


@pytest.mark.parametrize("existing", Existing)
def test_results_that_exist_are_replaced_only_on_request(tiny_bundle, scans, tmp_path, existing):
    (tmp_path / "flat.npz").write_bytes(b"former")
    with Predictor(tiny_bundle, threads=1) as predictor:
        report = run_case(predictor, scans / "flat.npz", Options(tmp_path, existing=existing), lambda *_: None)
    replaced = (tmp_path / "flat.npz").read_bytes() != b"former"
    assert replaced == (existing is Existing.REPLACE)
    assert bool(report.error) != replaced


NESTED = ("--box", "12,15,25,26", "--box", "9,13,29,30", "--box", "5,5,5,20")


def test_objects_that_the_label_map_does_not_show_are_named_everywhere(infer, scans, tmp_path):
    run = infer(
        *(scans / "slice.png", scans / "flat.npz", *NESTED, "--csv", tmp_path / "a.csv"),
        *("--report", tmp_path / "a.json", "--html", tmp_path / "a.html"),
    )
    path = scans / "slice.png"
    assert f"Note: {path}: object 3 came out empty" in run.stdout
    assert f"Note: {path}: object 1 wholly covered by objects with higher numbers" in run.stdout
    assert "slice.png: 3 objects, 1 empty, 1 covered in" in run.stdout
    assert "3 (2 not seen)" in run.stdout
    case = json.loads((tmp_path / "a.json").read_text())["cases"][0]
    assert case["states"] == ["covered", "", "empty"]
    assert sum("object" in note for note in case["notes"]) == 2
    with open(tmp_path / "a.csv", newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)][:3] == ["covered", "", "empty"]
    page = (tmp_path / "a.html").read_text()
    assert "<td>covered</td>" in page
    assert "object 3 came out empty" in page


@pytest.mark.parametrize(
    ("name", "boxes", "suffix", "options"),
    [
        ("slice.png", NESTED, ".png", ()),
        ("scan.nii.gz", ("--box", "12,15,1,25,26,3", "--box", "9,13,1,29,30,3"), ".nii.gz", ()),
        ("series", ("--box", "12,15,1,25,26,3", "--box", "9,13,1,29,30,3"), ".dcm", ()),
        ("stack", ("--box", "12,15,1,25,26,3", "--box", "9,13,1,29,30,3"), "", ("--stack",)),
        ("series", ("--box", "12,15,1,25,26,3", "--box", "9,13,1,29,30,3"), ".nii.gz", ("--format", "nifti")),
    ],
)
def test_separate_masks_keep_what_the_label_map_hides(
    infer, scans, tiny_bundle, tmp_path, name, boxes, suffix, options
):
    infer(scans / name, *boxes, "--separate", *options)
    results = tmp_path / "results"
    stem = name.split(".")[0]
    given = [[float(part) for part in box.split(",")] for box in boxes[1::2]]
    with Predictor(tiny_bundle, threads=1) as predictor:
        apart = segment(scans / name, given, separate=True, predictor=predictor)
        shown = segment(scans / name, given, predictor=predictor)
    assert sorted(path.name for path in results.iterdir()) == sorted([f"{stem}{suffix}", f"{stem}.objects"])
    scan = format_of(scans / name).read(scans / name)
    for k, mask in enumerate(apart.masks, start=1):
        path = results / f"{stem}.objects" / f"{k}{suffix}"
        np.testing.assert_array_equal(format_of(path).read_mask(path, scan).labels, mask)
    assert apart.masks[0].any()
    assert not shown.masks[0].any()
    assert (apart.masks[0] <= apart.masks[1]).all()
    np.testing.assert_array_equal(apart.labels, shown.labels)
    assert any("object 1 wholly covered" in note for note in shown.notes)


def test_a_mask_s_own_numbers_are_those_of_the_result(infer, scans, tmp_path):
    grid = np.zeros((40, 48), np.uint16)
    grid[13:31, 9:30] = 300
    grid[2:8, 30:40] = 7
    Image.fromarray(grid).save(tmp_path / "mask.png")
    reports = ("--report", tmp_path / "a.json", "--csv", tmp_path / "a.csv", "--html", tmp_path / "a.html")
    infer(scans / "slice.png", "--boxes-from", tmp_path / "mask.png", *reports)
    written = np.array(Image.open(tmp_path / "results" / "slice.png"))
    assert set(np.unique(written)) <= {0, 7, 300}
    assert (written == 300).any()
    (case,) = json.loads((tmp_path / "a.json").read_text())["cases"]
    assert case["labels"] == [7, 300]
    assert case["voxels"] == [np.count_nonzero(written == 7), np.count_nonzero(written == 300)]
    with open(tmp_path / "a.csv", newline="") as file:
        assert [row["object"] for row in csv.DictReader(file)] == ["7", "300"]
    # Pieces are objects of their own, numbered from 1, and DICOM counts segments without gaps.
    infer(scans / "slice.png", "--boxes-from", tmp_path / "mask.png", "--pieces", "--overwrite")
    assert set(np.unique(np.array(Image.open(tmp_path / "results" / "slice.png")))) <= {0, 1, 2}


def test_numbers_of_a_mask_through_every_format(infer, scans, tmp_path):
    image = nibabel.load(scans / "mask.nii.gz")
    values = np.asarray(image.dataobj)
    nibabel.Nifti1Image(np.choose(values, [0, 5, 3]).astype(np.uint8), image.affine).to_filename(tmp_path / "m.nii.gz")
    given = (scans / "scan.nii.gz", "--boxes-from", tmp_path / "m.nii.gz")
    for kind, suffix in (("nifti", ".nii.gz"), ("npz", ".npz"), ("slices", "")):
        infer(*given, "--format", kind, "--report", tmp_path / f"{kind}.json")
        path = tmp_path / "results" / f"scan{suffix}"
        scan = format_of(scans / "scan.nii.gz").read(scans / "scan.nii.gz")
        found = format_of(path).read_mask(path, scan)
        assert set(np.unique(found.labels)) == {0, 3, 5}
        if kind == "nifti":
            assert dict(found.names) == {3: "3", 5: "5"}
    infer(scans / "series", "--boxes-from", tmp_path / "m.nii.gz", "--report", tmp_path / "dicom.json")
    segments = pydicom.dcmread(tmp_path / "results" / "series.dcm").SegmentSequence
    assert [(each.SegmentNumber, each.SegmentLabel) for each in segments] == [(1, "3"), (2, "5")]
    assert json.loads((tmp_path / "dicom.json").read_text())["cases"][0]["labels"] == [1, 2]


def test_a_cohort_whose_masks_lack_labels_keeps_its_numbers(infer, scans, tmp_path):
    image = nibabel.load(scans / "mask.nii.gz")
    values = np.asarray(image.dataobj)
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
    for name, kept in (("a", (1, 2)), ("b", (2,))):
        shutil.copy(scans / "scan.nii.gz", tmp_path / "in" / f"{name}.nii.gz")
        mask = np.where(np.isin(values, kept), values, 0).astype(np.uint8)
        nibabel.Nifti1Image(mask, image.affine).to_filename(tmp_path / "masks" / f"{name}.nii.gz")
    infer("-i", tmp_path / "in", "--boxes-from", tmp_path / "masks")
    a, b = (labels(tmp_path / "results" / f"{name}.nii.gz") for name in "ab")
    assert set(np.unique(b)) == {0, 2}
    np.testing.assert_array_equal(a == 2, b == 2)
