"""A run stops on a signal."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_keeps_what_is_done_and_can_be_taken_up(untrained_bundle, tmp_path, number):
    pixels = np.random.default_rng(0).integers(0, 60, (120, 96, 96), np.uint8)
    pixels[:, 30:60, 30:60] += 150
    image = tmp_path / "1.npz"
    np.savez(image, imgs=pixels[0], boxes=np.array([[28, 28, 62, 62]]))
    long = tmp_path / "2.npz"
    np.savez(long, imgs=pixels, boxes=np.array([[28, 28, 1, 62, 62, 118]]))
    output, table, report = tmp_path / "results", tmp_path / "objects.csv", tmp_path / "run.json"
    command = [
        sys.executable, "-m", "litemedsam", "--threads", "1", "--model", untrained_bundle, "-o", output,
        "--csv", table, "--report", report,
    ]  # fmt: skip
    run = subprocess.Popen([*command, image, long], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # The first case's line: the second, a long one, is under way.
    assert "1.npz: 1 object" in run.stdout.readline()
    run.send_signal(number)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert errors == f"Stopped by {number.name}\n"
    assert os.listdir(output) == ["1.npz"]
    noted = table.read_text()
    assert [line.split(",")[0] for line in noted.splitlines()[1:]] == [str(image)]
    assert [case["case"] for case in json.loads(report.read_text())["cases"]] == [str(image)]
    if number == signal.SIGTERM:
        before = json.loads(report.read_text())["cases"]
        # The long case, made short, takes the run's second place.
        np.savez(long, imgs=pixels[0], boxes=np.array([[28, 28, 62, 62]]))
        again = subprocess.run([*command, image, long, "--skip-existing"], capture_output=True, text=True)
        assert again.returncode == 0
        assert "skipped" in again.stdout
        assert "1 of 1 segmented, 0 failed, 1 skipped" in again.stdout
        cases = json.loads(report.read_text())["cases"]
        assert cases[0] == before[0]
        assert [case["case"] for case in cases] == [str(image), str(long)]
        assert table.read_text().startswith(noted)
        assert len(table.read_text().splitlines()) == 3
