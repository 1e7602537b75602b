"""Runs the training room's tests in a process of their own.

PyTorch's training in bfloat16 and OpenVINO in one process end in a segmentation fault; no command of the package
does both.
"""

import subprocess
import sys

from places import ROOT


def test_the_training_room_passes():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/training"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
