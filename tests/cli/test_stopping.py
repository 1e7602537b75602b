"""A run that is told to stop."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_keeps_what_is_done_and_can_be_taken_up(tmp_path, number):
    pixels = np.random.default_rng(0).integers(0, 60, (40, 96, 96), np.uint8)
    pixels[:, 30:60, 30:60] += 150
    image = tmp_path / "1.npz"
    np.savez(image, imgs=pixels[0], boxes=np.array([[28, 28, 62, 62]]))
    np.savez(tmp_path / "2.npz", imgs=pixels, boxes=np.array([[28, 28, 1, 62, 62, 38]]))
    output = tmp_path / "results"
    command = [sys.executable, "-m", "litemedsam", "--threads", "1", "-o", output, image]
    run = subprocess.Popen([*command, tmp_path / "2.npz"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # The first case's line: the second, a long one, is under way.
    assert "1.npz: 1 object" in run.stdout.readline()
    run.send_signal(number)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert errors == f"Stopped by {number.name}\n"
    assert os.listdir(output) == ["1.npz"]
    if number == signal.SIGTERM:
        again = subprocess.run([*command, "--skip-existing"], capture_output=True, text=True)
        assert again.returncode == 0
        assert "skipped" in again.stdout
