"""Means, areas, tables and files of clicks, against figures made by hand."""

import csv
import io
import json

import pytest
from litemedsam.evaluation.click_report import area, as_csv, as_json, as_table, group_means
from litemedsam.evaluation.evaluate import Failure
from litemedsam.evaluation.interaction import CaseCourses, Course

ONE = Course((0.5, 0.6, 0.8), (0.4, 0.5, 0.6), (0.01, 0.03))
TWO = Course((0.7, 0.8, 1.0), (0.6, 0.7, 1.0), (0.02, 0.05))
THREE = Course((0.1, 0.2, 0.3), (0.1, 0.1, 0.1), (0.5, 0.5))
RESULTS = [
    CaseCourses("a.npz", "CT", {1: ONE, 2: TWO}),
    CaseCourses("b.npz", "CT", {1: TWO}),
    CaseCourses("c.npz", "MR 3D", {3: THREE}),
]


def test_the_area_leaves_the_box_out():
    assert area((0.1, 1.0, 1.0, 1.0, 1.0, 1.0)) == 4
    assert area((0.9, 0.2, 0.4)) == pytest.approx(0.3)


def test_a_case_is_the_mean_over_its_objects_and_a_group_that_over_its_cases():
    means = group_means(RESULTS)
    assert list(means) == ["CT", "MR 3D"]
    assert means["CT"].dsc == pytest.approx(((0.6 + 0.7) / 2, (0.7 + 0.8) / 2, (0.9 + 1.0) / 2))
    assert means["MR 3D"].nsd == (0.1, 0.1, 0.1)


def test_the_table():
    lines = as_table(RESULTS).splitlines()
    assert lines[0].split() == ["DSC", "box", "click", "1", "click", "2", "area"]
    assert lines[1].split() == ["CT", "65.00", "75.00", "95.00", "0.8500"]
    assert lines[2].split() == ["MR", "3D", "10.00", "20.00", "30.00", "0.2500"]
    assert lines[3].split() == ["mean", "of", "images", "65.00", "75.00", "95.00", "0.8500"]
    assert lines[5].split() == ["macro", "mean", "37.50", "47.50", "62.50", "0.5500"]
    assert lines[-1] == "seconds per click, median: 0.040"


def test_rows():
    rows = list(csv.DictReader(io.StringIO(as_csv(RESULTS))))
    assert len(rows) == 12
    assert rows[0] == {
        "case": "a.npz", "group": "CT", "label": "1", "clicks": "0", "dsc": "0.5", "nsd": "0.4", "seconds": ""
    }  # fmt: skip
    assert rows[-1]["label"] == "3"
    assert rows[-1]["seconds"] == "0.5"


def test_everything_as_json():
    document = json.loads(as_json(RESULTS, [Failure("d.npz", "broken")], "1.2"))
    assert document["means"]["CT"]["dsc_area"] == pytest.approx(0.85)
    assert document["cases"][2]["objects"] == [
        {"label": 3, "dsc": [0.1, 0.2, 0.3], "nsd": [0.1, 0.1, 0.1], "seconds": [0.5, 0.5]}
    ]
    assert document["failures"] == [{"name": "d.npz", "message": "broken"}]
    assert json.loads(as_json([], [], "1"))["seconds_per_click"] is None
