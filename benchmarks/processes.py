"""Times whole processes of ``litemedsam-infer``, and the same cases in a warm process."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import click
import numpy as np
from cases import StandardCase
from litemedsam.engine.case import checked_case
from litemedsam.engine.cli.main import main as infer
from litemedsam.engine.predictor import Predictor

# A small process in between, because the kernel counts the parent's memory at the start towards the child.
# The network that the published script runs.
MODEL = "swin-litemedsam"
_TIMED = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:]).returncode
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000)
sys.exit(code)
"""


@dataclass(frozen=True)
class Timing:
    """One case in one setting.

    Attributes
    ----------
    case, backend : str
    asked, precision : str
        The requested precision and the computed precision.
    cold : float
        Seconds of a whole process, from its start until the file is written; an earlier process stored compiled graphs.
    warm : float or None
        Seconds of the case alone, in a process that has segmented another case before.
    stages : dict of str to float
        Seconds of the cold process, after its imports. If threads work ahead, a stage counts the time spent waiting.
    peak_mb : float
        Greatest resident memory of the cold process, in megabytes.
    encoded : int
        Number of images that went through the encoder.
    baseline : float or None
        Seconds of the published pipeline for the case, with its start-up.
    """

    case: str
    backend: str
    asked: str
    precision: str
    cold: float
    warm: float | None
    stages: dict[str, float]
    peak_mb: float
    encoded: int
    baseline: float | None

    @property
    def ratio(self) -> float | None:
        """Speed relative to the published pipeline, both cold."""
        return None if self.baseline is None else self.baseline / self.cold


def precisions_of_the_command() -> tuple[str, ...]:
    """The values of ``--precision``."""
    (kind,) = (parameter.type for parameter in infer.params if parameter.name == "precision")
    return tuple(cast(click.Choice, kind).choices)


def time_process(
    case: StandardCase, backend: str, precision: str, threads: int, warm: bool, baseline: float | None = None
) -> Timing:
    """Time a case.

    Parameters
    ----------
    case : StandardCase
    backend, precision : str
    threads : int
    warm : bool
        Whether to time it in a warm process as well.
    baseline : float, optional
        See `Timing`.
    """
    arrays: dict[str, Any] = case.arrays()
    with tempfile.TemporaryDirectory() as name:
        path, report = Path(name) / "case.npz", Path(name) / "report.json"
        np.savez(path, **arrays)
        command = [sys.executable, "-m", "litemedsam", path, "-o", Path(name) / "out", "-q", "--report", report]
        command += ["--model", MODEL, "--backend", backend, "--precision", precision, "--threads", str(threads)]
        timed = [sys.executable, "-ISc", _TIMED, *(str(part) for part in command)]
        done = subprocess.run(timed, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise click.ClickException(f"litemedsam-infer failed on {case.name}")
        cold, peak = (float(word) for word in done.stdout.split())
        written = json.loads(report.read_text())
    (entry,) = written["cases"]
    stages = entry["seconds"]
    del stages["total"]
    seconds = _warm_seconds(arrays, backend, precision, threads) if warm else None
    computed = written["run"]["precision"]
    return Timing(case.name, backend, precision, computed, cold, seconds, stages, peak, entry["encoded"], baseline)


def _warm_seconds(arrays: dict[str, np.ndarray], backend: str, precision: str, threads: int) -> float:
    predictor = Predictor(MODEL, backend=backend, precision=precision, threads=threads)
    case = checked_case("case", arrays["imgs"], arrays["boxes"])
    # The same kind of case and at least as many objects as threads, so that the same graphs load.
    small, boxes = case.pixels[:1], case.boxes[: 2 * threads].copy()
    if case.is_volume:
        boxes[:, [2, 5]] = 0
        predictor.segment(small, boxes)
    else:
        predictor.segment(case.pixels, boxes)
    start = perf_counter()
    predictor.segment_case(case)
    seconds = perf_counter() - start
    predictor.close()
    return seconds
