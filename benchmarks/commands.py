"""Runs the installed commands as a user does."""

import subprocess
import sys
from pathlib import Path


def segment(cases: Path, results: Path, *options: str) -> None:
    """Run ``litemedsam-infer`` over a folder of cases; end this process if a case fails."""
    _run("litemedsam-infer", "-i", str(cases), "-o", str(results), *options)


def evaluate(masks: Path, truths: Path, json_path: Path, *options: str) -> None:
    """Run ``litemedsam-eval`` over a folder of results; end this process if a case fails."""
    _run("litemedsam-eval", "-s", str(masks), "-g", str(truths), "--json", str(json_path), *options)


def _run(command: str, *arguments: str) -> None:
    done = subprocess.run([Path(sys.executable).with_name(command), *arguments], stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)
