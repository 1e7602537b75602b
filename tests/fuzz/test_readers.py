"""Damaged and malicious files end in a result or a refusal, in bounded time and memory."""

import subprocess
import sys
from pathlib import Path

import pytest
from readers import READERS

HERE = Path(__file__).resolve().parent
# Damaged copies per reader; those whose reading takes longest are fewest.
COUNTS = {
    "npz": 600,
    "nifti": 300,
    "dicom": 200,
    "picture": 500,
    "boxes": 400,
    "metadata": 300,
    "bundle": 30,
    "checkpoint": 100,
}


def survive(reader: str, *arguments: object) -> str:
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, HERE / "survive.py", reader, *arguments]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    return run.stdout


@pytest.mark.parametrize("reader", READERS)
def test_the_corpus_and_what_is_made_of_it(reader):
    corpus = sorted((HERE / "corpus" / reader).iterdir())
    told = survive(reader, *corpus, "--damaged", COUNTS[reader])
    inputs, refusals = int(told.split()[0]), int(told.split()[2])
    assert inputs == len(corpus) + COUNTS[reader]
    # Not everything is refused, nor everything taken.
    assert refusals > 0


def test_at_least_two_thousand_inputs():
    assert sum(COUNTS.values()) + sum(path.is_file() for path in (HERE / "corpus").rglob("*")) >= 2000
