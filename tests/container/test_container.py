"""The image as a user, the challenge and a cautious administrator run it."""

import csv
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from places import ROOT

import litemedsam

from .conftest import BASE_IMAGE, CHALLENGE_CALL, HARDENED, IMAGE, OPTIONS_CALL, Docker, Folders, picture, volume

pytestmark = pytest.mark.usefixtures("image")

ONE_BOX = [(40, 50, 110, 130)]
LARGEST_BYTES_BEYOND_BASE = 700_000_000


@pytest.fixture(scope="module")
def small_cases() -> dict[str, dict[str, np.ndarray]]:
    return {
        "2DBox_grey": picture(200, 260, ONE_BOX),
        "2DBox_colour": picture(180, 150, [(5, 8, 60, 70), (50, 60, 140, 170)], channels=3),
        "3DBox_two": volume(6, 160, 140, [(20, 30, 1, 70, 90, 3), (60, 50, 2, 120, 130, 4)]),
    }


@pytest.fixture(scope="module")
def outside(small_cases, tmp_path_factory) -> dict[str, np.ndarray]:
    """Results of the command without a container."""
    folders = Folders.under(tmp_path_factory.mktemp("outside"), **small_cases)
    command = [sys.executable, "-m", "litemedsam", "-q", "-i", folders.inputs, "-o", folders.outputs]
    subprocess.run(command, check=True)
    return folders.results()


@pytest.mark.parametrize(
    ("call", "flags"),
    [(CHALLENGE_CALL, ()), (OPTIONS_CALL, HARDENED)],
    ids=["challenge", "options, read-only, no capabilities, unknown user"],
)
def test_both_calls_give_what_the_command_gives_outside(docker: Docker, tmp_path, small_cases, outside, call, flags):
    folders = Folders.under(tmp_path, **small_cases)
    done = docker.segment(folders, call, "-m", "8G", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    results = folders.results()
    assert results.keys() == outside.keys()
    for name, labels in outside.items():
        assert labels.any()
        assert results[name].dtype == labels.dtype
        np.testing.assert_array_equal(results[name], labels)
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in folders.outputs.iterdir()}
    assert owners == {(12345, 12345) if flags else (1000, 1000)}


def test_the_commands_of_the_readme_run(docker: Docker, tmp_path, small_cases, outside):
    folders = Folders.under(tmp_path, **{"2DBox_grey": small_cases["2DBox_grey"]})
    section = (ROOT / "README.md").read_text().split("## Docker")[1]
    commands = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    # The build is what made the image of this test.
    assert commands.pop(0) == "docker build -t litemedsam:cpu .\n"
    # The server runs until it is stopped, see below.
    assert commands.pop().endswith(" serve\n")
    assert len(commands) == 2
    for command in commands:
        script = f"set -e; {command.replace('litemedsam:cpu', IMAGE)}"
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=docker.environment, capture_output=True)
        assert done.returncode == 0, done.stderr
        np.testing.assert_array_equal(folders.results()["2DBox_grey.npz"], outside["2DBox_grey.npz"])
        (folders.outputs / "2DBox_grey.npz").unlink()


def test_a_full_size_volume_fits_two_gigabytes(docker: Docker, tmp_path):
    boxes = [(60 + 60 * k, 50 + 50 * k, 40 * k, 180 + 60 * k, 200 + 50 * k, 40 * k + 1) for k in range(5)]
    boxes.append((100, 100, 285, 300, 300, 286))
    folders = Folders.under(tmp_path, **{"3DBox_large": volume(287, 512, 512, boxes)})
    done = docker.segment(folders, OPTIONS_CALL, "-m", "2G", *HARDENED)
    assert done.returncode == 0, done.stderr
    labels = folders.results()["3DBox_large.npz"]
    assert labels.shape == (287, 512, 512)
    assert set(np.unique(labels)) == set(range(7))


def test_many_boxes_on_a_large_image_fit_one_gigabyte(docker: Docker, tmp_path):
    boxes = [(150 * x + 10, 120 * y + 10, 150 * x + 130, 120 * y + 100) for y in range(16) for x in range(17)][:241]
    folders = Folders.under(tmp_path, **{"2DBox_cells": picture(1920, 2560, boxes)})
    done = docker.segment(folders, CHALLENGE_CALL, "-m", "1G")
    assert done.returncode == 0, done.stderr
    labels = folders.results()["2DBox_cells.npz"]
    assert labels.shape == (1920, 2560)
    assert len(np.unique(labels)) > 200


