"""What is kept of a case: sizes with their digits, and the records of a run that agree."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.case import Case, Segmentation
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import Prepared
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.reporting.summary import summary
from litemedsam.engine.scan.geometry import View
from PIL import Image
from sample_scans import labels
from tiny_bundle import INFO


def report(mm, rank=3, voxels=30):
    shape = (4, 5, 6)[:rank]
    found = np.zeros(shape, np.uint8)
    found.ravel()[:voxels] = 1
    boxes = np.zeros((1, 2 * rank))
    case = Case("a", np.zeros(shape, np.uint8), boxes, np.full(rank, mm))
    prepared = Prepared(case, View.identity(shape), Objects.of_boxes("a", boxes), boxes)
    result = Segmentation(found, np.ones(1, np.float32), {}, 1, np.array([voxels]), boxes)
    return CaseReport.of(prepared, result, Path("b"), {"total": 1.0}, [1], [])


@pytest.mark.parametrize(
    ("mm", "volume", "shown"),
    [(3e-4, 8.1e-13, "8.1e-13 ml"), (0.1, 3e-5, "3e-05 ml"), (1.0, 0.03, "0.03 ml"), (7.77, 14.0730, "14.07 ml")],
)
def test_volumes_of_tiny_objects_keep_their_digits(mm, volume, shown):
    case = report(mm)
    assert case.volumes_ml == [pytest.approx(30 * mm**3 / 1000, rel=5e-3)]
    assert case.volumes_ml == [pytest.approx(volume, rel=1e-4)]
    assert shown in summary([Path("a")], [case], [])


def test_areas_of_tiny_objects_keep_their_digits():
    assert report(0.001, 2, 15).areas_mm2 == [1.5e-5]
    assert "1.5e-05 mm²" in summary([Path("a")], [report(0.001, 2, 15)], [])
    assert report(0.001, 2, 0).areas_mm2 == [0]


def test_objects_that_the_label_map_does_not_show_are_counted():
    case = CaseReport("a", objects=3, states=["covered", "", "empty"])
    assert case.tally == "3 objects, 1 empty, 1 covered"
    assert CaseReport("a", objects=1, states=[""]).tally == "1 object"
    # Older reports have no labels.
    assert case.numbers == [1, 2, 3]
    assert CaseReport("a", objects=2, labels=[7, 300]).numbers == [7, 300]


def test_the_records_of_a_run_agree(infer, scans, tmp_path):
    run = infer(
        *(scans / "scan.nii.gz", scans / "absent.nii.gz", "--boxes", scans / "boxes.json", "-v", "--overlay", "gif"),
        *("--report", tmp_path / "run.json", "--csv", tmp_path / "objects.csv", "--html", tmp_path / "page.html"),
        code=1,
    )
    assert "1 of 2 segmented, 1 failed" in run.stdout
    assert "encoded; seconds:" in run.stdout
    assert "absent.nii.gz: cannot be read" in run.stderr
    record = json.loads((tmp_path / "run.json").read_text())
    good, bad = record["cases"]
    found = labels(tmp_path / "results" / "scan.nii.gz")
    assert good["names"] == ["liver"]
    assert good["voxels"] == [int(found.sum())]
    assert good["volumes_ml"] == [round(found.sum() * 1.2 * 1.0 * 1.4 / 1000, 4)]
    assert record["run"]["model"] == INFO.model
    assert record["run"]["default_model"] is False
    with open(tmp_path / "objects.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["liver", ""]
    assert rows[0]["voxels"] == str(good["voxels"][0])
    assert rows[1]["error"] == bad["error"]
    page = (tmp_path / "page.html").read_text()
    assert "liver" in page
    assert 'class="error"' in page
    assert "data:image/png;base64," in page
    assert "volume in ml" in page
    frames = Image.open(tmp_path / "results" / "scan.gif")
    assert frames.n_frames == 3


def test_flat_results_have_areas(infer, scans, tmp_path):
    infer(
        scans / "flat.npz",
        "--report",
        tmp_path / "run.json",
        "--csv",
        tmp_path / "a.csv",
        "--html",
        tmp_path / "a.html",
    )
    (case,) = json.loads((tmp_path / "run.json").read_text())["cases"]
    assert case["areas_mm2"] == [round(voxels * 3.0, 4) for voxels in case["voxels"]]
    assert case["volumes_ml"] == []
    assert "area in mm²" in (tmp_path / "a.html").read_text()
