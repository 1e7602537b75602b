"""What is told of a run on a cluster."""

import re
import time
from pathlib import Path

import pytest
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.running import reporters
from litemedsam.engine.running.reporters import Bar, Lines, Pace, Record


def test_pace(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(reporters, "perf_counter", lambda: now[0])
    pace = Pace(200)
    assert pace.text() == "0 of 200"
    pace.workers = 1
    assert pace.text() == "0 of 200, 1 worker"
    now[0] += 90
    pace.done, pace.workers = 10, 3
    assert pace.text() == "10 of 200, 3 workers, 400 cases/h, 28:30 left"
    assert pace.text(left=False) == "10 of 200, 3 workers, 400 cases/h"
    assert pace.due()
    assert not pace.due()
    now[0] += 7110
    pace.done = 100
    assert pace.text() == "100 of 200, 3 workers, 50 cases/h, 2:00:00 left"


def test_lines_tell_of_workers_and_once_a_minute_of_the_pace(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(reporters, "perf_counter", lambda: now[0])
    told = Record(Lines(False, False), lambda reports: None)
    told.started(3)
    told.workers(2)
    told.remark("left out: a worker")
    for name in ("a", "b"):
        now[0] += 61
        told.finished(CaseReport(case=name, error=f"{name}: bad"))
    assert capsys.readouterr().out.splitlines() == [
        "0 of 3, 2 workers",
        "Note: left out: a worker",
        "1 of 3, 2 workers, 59 cases/h, 2:02 left",
        "2 of 3, 2 workers, 59 cases/h, 1:01 left",
    ]


def test_quiet_lines_tell_errors_only(capsys):
    tell = Lines(False, True)
    tell.started(1)
    tell.workers(2)
    tell.remark("something")
    tell.finished(CaseReport(case="a", error="a: bad"))
    out, errors = capsys.readouterr()
    assert (out, errors) == ("", "Error: a: bad\n")


def test_the_bar_shows_the_workers(capsys):
    bar = Bar(False, False)
    bar.started(2)
    bar.workers(2)
    # A terminal is not drawn on more than ten times a second.
    time.sleep(0.15)
    bar.finished(CaseReport(case="a", error="a: bad"))
    shown = capsys.readouterr().err
    assert "0 of 2, 2 workers" in shown
    assert re.search(r"1 of 2, 2 workers, \d+ cases/h", shown)
    bar.finished(CaseReport(case="b", error="b: bad"))


@pytest.mark.parametrize("quiet", [True, False])
def test_a_skipped_case_is_told_unless_quiet(capsys, quiet):
    Lines(False, quiet).skipped(Path("a.png"))
    assert capsys.readouterr().out == ("" if quiet else "a.png: skipped, its result exists\n")
