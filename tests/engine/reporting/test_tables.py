"""A run as JSON and as CSV: one line per object, one per failure, text that any reader takes."""

import csv
import json

from example_run_info import INFO
from litemedsam.engine.reporting.tables import write_report, write_table
from sample_reports import FAILED, IMAGE, VOLUME

REPORTS = [VOLUME, FAILED, IMAGE]


def test_the_report_holds_the_run_and_its_cases(tmp_path):
    write_report(tmp_path / "run.json", INFO, REPORTS)
    content = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert content["run"]["backend"] == INFO.backend
    assert [case["case"] for case in content["cases"]] == [case.case for case in REPORTS]


def test_the_table_has_a_line_for_each_object_and_for_each_failure(tmp_path):
    write_table(tmp_path / "run.csv", REPORTS)
    with (tmp_path / "run.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(case.objects or bool(case.error) for case in REPORTS)
    for case in REPORTS:
        own = [row for row in rows if row["case"] == case.case]
        if case.error:
            assert [row["error"] for row in own] == [case.error]
        else:
            assert [row["name"] for row in own] == list(case.names)
            assert [float(row["score"]) for row in own] == [float(score) for score in case.scores]
