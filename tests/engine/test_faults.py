"""Faults of the machine during a run: a full disk, no folder, no home, a killed process, a clock that goes back."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.engine.cli.main import main
from litemedsam.engine.io.npz import write_labels
from litemedsam.engine.predictor import Predictor
from litemedsam.engine.running.executor import Local
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run

from litemedsam import LiteMedSamError
from litemedsam.atomic import remove_left_over, write_atomically

CASES = 12


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A folder of small cases, images and volumes, whose results differ."""
    folder = tmp_path_factory.mktemp("cases")
    rng = np.random.default_rng(0)
    for number in range(CASES):
        shape = (6, 90, 80) if number % 3 == 0 else (120, 100)
        pixels = rng.integers(0, 200, shape, np.uint8)
        pixels[..., 20:50, 10:60] += 50
        box = [5, 12, 65, 55] if pixels.ndim == 2 else [5, 12, 0, 65, 55, 5]
        np.savez(folder / f"case-{number:02}.npz", imgs=pixels, boxes=[box, box])
    return folder


def command(cases, output, bundle, *options):
    arguments = (
        "-m",
        "litemedsam",
        "-i",
        cases,
        "-o",
        output,
        "--model",
        bundle,
        "--threads",
        1,
        "--overlay",
        *options,
    )
    return [sys.executable, *map(str, arguments)]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(cases, tiny_bundle, tmp_path_factory):
    """The results of a run that nothing happened to, and the seconds that it took."""
    output = tmp_path_factory.mktemp("undisturbed")
    start = time.perf_counter()
    subprocess.run(command(cases, output, tiny_bundle), check=True, capture_output=True)
    seconds = time.perf_counter() - start
    assert len(content(output)) == 2 * CASES
    return content(output), seconds


# Fifty moments in all; a run with workers takes three times as long to start.
@pytest.mark.parametrize(
    ("number", "moments", "options"),
    [
        (signal.SIGKILL, 18, ()),
        (signal.SIGTERM, 14, ()),
        (signal.SIGINT, 14, ()),
        (signal.SIGKILL, 2, ("--workers", "2")),
        (signal.SIGTERM, 2, ("--workers", "2")),
    ],
    ids=["kill", "term", "int", "kill-workers", "term-workers"],
)
def test_a_killed_run_is_taken_up_without_a_trace(cases, tiny_bundle, undisturbed, tmp_path, number, moments, options):
    expected, seconds = undisturbed
    rng = np.random.default_rng(number)
    partial = 0
    for moment in range(moments):
        output = tmp_path / str(moment)
        output.mkdir()
        process = subprocess.Popen(
            command(cases, output, tiny_bundle, *options), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        time.sleep(rng.uniform(0.2 if not options else 1, 1.1) * seconds)
        process.send_signal(number)
        # Killed workers hold the pipe a little longer.
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, -number, 128 + number), errors
        if number != signal.SIGKILL:
            assert not [name for name in content(output) if name.startswith(".")]
        if options:
            wait_for_workers(output)
        for name, whole in content(output).items():
            assert name.startswith(".") or whole == expected[name]
        partial += 0 < len(content(output)) < len(expected)
        again(cases, output, tiny_bundle)
        assert content(output) == expected
    assert partial or options


def wait_for_workers(output):
    """Workers end a moment after their killed parent; until then they may finish what they were writing."""
    before = None
    while before != (before := sorted(content(output))):
        time.sleep(0.3)


def again(cases, output, bundle):
    """In this process: what matters of a second run is what it finds, not how it starts."""
    arguments = command(cases, output, bundle, "--skip-existing")[3:]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output


def test_what_another_process_is_writing_stays(tmp_path):
    path = tmp_path / "a.npz"
    reading, writing = os.pipe()

    def write_slowly():
        def write(file):
            file.write(b"half")
            file.flush()
            os.write(writing, b"x")
            time.sleep(60)

        write_atomically(path, write)

    process = multiprocessing.get_context("fork").Process(target=write_slowly)
    process.start()
    os.read(reading, 1)
    (left,) = tmp_path.iterdir()
    others = [
        tmp_path / name for name in (".b.npz.01234567.part", ".a.npz.0123.part", ".a.npz.part", "a.npz.01234567.part")
    ]
    for other in others:
        other.write_bytes(b"not ours")
    remove_left_over([path])
    assert left.exists()
    process.kill()
    process.join()
    remove_left_over([path, tmp_path / "absent" / "c.npz"])
    assert not left.exists()
    assert all(other.exists() for other in others)


