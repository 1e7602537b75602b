"""Whole processes of ``litemedsam-infer``, and the same cases in a process that is warm."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import click
import numpy as np
from cases import StandardCase
from litemedsam.engine.case import checked_case
from litemedsam.engine.cli.main import main as infer
from litemedsam.engine.predictor import Predictor

# A small process between: the kernel counts towards a child what its parent held when it was started.
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
        The precision that was asked for, and the one that it was computed in.
    cold : float
        Seconds of a whole process, start to file written; compiled graphs were kept by an earlier one.
    warm : float or None
        Seconds of the case alone in a process that has segmented one before.
    stages : dict of str to float
        Of the cold process, after its imports. Where threads work ahead, a stage is the time spent waiting for it.
    peak_mb : float
        Greatest resident memory of the cold process, in megabytes.
    encoded : int
        How many images went through the encoder.
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
        """How many times as fast as the published pipeline, both cold."""
        return None if self.baseline is None else self.baseline / self.cold


def precisions_of_the_command() -> tuple[str, ...]:
    """What ``--precision`` takes."""
    (option,) = (parameter for parameter in infer.params if parameter.name == "precision")
    return tuple(option.type.choices)


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
    arrays = case.arrays()
    with tempfile.TemporaryDirectory() as name:
        path, report = Path(name) / "case.npz", Path(name) / "report.json"
        np.savez(path, **arrays)
        command = [sys.executable, "-m", "litemedsam", path, "-o", Path(name) / "out", "-q", "--report", report]
        command += ["--backend", backend, "--precision", precision, "--threads", str(threads)]
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
    predictor = Predictor(backend=backend, precision=precision, threads=threads)
    case = checked_case("case", arrays["imgs"], arrays["boxes"])
    # The same kind, so that the same graphs are loaded; as many objects as there are threads at least.
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
