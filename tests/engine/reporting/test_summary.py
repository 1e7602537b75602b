"""The summary of a run."""

from pathlib import Path

from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.reporting.summary import summary

VOLUME = CaseReport(
    case="in/a/scan.nii.gz", output="out/a.nii.gz", shape=[3, 4, 5], objects=2, encoded=3,
    scores=[0.5, 0.75], voxels=[10, 20], names=["liver", "left, kidney"], volumes_ml=[1.5, 2.25],
    boxes=[[0, 1, 0, 2, 3, 1], [1, 1, 0, 2, 3, 2.0]], notes=["a note"], seconds={"total": 2.5},
)  # fmt: skip
IMAGE = CaseReport(
    case="in/photo.png", output="out/photo.png", shape=[4, 5], objects=1, encoded=1, scores=[0.875], voxels=[7],
    names=[""], boxes=[[0, 0, 2.5, 3]], seconds={"total": 0.25},
)  # fmt: skip
FAILED = CaseReport(case="in/broken.png", error="in/broken.png: not a picture")
PATHS = [Path(name) for name in ("in/a/scan.nii.gz", "in/broken.png", "in/photo.png", "in/z.png")]


def test_the_summary_is_a_table():
    lines = summary(PATHS, [VOLUME, FAILED, IMAGE], [PATHS[3]]).splitlines()
    assert lines == [
        "case           objects     size   IoU  seconds",
        "a/scan.nii.gz        2  3.75 ml  0.62     2.50",
        "broken.png      failed",
        "photo.png            1     7 px  0.88     0.25",
        "z.png          skipped",
        "2 of 3 segmented, 1 failed, 1 skipped",
        "  in/broken.png",
    ]


def test_the_summary_of_very_many_cases_is_short():
    paths = [Path(f"{k}.png") for k in range(100)]
    assert summary(paths, [CaseReport(case=str(path), error="x") for path in paths[:1]], paths[1:]).splitlines() == [
        "0 of 1 segmented, 1 failed, 99 skipped",
        "  0.png",
    ]