def test_a_file_that_was_taken_for_a_left_over_is_begun_again(tmp_path, monkeypatch):
    from litemedsam import atomic

    locked = atomic._locked
    calls = []

    def late(file, wait):
        calls.append(file)
        if len(calls) == 1:
            os.unlink(file.name)
        return locked(file, wait)

    monkeypatch.setattr(atomic, "_locked", late)
    write_atomically(tmp_path / "a", lambda file: file.write(b"whole"))
    assert content(tmp_path) == {"a": b"whole"}
    assert len(calls) == 2


def test_where_files_cannot_be_locked_nothing_is_removed(tmp_path, monkeypatch):
    from litemedsam import atomic

    left = tmp_path / ".a.01234567.part"
    left.touch()

    def refused(*_):
        raise OSError("no locks here")

    monkeypatch.setattr(atomic.fcntl, "flock", refused)
    remove_left_over([tmp_path / "a"])
    assert left.exists()
    monkeypatch.setattr(atomic, "fcntl", None)
    remove_left_over([tmp_path / "a"])
    write_atomically(tmp_path / "a", lambda file: file.write(b"whole"))
    assert sorted(content(tmp_path)) == [left.name, "a"]


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


NOISE = np.random.default_rng(0).integers(0, 255, (400, 500), np.uint8)


def test_a_full_disk_leaves_nothing_half_written(tiny_disk, cases, tiny_bundle, tmp_path):
    write_labels(tiny_disk / "small.npz", np.zeros((4, 4), np.uint8))
    with pytest.raises(LiteMedSamError, match=r"large\.npz: cannot be written \(No space left on device\)"):
        write_labels(tiny_disk / "large.npz", NOISE)
    assert list(content(tiny_disk)) == ["small.npz"]
    # In a run some results fit and others do not; room comes, and the run is taken up.
    (tiny_disk / "filler").write_bytes(bytes(30_000))
    first = subprocess.run(command(cases, tiny_disk, tiny_bundle), capture_output=True, text=True)
    assert first.returncode == 1
    assert "No space left on device" in first.stderr
    assert "Traceback" not in first.stderr
    assert not [name for name in content(tiny_disk) if name.startswith(".")]
    subprocess.run(["mount", "-o", "remount,size=64m", tiny_disk], check=True)
    again(cases, tiny_disk, tiny_bundle)
    assert len(list(tiny_disk.glob("case-*.npz"))) == CASES


def _in_child(function, *arguments):
    process = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode


