"""Runs `survive.py` in its own process with limited time and memory."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def survive(reader: str, *arguments: object) -> str:
    """Have a reader read files; returns what was printed."""
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, HERE / "survive.py", reader, *arguments]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    return run.stdout