def test_a_volume_that_cannot_fit_is_refused_and_the_others_go_on(docker: Docker, tmp_path, small_cases):
    huge = {"imgs": np.zeros((3500, 512, 512), np.uint8), "boxes": np.array([(1, 1, 1, 9, 9, 9)])}
    tight = {"imgs": np.zeros((800, 512, 512), np.uint8), "boxes": np.array([(1, 1, 1, 9, 9, 9)])}
    folders = Folders.under(tmp_path, huge=huge, tight=tight, small=small_cases["2DBox_grey"])
    done = docker.segment(folders, OPTIONS_CALL, "-m", "850m")
    assert done.returncode == 1
    errors = done.stderr.splitlines()
    assert len(errors) == 2
    assert "huge.npz: imgs needs 0.92 GB" in errors[0]
    assert "tight.npz: shape (800, 512, 512) needs" in errors[1]
    assert all("give the container more memory" in line for line in errors)
    assert list(folders.results()) == ["small.npz"]


def test_one_damaged_case_among_good_ones(docker: Docker, tmp_path, small_cases, outside):
    names = ("2DBox_grey", "2DBox_colour")
    folders = Folders.under(tmp_path, **{name: small_cases[name] for name in names})
    whole = (folders.inputs / "2DBox_grey.npz").read_bytes()
    (folders.inputs / "2DBox_damaged.npz").write_bytes(whole[: len(whole) // 2])
    done = docker.segment(folders, CHALLENGE_CALL)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "2DBox_damaged.npz" in done.stderr
    results = folders.results()
    assert sorted(results) == sorted(f"{name}.npz" for name in names)
    for name, labels in results.items():
        np.testing.assert_array_equal(labels, outside[name])


@pytest.mark.parametrize("call", [CHALLENGE_CALL, OPTIONS_CALL], ids=["challenge", "options"])
@pytest.mark.parametrize("mounted", [True, False], ids=["unwritable", "missing"])
def test_outputs_that_cannot_be_written(docker: Docker, tmp_path, small_cases, call, mounted):
    folders = Folders.under(tmp_path, **{"2DBox_grey": small_cases["2DBox_grey"]})
    folders.outputs.chmod(0o755)
    mounts = folders.mounts if mounted else folders.mounts[:2]
    done = docker("run", "--rm", "--network", "none", "--user", "12345", *mounts, IMAGE, *call)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "outputs" in done.stderr
    assert "writ" in done.stderr
    assert not list(folders.outputs.iterdir())


@pytest.mark.parametrize("call", [CHALLENGE_CALL, OPTIONS_CALL], ids=["challenge", "options"])
def test_no_inputs(docker: Docker, tmp_path, call):
    done = docker.segment(Folders.under(tmp_path), call)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "inputs: holds no " in done.stderr


def test_stopped_in_a_volume_and_taken_up_again(docker: Docker, tmp_path, small_cases):
    long = volume(24, 128, 128, [(20, 20, 1, 90, 90, 22)])
    folders = Folders.under(tmp_path, **{"2DBox_first": small_cases["2DBox_grey"], "3DBox_second": long})
    start = ("run", "-d", "--network", "none", *folders.mounts, IMAGE, *CHALLENGE_CALL)
    container = docker(*start).stdout.strip()
    deadline = time.monotonic() + 120
    while not (folders.outputs / "2DBox_first.npz").exists():
        assert time.monotonic() < deadline, docker("logs", container).stderr
        time.sleep(0.05)
    time.sleep(0.5)
    # Docker kills what has not ended after this many seconds, with the code 137.
    docker("stop", "--time", "5", container)
    assert docker("inspect", "-f", "{{.State.ExitCode}}", container).stdout.strip() == "143"
    assert docker("logs", container).stderr == "Stopped by SIGTERM\n"
    docker("rm", container)
    assert [path.name for path in folders.outputs.iterdir()] == ["2DBox_first.npz"]
    written = (folders.outputs / "2DBox_first.npz").stat().st_mtime_ns
    np.savez_compressed(folders.inputs / "3DBox_second.npz", **small_cases["3DBox_two"])
    done = docker.segment(folders, (*OPTIONS_CALL, "--skip-existing"))
    assert done.returncode == 0, done.stderr
    assert sorted(folders.results()) == ["2DBox_first.npz", "3DBox_second.npz"]
    assert (folders.outputs / "2DBox_first.npz").stat().st_mtime_ns == written


def test_a_case_file_as_argument_and_a_command_of_ones_own(docker: Docker, tmp_path, small_cases):
    folders = Folders.under(tmp_path, **{"2DBox_grey": small_cases["2DBox_grey"]})
    (folders.inputs / "2DBox_grey.npz").chmod(0o777)
    done = docker.segment(folders, ("inputs/2DBox_grey.npz",))
    assert done.returncode == 0, done.stderr
    assert list(folders.results()) == ["2DBox_grey.npz"]
    assert docker("run", "--rm", "--network", "none", IMAGE, "id", "-u").stdout == "1000\n"
    assert "Usage: litemedsam-infer" in docker("run", "--rm", "--network", "none", IMAGE).stdout
    wrong = docker("run", "--rm", "--network", "none", IMAGE, "--no-such-option")
    assert wrong.returncode == 2


def test_the_image_is_small_and_holds_only_what_inference_needs(docker: Docker):
    sizes = [int(docker("image", "inspect", "-f", "{{.Size}}", name).stdout) for name in (IMAGE, BASE_IMAGE)]
    assert sizes[0] - sizes[1] <= LARGEST_BYTES_BEYOND_BASE
    code = "from importlib.metadata import distributions as d; print(*(f'{x.name}=={x.version}' for x in d()))"
    environment = docker("run", "--rm", "--network", "none", IMAGE, "/opt/venv/bin/python", "-Ic", code)
    lock = (ROOT / "docker" / "requirements.txt").read_text().splitlines()
    pinned = {line.split()[0] for line in lock if line[:1].isalpha()}
    # Sends usage reports; taken out of the image.
    pinned = {pin for pin in pinned if not pin.startswith("openvino-telemetry")}
    installed = {pin.lower().replace("_", "-") for pin in environment.stdout.split()}
    assert installed == pinned | {f"litemedsam=={litemedsam.__version__}"}
    label = '{{index .Config.Labels "org.opencontainers.image.version"}}'
    assert docker("image", "inspect", "-f", label, IMAGE).stdout.strip() == litemedsam.__version__


def test_the_graphs_compiled_at_the_build_are_used_on_its_machine(docker: Docker):
    code = """
import os
from pathlib import Path
from litemedsam.engine.backends.compiled import READY_VARIABLE, CompiledFolder
from litemedsam.engine.backends.offline_openvino import core
from litemedsam.engine.backends.openvino import OpenVinoGraph
from litemedsam.engine.bundle.info import DECODER
from litemedsam.engine.bundle.packaged import bundle_folder
from litemedsam.engine.bundle.precision import AUTOMATIC, encoder_file, floats_beside, resolve
bundle, native = bundle_folder(), OpenVinoGraph.native_precisions()
precision = resolve(bundle, AUTOMATIC, native).precision
floats, folder = floats_beside(precision, native), CompiledFolder(Path(os.environ[READY_VARIABLE]))
files = encoder_file(bundle, precision), bundle / DECODER
print(*(folder.load(core(), path, floats, {}) is not None for path in files))
"""
    done = docker("run", "--rm", "--network", "none", *HARDENED, IMAGE, "python", "-c", code)
    assert done.stdout == "True True\n", done.stderr


def test_the_server_runs_locked_down_and_stops_cleanly(docker: Docker, tmp_path, small_cases):
    folders, name = Folders.under(tmp_path, **small_cases), "litemedsam-served"
    ask = """
import json, sys, urllib.request
def get(path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:8000{path}", headers=headers)
    return json.load(urllib.request.urlopen(request))
token = {"Authorization": f"Bearer {sys.argv[1]}"}
names = sorted(file["name"] for file in get("/api/files", **token)["files"])
print(get("/healthz"), names, get("/api/about", **token)["model"]["name"])
"""
    data = ("-v", f"{folders.inputs}:/data:ro")
    started = docker("run", "--detach", "--name", name, "--network", "none", *HARDENED, *data, IMAGE, "serve")
    assert started.returncode == 0, started.stderr
    try:
        for _ in range(100):
            said = re.search(r"http://127\.0\.0\.1:8000/\?token=(\S+)", docker("logs", name).stdout)
            if said:
                break
            time.sleep(0.2)
        done = docker("exec", name, "python", "-c", ask, said[1])
        expected = ["2DBox_colour.npz", "2DBox_grey.npz", "3DBox_two.npz"]
        assert done.stdout == f"{{'ok': True}} {expected} litemedsam\n", done.stderr
        docker("stop", name)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", name).stdout == "0\n"
    finally:
        docker("rm", "--force", name)


def test_the_timing_protocol(docker: Docker, tmp_path, small_cases):
    folders = Folders.under(tmp_path, **{name: small_cases[name] for name in ("2DBox_grey", "2DBox_colour")})
    (folders.inputs / "3DBox_broken.npz").write_bytes(b"not a case")
    table = tmp_path / "times.csv"
    command = [sys.executable, ROOT / "benchmarks" / "run_container.py", IMAGE, folders.inputs, "--csv", table]
    done = subprocess.run(
        [*command, "--results", folders.outputs], env=docker.environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "3DBox_broken.npz: exit code 1" in done.stderr
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["CaseName", "RunningTime", "PeakMemoryMB", "ExitCode"]
    assert [row["CaseName"] for row in rows] == ["2DBox_colour.npz", "2DBox_grey.npz", "3DBox_broken.npz"]
    assert [row["ExitCode"] for row in rows] == ["0", "0", "1"]
    assert all(float(row["RunningTime"]) > 0 for row in rows)
    assert all(100 < float(row["PeakMemoryMB"]) < 2000 for row in rows[:2])
    assert sorted(folders.results()) == ["2DBox_colour.npz", "2DBox_grey.npz"]
