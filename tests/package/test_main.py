"""``python -m litemedsam`` is the command of inference."""

import subprocess
import sys

from litemedsam import __version__


def test_the_module_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "litemedsam", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"litemedsam-infer, version {__version__}\n"
    usage = subprocess.run([sys.executable, "-m", "litemedsam"], capture_output=True, text=True, check=False)
    assert usage.returncode == 2
    assert "Usage: " in usage.stderr
