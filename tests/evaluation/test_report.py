"""Means over groups, and the same figures as a table, as rows and as JSON."""

import csv
import json
import math

import pytest
from litemedsam.evaluation.evaluate import CaseResult, Failure
from litemedsam.evaluation.figures import CaseFigures, ObjectFigures
from litemedsam.evaluation.report import as_csv, as_json, as_table, summarise

NAN = math.nan
SPACING = (1.0, 1.0, 2.0)


def result(name, group, challenge, corrected):
    """A case whose figures, in both sets, are DSC and NSD of each object by label, and their means."""

    def figures(objects):
        made = tuple(ObjectFigures(label, *numbers) for label, numbers in objects.items())
        return CaseFigures(*(sum(each[k] for each in objects.values()) / len(objects) for k in (0, 1)), made)

    volume = group.endswith("3D")
    found = {"masks": {"challenge": figures(challenge), "corrected": figures(corrected)}}
    return CaseResult(name, group, (4, 5, 6) if volume else (5, 6), len(corrected), SPACING if volume else None, found)


RESULTS = [
    result("a.npz", "US", {1: (0.5, 0.25)}, {1: (0.5, 0.25)}),
    result("b.npz", "CT", {1: (1.0, 1.0)}, {1: (1.0, 1.0)}),
    result("c.npz", "CT", {1: (NAN, 0.0), 2: (0.5, 0.5)}, {2: (0.5, 0.5)}),
    result("d.npz", "CT 3D", {3: (0.25, 0.75)}, {3: (0.25, 0.75)}),
]


def test_means_are_over_cases_then_over_groups():
    found = summarise(RESULTS)
    assert list(found.cases.items()) == [("CT", 2), ("US", 1), ("CT 3D", 1)]
    assert found.objects == {"CT": 2, "US": 1, "CT 3D": 1}
    corrected, challenge = (found.groups["masks"][which] for which in ("corrected", "challenge"))
    assert (corrected["CT"].dsc, corrected["CT"].nsd, corrected["CT"].undefined) == (0.75, 0.75, 0)
    # A DSC that is undefined is left out of the mean, and counted.
    assert (challenge["CT"].dsc, challenge["CT"].undefined) == (1.0, 1)
    assert found.macro["masks"]["corrected"].dsc == pytest.approx((0.75 + 0.5 + 0.25) / 3)


def test_nothing_has_no_means():
    found = summarise([])
    assert (found.cases, found.groups, found.macro) == ({}, {}, {})


def test_the_table_says_what_is_undefined():
    lines = as_table(summarise(RESULTS)).splitlines()
    assert lines[1].split() == ["group", "cases", "objects", "method", "DSC", "NSD", "DSC", "NSD"]
    assert [line.split()[0] for line in lines[2:5]] == ["CT", "US", "CT"]
    assert lines[-2].startswith("macro mean")
    assert lines[-1] == "1 figures are undefined (NaN) and left out of the means of DSC"


def test_rows_are_empty_where_a_set_does_not_count_an_object():
    rows = list(csv.DictReader(as_csv(RESULTS).splitlines()))
    assert [(row["case"], row["label"]) for row in rows][2:4] == [("c.npz", "1"), ("c.npz", "2")]
    assert (rows[2]["challenge_dsc"], rows[2]["corrected_dsc"]) == ("nan", "")
    assert float(rows[3]["corrected_nsd"]) == 0.5
    assert as_csv([]) == "case,group,method,label\n"


def test_json_has_null_for_what_is_undefined():
    document = json.loads(as_json(summarise(RESULTS), RESULTS, [Failure("e.npz", "broken")], "1.2"))
    assert document["version"] == "1.2"
    assert document["failures"] == [{"name": "e.npz", "message": "broken"}]
    case = document["cases"][2]
    assert case["figures"]["masks"]["challenge"]["objects"][0]["dsc"] is None
    assert case["spacing"] is None
    assert document["cases"][3]["spacing"] == list(SPACING)
    assert document["groups"]["CT"] == {"cases": 2, "objects": 2}
