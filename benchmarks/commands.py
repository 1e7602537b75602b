"""Runs the installed commands as a user does."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from litemedsam import LiteMedSamError
from litemedsam.inputs import InputFiles


def segment(cases: Path, results: Path, *options: str) -> None:
    """Run ``litemedsam-infer`` over a folder of cases; end this process if a case fails."""
    _run("litemedsam-infer", "-i", str(cases), "-o", str(results), *options)


def evaluate(masks: Path, truths: Path, json_path: Path, *options: str) -> None:
    """Run ``litemedsam-eval`` over a folder of results; end this process if a case fails."""
    _run("litemedsam-eval", "-s", str(masks), "-g", str(truths), "--json", str(json_path), *options)


def refuse_inputs(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write onto a file that a benchmark reads; ends this process in one line."""
    try:
        InputFiles(inputs).refuse(output, "choose another file")
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error


def _run(command: str, *arguments: str) -> None:
    done = subprocess.run([Path(sys.executable).with_name(command), *arguments], stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)
