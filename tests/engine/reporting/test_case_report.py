"""The report and the table of a run."""

import csv
import json

from PIL import Image
from sample_scans import labels
from tiny_bundle import INFO


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
