"""Long trials of clusters, for a quiet machine: sameness, speed, and faults; see docs/testing.md.

    python tests/cluster_endurance.py SCANS WORK [TRIAL …]

SCANS is a folder of npz cases, WORK an empty folder. Some trials make network namespaces or mount file systems, which
takes an administrator's rights. Each prints one line of figures, and raises where a result is missing or differs.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil
from cluster_parts import Hosts, Machines, Unruly, contents, wait_until, write_cases
from litemedsam.engine.running.cluster.connection import connected
from litemedsam.engine.running.cluster.executor import Cluster
from litemedsam.engine.running.cluster.local_workers import LocalWorkers
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run
from litemedsam.engine.settings import EngineSettings
from tiny_bundle import write_tiny_bundle

# So that a lost host is noticed within seconds, not minutes.
QUICK = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "12s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "15s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "15s",
}
TRIALS: dict[str, Callable[[Path, Path], str]] = {}


def trial(function):
    """Make a trial known under its name."""
    TRIALS[function.__name__] = function
    return function


def infer(*words, code: int | None = 0, **options) -> tuple[float, str]:
    """Run the command; the seconds that it took, and what it printed."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "litemedsam", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert code in (done.returncode, None), done.stdout + done.stderr
    return time.perf_counter() - start, done.stdout + done.stderr


def same(folder: Path, other: Path) -> int:
    """The number of results, which are the same in two folders."""
    first, second = contents(folder), contents(other)
    assert first.keys() == second.keys(), first.keys() ^ second.keys()
    assert first == second
    return len(first)


def mixed(scans: Path, folder: Path, count: int) -> Path:
    """Copies of 2D scans, and every tenth three slices of a volume."""
    folder.mkdir(parents=True)
    images, volumes = sorted(scans.glob("2D*.npz")), cycle(sorted(scans.glob("3D*.npz")))
    for number, image in enumerate(islice(cycle(images), count)):
        if number % 10 == 9:
            with np.load(next(volumes)) as volume:
                pixels, boxes = volume["imgs"], volume["boxes"]
            z = int(boxes[0, 2] + boxes[0, 5]) // 2
            boxes = boxes[(boxes[:, 2] <= z) & (boxes[:, 5] >= z)]
            boxes[:, 2] = np.maximum(boxes[:, 2] - (z - 1), 0)
            boxes[:, 5] = np.minimum(boxes[:, 5] - (z - 1), 2)
            np.savez_compressed(folder / f"{number:03}-volume.npz", imgs=pixels[z - 1 : z + 2], boxes=boxes)
        else:
            shutil.copy(image, folder / f"{number:03}-{image.name}")
    return folder


@contextmanager
def file_system(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of some size at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a file system's options."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@trial
def sameness(scans: Path, work: Path) -> str:
    """300 cases, in one process, on two local workers, on two hosts, and as four parts."""
    return _sameness(mixed(scans, work / "cases", 300), work, ())


@trial
def sameness_quick(scans: Path, work: Path) -> str:
    """The same with a model of a few operators."""
    bundle = write_tiny_bundle(work / "bundle")
    return _sameness(mixed(scans, work / "cases", 300), work, ("--model", bundle))


def _sameness(cases: Path, work: Path, model: tuple[object, ...]) -> str:
    seconds = {}
    given = ("-i", cases, "--precision", "f32", "-q", *model)
    for name, words in {"one": (), "local:2": ("--cluster", "local:2"), "--workers 2": ("--workers", 2)}.items():
        seconds[name], _ = infer(*given, "-o", work / name, *words)
    with Hosts(2) as hosts, Machines(work, host="0.0.0.0") as machines:
        machines.scheduler()
        for number in (1, 2):
            address = f"tcp://10.77.{number}.1:{machines.port}"
            machines.worker(f"worker-{number}", hosts.prefix(number), address=address)
        seconds["2 hosts"], _ = infer(*given, "-o", work / "hosts", "--cluster", machines.address)
    parts = [infer(*given, "-o", work / "parts", "--part", f"{part}/4")[0] for part in range(1, 5)]
    seconds["4 parts"] = sum(parts)
    infer("-i", cases, "-o", work / "parts", "--check")
    counts = {same(work / "one", work / name) for name in ("local:2", "--workers 2", "hosts", "parts")}
    return f"{counts} same; " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())


@trial
def speed(scans: Path, work: Path) -> str:
    """200 images in turn: one process, two workers, a cluster of two, one process again, a cluster of one."""
    cases = work / "cases"
    cases.mkdir()
    for number, image in enumerate(islice(cycle(sorted(scans.glob("2D*.npz"))), 200)):
        shutil.copy(image, cases / f"{number:03}-{image.name}")
    ways = {
        "one process": (),
        "--workers 2": ("--workers", 2),
        "local:2": ("--cluster", "local:2"),
        "one process again": (),
        "local:1, 1 thread": ("--cluster", "local:1", "--threads", 1),
    }
    # Compiled graphs are kept from here on.
    infer("-i", cases, "-o", work / "out", "--part", "1/50", "-q")
    told = []
    for name, words in ways.items():
        took, _ = infer("-i", cases, "-o", work / "out", "--overwrite", "-q", *words)
        told.append(f"{name} {took:.1f} s")
        print(told[-1], flush=True)
    return ", ".join(told)


