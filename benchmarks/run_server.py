"""Times what a user of `litemedsam-serve` waits for.

    python benchmarks/run_server.py

Starts the server with the default model over made scans, and measures by its API, over one connection: start until the
page is there; a drawn box until its mask's picture has come, on a slice that is encoded and on one that is not, beside
the engine's own encoding and decoding; slices per second of a volume of 512 × 512 × 300; memory of three volumes. With
--screen, it also draws on the page in Chromium: from the release of the button until the mask is on screen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import IO, Any, cast

import click
import nibabel
import numpy as np
from litemedsam.engine.predictor import Predictor
from page import opened_page, seconds_to_mask

TOKEN = "a-token-for-the-benchmark"
SIDE, SLICES = 512, 300
# What a quick hand takes for a box.
_DRAG_SECONDS = 0.4


def volume(depth: int) -> np.ndarray:
    """A bright ball in noise, int16 (depth, 512, 512) in Hounsfield units."""
    z, y, x = np.ogrid[:depth, :SIDE, :SIDE]
    ball = ((z - depth / 2) / (depth / 3)) ** 2 + ((y - 250) / 90) ** 2 + ((x - 260) / 90) ** 2 <= 1
    noise = np.random.default_rng(0).normal(-50, 30, (1, SIDE, SIDE))
    return (noise + 150 * ball).astype(np.int16)


def write(path: Path, depth: int) -> None:
    """A NIfTI file of such a volume."""
    nibabel.Nifti1Image(volume(depth).transpose(), np.diag([-0.8, -0.8, 2, 1])).to_filename(path)


class Server:
    """A server in a process of its own, and a connection to it."""

    def __init__(self, folder: Path, threads: int | None):
        command = [sys.executable, "-c", "from litemedsam.server.cli import command; command()", str(folder)]
        command += ["--port", "0", "--no-browser", "--token", TOKEN, *(["--threads", str(threads)] if threads else [])]
        start = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.page = cast(IO[str], self.process.stdout).readline().split()[1]
        self.connection = HTTPConnection(self.page.split("/")[2])
        self.call("GET", "/")
        self.seconds_to_page = time.perf_counter() - start

    def call(self, method: str, path: str, content: Any = None) -> bytes:
        """The body of an answer."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.connection.request(method, path, None if content is None else json.dumps(content), headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {body[:200]!r}")
        return body

    def open(self, name: str) -> str:
        """The address of a session of a file."""
        files = json.loads(self.call("GET", "/api/files"))["files"]
        key = next(file["id"] for file in files if file["name"] == name)
        return f"/api/sessions/{json.loads(self.call('POST', '/api/sessions', {'file': key}))['id']}"

    def drawn(self, session: str, box: list[int]) -> float:
        """Seconds from a drawn box to the picture of its mask."""
        start = time.perf_counter()
        self.call("POST", f"{session}/objects", {"box": box})
        while any(each["pending"] for each in json.loads(self.call("GET", f"{session}/state"))["objects"]):
            time.sleep(0.003)
        self.call("GET", f"{session}/masks/axial/{box[2]}?outline=0")
        return time.perf_counter() - start

    def memory(self) -> float:
        """Largest resident memory so far, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1000

    def close(self) -> None:
        """End the server."""
        self.connection.close()
        self.process.terminate()
        self.process.wait()


def timed(action: Callable[[], object]) -> float:
    """Seconds that something takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def measured_drawing(server: Server, threads: int | None) -> None:
    """Boxes on new and on encoded slices, in turns with the engine's own times."""
    session = server.open("small.nii.gz")
    pixels = np.clip(volume(24) + 160, 0, 255).astype(np.uint8)
    rows = []
    with Predictor(threads=threads) as predictor:
        # The first slice warms both up.
        for k in range(12):
            new, again = [200, 190, k, 320, 310, k], [190, 195, k, 330, 305, k]
            drawn_new, drawn_again = server.drawn(session, new), server.drawn(session, again)
            encoding = timed(partial(predictor.set_image, pixels[k]))
            decoding = timed(partial(predictor.predict, [new[:2] + new[3:5]]))
            rows.append((drawn_new, drawn_again, encoding, decoding))
    names = "box on a new slice", "box on an encoded slice", "engine: encoding", "engine: decoding"
    medians = [1000 * median(column) for column in zip(*rows[1:], strict=True)]
    for name, value in zip(names, medians, strict=True):
        click.echo(f"{name:40s} {value:7.0f} ms")
    click.echo(f"{'over encoding and decoding':40s} {medians[0] - medians[2] - medians[3]:7.0f} ms")


def measured_screen(server: Server) -> None:
    """The same on the page, in a browser."""
    with opened_page(server.page, "screen.nii.gz") as driver:
        rows = [
            (
                seconds_to_mask(driver, k, 0.25),
                seconds_to_mask(driver, k, 0.22),
                seconds_to_mask(driver, k + 12, 0.25, _DRAG_SECONDS),
            )
            for k in range(12)
        ]
    names = "new slice, drawn at once", "encoded slice", f"new slice, drawn in {_DRAG_SECONDS} s"
    for name, column in zip(names, zip(*rows[1:], strict=True), strict=True):
        click.echo(f"{f'on screen, {name}':40s} {1000 * median(column):7.0f} ms")


@click.command()
@click.option("--repeats", default=5, show_default=True, help="Starts of the server.")
@click.option("--threads", type=int, help="Of the server and of the engine beside it.")
@click.option("--screen", is_flag=True, help="Also draw on the page, in Chromium.")
def main(repeats: int, threads: int | None, screen: bool) -> None:
    """Time the server."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name in ("small", "screen"):
            write(folder / f"{name}.nii.gz", 24)
        for number in range(3):
            write(folder / f"large-{number}.nii.gz", SLICES)
        starts = []
        for _ in range(repeats):
            server = Server(folder, threads)
            starts.append(server.seconds_to_page)
            server.close()
        click.echo(f"{'start to first page':40s} {median(starts):7.2f} s")
        server = Server(folder, threads)
        measured_drawing(server, threads)
        if screen:
            measured_screen(server)
            # The connection was idle for too long.
            server.connection.close()
        sessions = [server.open(f"large-{number}.nii.gz") for number in range(3)]
        order = np.random.default_rng(0).permutation(SLICES)[:150]
        address = f"{sessions[0]}/slices/axial"
        taken = [timed(partial(server.call, "GET", f"{address}/{k}?level=40&width=400")) for k in order]
        click.echo(f"{'slices per second':40s} {1 / median(taken):7.0f}")
        click.echo(f"{'memory, three volumes':40s} {server.memory():7.0f} MB")
        server.close()


if __name__ == "__main__":
    main()