def _write_beyond_the_limit(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        write_labels(path, NOISE)
    except LiteMedSamError as error:
        sys.exit(0 if "cannot be written (File too large)" in str(error) else 2)
    sys.exit(1)


def test_a_file_beyond_the_limit_leaves_nothing(tmp_path):
    assert _in_child(_write_beyond_the_limit, tmp_path / "a.npz") == 0
    assert content(tmp_path) == {}


def test_every_kind_of_file_is_whole_or_not_there(tiny_disk, tmp_path):
    from litemedsam.engine.io.formats import FORMATS
    from litemedsam.engine.scan.scan import Scan

    scan = Scan("scan", NOISE, False)
    for kind, name in (("npz", "a.npz"), ("nifti", "a.nii"), ("nifti", "a.nii.gz"), ("png", "a.png"), ("png", "a.tif")):
        with pytest.raises(LiteMedSamError, match="No space left on device"):
            FORMATS[kind].write(tiny_disk / name, NOISE, scan, ("",))
        assert content(tiny_disk) == {}


class RemovesTheFolder(Lines):
    """After the first case, the folder of results is gone."""

    def __init__(self, folder, then):
        super().__init__(verbose=False, quiet=True)
        self.folder, self.then, self.done = folder, then, 0

    def finished(self, report):
        self.done += 1
        if self.done == 1:
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()
            self.then(self.folder)


def test_a_folder_that_is_removed_in_mid_run(cases, tiny_bundle, undisturbed, tmp_path):
    predictor = Predictor(tiny_bundle, threads=1)
    paths = sorted(cases.iterdir())[:3]
    output = tmp_path / "results"
    reports = run(Local(predictor), paths, Options(output), RemovesTheFolder(output, lambda folder: None))
    assert [report.error for report in reports] == ["", "", ""]
    assert {name: undisturbed[0][name] for name in ("case-01.npz", "case-02.npz")} == content(output)
    for path in output.iterdir():
        path.unlink()
    output.rmdir()
    # A file in its place: every later case is reported, and the file is not touched.
    reports = run(Local(predictor), paths, Options(output), RemovesTheFolder(output, lambda folder: folder.touch()))
    assert [bool(report.error) for report in reports] == [False, True, True]
    assert all("cannot be written" in report.error for report in reports[1:])
    assert output.read_bytes() == b""


def infer_in(environment, cases, bundle, output, cwd):
    given = {"PATH": os.environ["PATH"], **environment}
    one = cases / "case-01.npz"
    arguments = ("-m", "litemedsam", one, "-o", output, "--model", bundle, "--threads", "1")
    return subprocess.run(
        [sys.executable, *map(str, arguments)], env=given, cwd=cwd, capture_output=True, text=True, check=False
    )


def _corrupt(home):
    for entry in (home / ".cache" / "litemedsam").iterdir():
        blob = bytearray(entry.read_bytes())
        blob[len(blob) // 2 :] = b"\xff" * (len(blob) - len(blob) // 2)
        entry.write_bytes(blob)


def _replace_by_folders(home):
    for entry in (home / ".cache" / "litemedsam").iterdir():
        entry.unlink()
        entry.mkdir()


def _file_for_cache(home):
    (home / ".cache").write_text("in the way")


def _read_only(home):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", home], capture_output=True).returncode:
        pytest.skip("only root may mount")


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize("damage", [_corrupt, _replace_by_folders, _file_for_cache, _read_only])
def test_a_useless_cache_costs_time_only(cases, tiny_bundle, undisturbed, tmp_path, used_before, damage):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    needs_cache = damage in (_corrupt, _replace_by_folders)
    if used_before != needs_cache:
        pytest.skip("the same as the other way round")
    if used_before:
        infer_in({"HOME": str(home)}, cases, tiny_bundle, work / "before", work)
    damage(home)
    try:
        done = infer_in({"HOME": str(home)}, cases, tiny_bundle, work / "results", work)
    finally:
        if damage is _read_only:
            subprocess.run(["umount", home], check=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert content(work / "results")["case-01.npz"] == undisturbed[0]["case-01.npz"]


@pytest.mark.parametrize("environment", [{}, {"HOME": ""}, {"HOME": "/dev/null"}, {"XDG_CACHE_HOME": "relative"}])
def test_without_a_home_nothing_is_left_anywhere(cases, tiny_bundle, undisturbed, tmp_path, environment):
    if os.getuid() == 0 and "HOME" not in environment:
        # The user database would name a real one.
        environment = {**environment, "HOME": "/proc/none"}
    done = infer_in(environment, cases, tiny_bundle, tmp_path / "results", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert content(tmp_path / "results")["case-01.npz"] == undisturbed[0]["case-01.npz"]
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert not Path("/.cache/litemedsam").exists()


def test_a_clock_that_goes_back_changes_nothing(cases, tiny_bundle, undisturbed, tmp_path, monkeypatch):
    """All that asks for the time gets an earlier one at every call, and files are of the future."""
    now = [4_000_000_000.0]

    def earlier():
        now[0] -= 86_400
        return now[0]

    output = tmp_path / "results"
    output.mkdir()
    left = output / ".case-00.npz.01234567.part"
    left.touch()
    os.utime(left, (5_000_000_000, 5_000_000_000))
    monkeypatch.setattr(time, "time", earlier)
    monkeypatch.setattr(time, "time_ns", lambda: int(earlier() * 1e9))
    again(cases, output, tiny_bundle)
    assert now[0] <= 4_000_000_000
    assert content(output) == undisturbed[0]