@trial
def kills(scans: Path, work: Path) -> str:
    """Workers killed at twenty random moments."""
    cases = mixed(scans, work / "cases", 100)
    infer("-i", cases, "-o", work / "one", "-q")
    chance = random.Random(0)
    command = [sys.executable, "-m", "litemedsam", "-i", str(cases), "-o", str(work / "killed"), "--cluster", "local:2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    killed = 0

    def kill() -> None:
        nonlocal killed
        while killed < 20 and process.poll() is None:
            time.sleep(chance.uniform(1, 5))
            children = psutil.Process(process.pid).children() if process.poll() is None else []
            workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
            if workers:
                chance.choice(workers).kill()
                killed += 1

    thread = threading.Thread(target=kill)
    thread.start()
    said, _ = process.communicate()
    thread.join()
    assert process.returncode == 0, said
    return f"{killed} workers killed, {same(work / 'one', work / 'killed')} of 100 cases same"


@trial
def cut_link(scans: Path, work: Path) -> str:
    """The cable of one of two hosts cut in the middle of a run."""
    cases = mixed(scans, work / "cases", 60)
    infer("-i", cases, "-o", work / "one", "-q", "--precision", "f32")
    with Hosts(2) as hosts, Machines(work, host="0.0.0.0", environment=QUICK) as machines:
        machines.scheduler()
        for number in (1, 2):
            address = f"tcp://10.77.{number}.1:{machines.port}"
            machines.worker(f"worker-{number}", hosts.prefix(number), address=address)
        time.sleep(4)

        def cut() -> None:
            wait_until(lambda: len(list((work / "cut").glob("*.npz"))) > 10, 120)
            hosts.cut(1)

        thread = threading.Thread(target=cut)
        thread.start()
        command = ("-i", cases, "-o", work / "cut", "--precision", "f32", "--cluster", machines.address)
        seconds, said = infer(*command, env={**os.environ, **QUICK})
        thread.join()
    return f"{same(work / 'one', work / 'cut')} of 60 cases same after {seconds:.0f} s; {said.count('1 worker,')} told"


@trial
def greedy_case(scans: Path, work: Path) -> str:
    """A case that takes more memory than its worker may have, and is killed for it each time."""
    cases = write_cases(work / "cases", ["greedy", *(f"slow-{k}" for k in range(4)), *(f"{k:02}" for k in range(20))])
    bundle = write_tiny_bundle(work / "bundle")
    (work / "notes").mkdir()
    (work / "out").mkdir()
    site = LocalWorkers(2)
    os.environ["DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE"] = "false"
    with limited(1_200_000_000), connected(site, None) as connection:
        assignment, _ = connection.agree(EngineSettings(bundle, threads=1), work / "out", 2)
        options = Options(work / "out", Unruly(work / "notes"))
        reports = run(Cluster(connection, assignment), cases, options, Lines(False, True))
    assert "its worker died each time" in reports[0].error, reports[0]
    assert not [report for report in reports[1:] if report.error]
    return f"24 of 25 cases; {reports[0].error}"


@contextmanager
def limited(nbytes: int) -> Iterator[None]:
    """As in a container with so much memory for each of two workers."""
    from litemedsam.engine.system.resources import keep_within, resident_memory

    keep_within(2 * nbytes + resident_memory())
    yield
    keep_within(None)


@trial
def full_disk(scans: Path, work: Path) -> str:
    """A target that is full, then larger; one that may only be read, then written."""
    names = [f"{k:03}" for k in range(60)]
    cases = write_cases(work / "cases", names, side=400)
    bundle = write_tiny_bundle(work / "bundle")
    given = ("-i", work / "cases", "--model", bundle, "--cluster", "local:2", "--skip-existing")
    infer("-i", work / "cases", "--model", bundle, "-o", work / "one", "-q")
    said = []
    with file_system(work / "small", 1) as folder:
        # Of one page for each result, and one while it is written.
        remount(folder, "size=120k")
        _, text = infer(*given, "-o", folder, code=1)
        failed = [line for line in text.splitlines() if line.startswith("Error:")]
        assert all("No space left on device" in line for line in failed), failed
        assert not list(folder.glob(".*"))
        said.append(f"full: {len(failed)} of {len(cases)} failed")
        remount(folder, "size=100m")
        infer(*given, "-o", folder)
        said.append(f"then {same(work / 'one', folder)} same")
        for path in list(folder.glob("*"))[::2]:
            path.unlink()
        remount(folder, "ro")
        _, text = infer(*given, "-o", folder, code=1)
        said.append(f"read-only: {text.splitlines()[-1].replace(str(work), 'WORK')}")
        remount(folder, "rw")
        infer(*given, "-o", folder)
        said.append(f"then {same(work / 'one', folder)} same")
    return "; ".join(said)


@trial
def two_runs(scans: Path, work: Path) -> str:
    """Two runs into the same folder at once, on one scheduler and on two."""
    write_cases(work / "cases", [f"{k:03}" for k in range(400)])
    bundle = write_tiny_bundle(work / "bundle")
    infer("-i", work / "cases", "--model", bundle, "-o", work / "one", "-q")
    given = [sys.executable, "-m", "litemedsam", "-i", work / "cases", "--model", bundle, "--overwrite", "-q", "-o"]
    with Machines(work) as machines:
        machines.scheduler()
        machines.worker("a")
        machines.worker("b")
        for name, sites in {"shared": [machines.address] * 2, "apart": [machines.address, "local:1"]}.items():
            runs = [subprocess.Popen([*map(str, given), str(work / name), "--cluster", site]) for site in sites]
            assert [process.wait() for process in runs] == [0, 0]
            same(work / "one", work / name)
    return "400 cases same, twice"


def main() -> None:
    """Run the trials that are named, or all."""
    scans, work, *names = sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in names or TRIALS:
        folder = Path(work).absolute() / name
        folder.mkdir(parents=True)
        print(f"{name}: {TRIALS[name](Path(scans).absolute(), folder)}", flush=True)


if __name__ == "__main__":
    main()
