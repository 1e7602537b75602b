"""One run over many cases: its bar, its failures."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import numpy as np
import pytest
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.running.executor import Local
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Bar, Lines, reporter
from litemedsam.engine.running.run import run

from litemedsam import LiteMedSamError, Predictor


def test_a_terminal_gets_a_bar(tiny_bundle, scans, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    tell = reporter(verbose=True, quiet=False)
    assert isinstance(tell, Bar)
    paths = [scans / "flat.npz", scans / "volume.npz"]
    reports = run(Local(Predictor(tiny_bundle, threads=1)), paths, Options(tmp_path), tell)
    assert not any(report.error for report in reports)
    out, errors = capsys.readouterr()
    assert "flat.npz: 2 objects in" in out
    assert "1 of 2, flat.npz" in errors
    assert " left" in errors
    assert isinstance(reporter(verbose=True, quiet=True), Lines)


def test_too_little_memory_is_a_failed_case(tiny_bundle, scans, tmp_path, monkeypatch, capsys):
    predictor = Predictor(tiny_bundle, threads=1)

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(predictor, "segment_case", no_memory)
    (report,) = run(Local(predictor), [scans / "flat.npz"], Options(tmp_path), Lines(False, False))
    assert report.error == f"{scans / 'flat.npz'}: not enough memory for this case"
    assert report == CaseReport(case=str(scans / "flat.npz"), error=report.error)
    assert "not enough memory" in capsys.readouterr().err


def on_a_terminal(*command):
    """Exit code and output of a command whose streams are a terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(list(map(str, command)), stdout=follower, stderr=follower, close_fds=True)
    os.close(follower)
    parts = []
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(leader)
    return process.wait(), b"".join(parts).decode()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_terminal_shows_one_bar_with_the_time_left(untrained_bundle, tmp_path, workers):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48), np.uint8)
    for name in "abcd":
        np.savez(tmp_path / f"{name}.npz", imgs=pixels, boxes=[[9, 13, 29, 30]])
    (tmp_path / "b.npz").write_bytes(b"PK")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "d.npz").touch()
    code, text = on_a_terminal(
        sys.executable, "-m", "litemedsam", "-i", tmp_path, "-o", tmp_path / "out", "--model", untrained_bundle,
        "--threads", "1", "--workers", workers, "--skip-existing", "--report", tmp_path / "run.json",
    )  # fmt: skip
    assert code == 1
    assert "0 % |" in text
    assert "0 of 3" in text
    assert re.search(r"\d+ % \|.*2 of 3.*, \d\d:\d\d left", text)
    assert f"Error: {tmp_path}/b.npz" in text
    assert "2 of 3 segmented, 1 failed, 1 skipped" in text
    assert re.search(r"d\.npz +skipped", text)
    assert len(json.loads((tmp_path / "run.json").read_text())["cases"]) == 3


def test_a_file_name_that_is_not_utf8_goes_into_every_record(infer, scans, tmp_path):
    odd = os.fsdecode(b"caf\xe9.npz")
    (tmp_path / "in").mkdir()
    for name in (odd, "b.npz"):
        (tmp_path / "in" / name).write_bytes((scans / "flat.npz").read_bytes())
    (tmp_path / "in" / os.fsdecode(b"\xff.npz")).write_bytes(b"damaged")
    records = ("--report", tmp_path / "r.json", "--csv", tmp_path / "r.csv", "--html", tmp_path / "r.html")
    run = infer("-i", tmp_path / "in", *records, code=1)
    assert r"caf\xe9.npz: 2 objects" in run.stdout
    assert r"in/\xff.npz: not an npz file" in run.stderr
    assert (tmp_path / "results" / odd).is_file()
    assert (tmp_path / "results" / "b.npz").is_file()
    cases = json.loads((tmp_path / "r.json").read_text())["cases"]
    assert [case["case"].rpartition("/")[2] for case in cases] == ["b.npz", r"caf\xe9.npz", r"\xff.npz"]
    for name in ("r.csv", "r.html"):
        assert r"caf\xe9.npz" in (tmp_path / name).read_text()
    assert (tmp_path / "r.html").read_text().count("data:image/png") == 2
    # The run is continued: what was recorded of finished cases is kept.
    infer("-i", tmp_path / "in", *records, "--skip-existing", code=1)
    again = json.loads((tmp_path / "r.json").read_text())["cases"]
    assert [case["case"] for case in again] == [case["case"] for case in cases]


def test_a_record_that_cannot_be_written_meanwhile_does_not_end_the_run(infer, scans, tmp_path, monkeypatch):
    from litemedsam.engine.reporting import tables

    calls = []

    def write_report(*_):
        calls.append(None)
        if len(calls) == 2:
            raise LiteMedSamError("the disk is full")

    monkeypatch.setattr(tables, "write_report", write_report)
    monkeypatch.setattr("litemedsam.engine.running.reporters._PAUSE", 0)
    infer(scans / "flat.npz", scans / "volume.npz", "--report", tmp_path / "r.json")
    assert len(calls) >= 3
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["flat.npz", "volume.npz"]
