"""The summary of a run."""

from pathlib import Path

from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.reporting.summary import summary
from sample_reports import FAILED, IMAGE, PATHS, VOLUME


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
