"""Runs that are taken up again."""

import pytest
from example_run_info import INFO
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.reporting.tables import write_report, write_table
from litemedsam.engine.running.resume import read_report, read_run, read_table, with_earlier
from sample_reports import FAILED, IMAGE, PATHS, VOLUME

from litemedsam import LiteMedSamError


def test_notes_of_an_earlier_run_are_read_back(tmp_path):
    write_report(tmp_path / "run.json", INFO, [VOLUME, FAILED, IMAGE])
    assert read_report(tmp_path / "run.json") == [VOLUME, FAILED, IMAGE]
    write_table(tmp_path / "run.csv", [VOLUME, FAILED, IMAGE])
    write_table(tmp_path / "again.csv", read_table(tmp_path / "run.csv"))
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "run.csv").read_bytes()
    assert read_report(tmp_path / "absent") == read_table(tmp_path / "absent") == []

    new = CaseReport(case="in/broken.png", output="out/broken.png")
    assert with_earlier(PATHS, [new], [VOLUME, FAILED, IMAGE]) == [VOLUME, new, IMAGE]
    assert with_earlier(PATHS, [], [FAILED, IMAGE]) == [IMAGE]

    for name, content, read in (
        ("a.json", "[]", read_report),
        ("b.json", '{"cases": 3}', read_report),
        ("c.json", "{", read_report),
        ("a.csv", "x,y\n1,2\n", read_table),
        ("b.csv", (tmp_path / "run.csv").read_text().replace("0.875", "high"), read_table),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(LiteMedSamError, match=f"{name}: exists and is no"):
            read(tmp_path / name)


def test_a_report_that_is_absent_has_no_settings(tmp_path):
    assert read_run(tmp_path / "absent.json") is None
