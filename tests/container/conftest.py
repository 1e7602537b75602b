"""A Docker daemon, the project's image in it, and small cases."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from places import ROOT, SHARED

# Starts a daemon around a command; a daemon that answers by itself is used where this is absent.
WRAPPER = Path(os.environ.get("LITEMEDSAM_WITH_DOCKER", SHARED / "docker" / "with-docker.sh"))
NO_DAEMON = 77
IMAGE = "litemedsam:test"
BASE_IMAGE = "python:3.11-slim"
CHALLENGE_CALL = ("/bin/bash", "-c", "sh predict.sh")
OPTIONS_CALL = ("-i", "inputs", "-o", "outputs")
HARDENED = (
    *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--user", "12345:12345"),
)


@dataclass(frozen=True)
class Docker:
    """A client whose environment names a daemon."""

    environment: dict[str, str]

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess:
        """Run `docker` with arguments; text output is kept, and no exit code raises."""
        program = shutil.which("docker", path=self.environment["PATH"])
        return subprocess.run([program, *arguments], env=self.environment, capture_output=True, text=True)

    def segment(self, folders: Folders, call: tuple[str, ...], *flags: str) -> subprocess.CompletedProcess:
        """Run a call of the image, offline, on mounted folders."""
        return self("run", "--rm", "--network", "none", *folders.mounts, *flags, IMAGE, *call)


@dataclass(frozen=True)
class Folders:
    """What is mounted: cases, and a place for results that every user may write to."""

    inputs: Path
    outputs: Path

    @classmethod
    def under(cls, parent: Path, **cases: dict[str, np.ndarray]) -> Folders:
        """Make both, with cases by name."""
        folders = cls(parent / "inputs", parent / "outputs")
        folders.inputs.mkdir(parents=True)
        folders.outputs.mkdir()
        folders.outputs.chmod(0o777)
        for name, arrays in cases.items():
            np.savez_compressed(folders.inputs / f"{name}.npz", **arrays)
        return folders

    @property
    def mounts(self) -> tuple[str, ...]:
        """Flags of docker run, as the challenge gives them."""
        return "-v", f"{self.inputs}:/workspace/inputs/", "-v", f"{self.outputs}:/workspace/outputs/"

    def results(self) -> dict[str, np.ndarray]:
        """Label maps by file name; nothing else may lie there."""
        found = {}
        for path in sorted(self.outputs.iterdir()):
            with np.load(path) as file:
                found[path.name] = file["segs"]
        return found


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """A daemon that answers; skips where none can be had."""
    if not WRAPPER.is_file():
        if shutil.which("docker") is None or subprocess.run(["docker", "version"], capture_output=True).returncode:
            pytest.skip("NO CONTAINER TESTS: no Docker daemon answers")
        yield Docker(dict(os.environ))
        return
    # Tells its environment, then keeps the daemon until its input ends.
    held = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [WRAPPER, sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            if status == NO_DAEMON:
                pytest.skip(f"NO CONTAINER TESTS: {WRAPPER.name} could not start a Docker daemon")
            pytest.fail(f"{WRAPPER} ended with {status}")
        yield Docker(json.loads(line))
    finally:
        process.stdin.close()
        process.wait()


@pytest.fixture(scope="session")
def image(docker: Docker) -> str:
    """The name of the project's image, built from the Dockerfile."""
    built = docker("build", "--tag", IMAGE, ROOT)
    assert built.returncode == 0, built.stderr[-3000:]
    return IMAGE


def picture(height: int, width: int, boxes: np.ndarray, channels: int | None = None) -> dict[str, np.ndarray]:
    """An image with a bright ellipse in every box (x_min, y_min, x_max, y_max)."""
    shape = (height, width) if channels is None else (height, width, channels)
    pixels = np.random.default_rng(height).integers(20, 60, shape, np.uint8)
    for x_min, y_min, x_max, y_max in boxes:
        rows, columns = np.mgrid[y_min : y_max + 1, x_min : x_max + 1]
        centre, radii = ((y_min + y_max) / 2, (x_min + x_max) / 2), ((y_max - y_min) / 2, (x_max - x_min) / 2)
        inside = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 <= 0.8
        pixels[y_min : y_max + 1, x_min : x_max + 1][inside] += 120
    return {"imgs": pixels, "boxes": np.array(boxes)}


def volume(depth: int, height: int, width: int, boxes: list[tuple[int, ...]]) -> dict[str, np.ndarray]:
    """A volume of `picture` slices; boxes are x_min, y_min, z_min, x_max, y_max, z_max."""
    background = picture(height, width, [])["imgs"]
    pixels = np.repeat(background[None], depth, axis=0)
    for z in range(depth):
        flat = [(b[0], b[1], b[3], b[4]) for b in boxes if b[2] <= z <= b[5]]
        if flat:
            pixels[z] = picture(height, width, flat)["imgs"]
    return {"imgs": pixels, "boxes": np.array(boxes), "spacing": np.array([1.0, 1.0, 2.0])}
