"""The installed commands, run as a user runs them."""

import subprocess
import sys
from pathlib import Path


def segment(cases: Path, results: Path, *options: str) -> None:
    """Run ``litemedsam-infer`` over a folder of cases; ends this process where a case failed."""
    _run("litemedsam-infer", "-i", str(cases), "-o", str(results), *options)


def evaluate(masks: Path, truths: Path, json_path: Path, *options: str) -> None:
    """Run ``litemedsam-eval`` over a folder of results; ends this process where a case failed."""
    _run("litemedsam-eval", "-s", str(masks), "-g", str(truths), "--json", str(json_path), *options)


def _run(command: str, *arguments: str) -> None:
    done = subprocess.run([Path(sys.executable).with_name(command), *arguments], stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)
