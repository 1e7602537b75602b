"""Schedulers and workers as processes of their own, and cases that go wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from litemedsam.engine.objects.sources import StoredBoxes

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Unruly(StoredBoxes):
    """The boxes in a file, unless its name says that something happens: `deadly`, `once` or `slow`.

    Attributes
    ----------
    notes : Path
        A folder in which each such case leaves the number of its process.
    """

    notes: Path = Path()

    def objects(self, path, scan):
        """See `ObjectSource.objects`."""
        word = path.stem.split("-")[0]
        if word in ("deadly", "once", "slow"):
            first = not list(self.notes.glob(f"{path.stem}.*"))
            (self.notes / f"{path.stem}.{os.getpid()}").touch()
            if word == "deadly":
                os.kill(os.getpid(), signal.SIGKILL)
            if first or word == "slow":
                time.sleep(30 if word == "once" else 1)
        return super().objects(path, scan)


def wait_until(true, seconds=30.0):
    """Wait for something that becomes true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "has not happened"
        time.sleep(0.02)
    return found


def write_cases(folder: Path, names: Sequence[str], side: int = 60) -> list[Path]:
    """Write an image of noise with three boxes under each name; every fourth is a volume."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    paths = []
    for number, name in enumerate(names):
        paths.append(folder / f"{name}.npz")
        if number % 4 == 3:
            pixels, boxes = rng.integers(0, 255, (4, side, 50), np.uint8), [[2, 3, 1, 40, 50, 3]] * 2
        else:
            pixels, boxes = rng.integers(0, 255, (side, 50), np.uint8), [[2, 3, 40, 50]] * 3
        np.savez(paths[-1], imgs=pixels, boxes=boxes)
    return paths


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Machines:
    """A scheduler and workers, as processes; ended with the block.

    Parameters
    ----------
    folder : Path
        For their output and the workers' own files.
    prefixes : sequence of sequence of str
        Put before the commands of the scheduler and of each worker, such as ``ip netns exec NAME``.
    host : str
        The scheduler's address.
    options : sequence of str
        Of scheduler and workers, such as for TLS.
    """

    def __init__(self, folder: Path, prefixes=((),), host="127.0.0.1", options=(), environment=None):
        self.folder, self.prefixes, self.host, self.options = folder, prefixes, host, options
        self.environment = {**os.environ, "PYTHONPATH": str(TESTS), **(environment or {})}
        self.port = 0
        self.processes: list[subprocess.Popen] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def address(self):
        """Of the scheduler."""
        return f"{'tls' if self.options else 'tcp'}://{self.host}:{self.port}"

    def _start(self, name, prefix, command, arguments):
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", f"distributed.cli.{command}", *map(str, arguments), *self.options],
            stdout=log, stderr=log, env=self.environment, start_new_session=True, cwd=self.folder,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def scheduler(self, prefix=()):
        """Start the scheduler; again at the same port."""
        protocol = ["--protocol", "tls"] if self.options else []
        process = self._start(
            "scheduler",
            prefix,
            "dask_scheduler",
            ["--host", self.host, "--port", self.port, "--no-dashboard", *protocol],
        )
        log = self.folder / "scheduler.log"
        before = log.read_text().count("Scheduler at:") if self.port else 0

        def port():
            lines = [line for line in log.read_text().splitlines() if "Scheduler at:" in line]
            return int(lines[-1].rsplit(":", 1)[1]) if len(lines) > before else 0

        self.port = wait_until(port)
        return process

    def worker(self, name="worker", prefix=(), options=()):
        """Start a worker, with a process that starts it again when it dies."""
        arguments = [
            self.address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--local-directory",
            self.folder / name,
            *options,
        ]
        return self._start(name, prefix, "dask_worker", arguments)
