"""Many cases: the summary, the bar, and runs that are taken up again."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.reporting.case_report import CaseReport, write_report, write_table
from litemedsam.engine.reporting.summary import summary
from litemedsam.engine.running.resume import read_report, read_table, with_earlier

from litemedsam import LiteMedSamError

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


def test_notes_of_an_earlier_run_are_read_back(tmp_path):
    write_report(tmp_path / "run.json", {"seed": 0}, [VOLUME, FAILED, IMAGE])
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


def on_a_terminal(*command):
    """Exit code and output of a command whose streams are a terminal."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    run = subprocess.Popen(list(map(str, command)), stdout=follower, stderr=follower, close_fds=True)
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
    return run.wait(), b"".join(parts).decode()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_terminal_shows_one_bar_with_the_time_left(small_bundle, tmp_path, workers):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48), np.uint8)
    for name in "abcd":
        np.savez(tmp_path / f"{name}.npz", imgs=pixels, boxes=[[9, 13, 29, 30]])
    (tmp_path / "b.npz").write_bytes(b"PK")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "d.npz").touch()
    code, text = on_a_terminal(
        sys.executable, "-m", "litemedsam", "-i", tmp_path, "-o", tmp_path / "out", "--model", small_bundle,
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
