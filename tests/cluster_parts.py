"""Schedulers and workers as processes of their own, cases that go wrong, and a stand-in for SLURM."""

import datetime
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.objects.sources import StoredBoxes

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Unruly(StoredBoxes):
    """The boxes in a file, unless its name says that something happens: `deadly`, `greedy`, `once` or `slow`.

    Attributes
    ----------
    notes : Path
        A folder in which each such case leaves the number of its process.
    """

    notes: Path = Path()

    def objects(self, path, scan):
        """See `ObjectSource.objects`."""
        word = path.stem.split("-")[0]
        if word in ("deadly", "greedy", "once", "slow"):
            first = not list(self.notes.glob(f"{path.stem}.*"))
            (self.notes / f"{path.stem}.{os.getpid()}").touch()
            if word == "deadly":
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "greedy":
                kept = np.ones(1_500_000_000, np.uint8)
                time.sleep(30)
                kept[0] = 0
            if first or word == "slow":
                time.sleep(30 if word == "once" else 1)
        return super().objects(path, scan)


def predictors_inside():
    """Of a worker: its rooms, OpenVINO's threads, those of the environment, and all predictors that there are."""
    import gc

    from litemedsam.engine.predictor import Predictor
    from litemedsam.engine.running.cluster import worker

    rooms = list(worker._rooms.values())
    graph = rooms[0].predictor.network.encoder._loading.result()
    threads = graph.compiled.get_property("INFERENCE_NUM_THREADS")
    alive = [thing for thing in gc.get_objects() if isinstance(thing, Predictor)]
    return len(rooms), threads, os.environ.get("OMP_NUM_THREADS"), len(alive)


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
    host : str
        The scheduler's address.
    options : sequence of str
        Of scheduler and workers, such as for TLS.
    """

    def __init__(self, folder: Path, host="127.0.0.1", options=(), environment=None):
        self.folder, self.host, self.options = folder, host, options
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

    def worker(self, name="worker", prefix=(), options=(), address=None):
        """Start a worker, with a process that starts it again when it dies."""
        arguments = [address or self.address, "--nthreads", "1", "--no-dashboard"]
        arguments += ["--local-directory", self.folder / name, *options]
        return self._start(name, prefix, "dask_worker", arguments)


def write_certificates(folder: Path) -> list[Path]:
    """Write an authority, and a certificate and a key that it signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", "member")]
    paths = [folder / "ca.pem", folder / "cert.pem", folder / "key.pem"]
    for number, (key, name) in enumerate(zip(keys, names, strict=True)):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
        builder = builder.serial_number(number + 1).add_extension(
            x509.BasicConstraints(number == 0, None), critical=True
        )
        builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(9))
        certificate = builder.sign(keys[0], hashes.SHA256())
        paths[number].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[2].write_bytes(keys[1].private_bytes(*form))
    return paths


def tls_options(certificates: Sequence[Path]) -> list[str]:
    """For `dask scheduler` and `dask worker`."""
    names = ("--tls-ca-file", "--tls-cert", "--tls-key")
    return [str(word) for pair in zip(names, certificates, strict=True) for word in pair]


class Hosts:
    """Network namespaces with addresses of their own, each joined to this one by a cable that can be cut."""

    def __init__(self, count: int = 2):
        self.names = [f"lmt{os.getpid()}n{number}" for number in range(1, count + 1)]

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def __enter__(self):
        try:
            for number, name in enumerate(self.names, start=1):
                cable = f"lmt{os.getpid() % 100000}v{number}"
                self._ip("netns", "add", name)
                self._ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
                self._ip("addr", "add", f"10.77.{number}.1/24", "dev", cable)
                self._ip("link", "set", cable, "up")
                self._ip("-n", name, "addr", "add", f"10.77.{number}.2/24", "dev", "eth0")
                self._ip("-n", name, "link", "set", "eth0", "up")
                self._ip("-n", name, "link", "set", "lo", "up")
                self._ip("-n", name, "route", "add", "default", "via", f"10.77.{number}.1")
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            pytest.skip(f"this machine lets nobody make network namespaces ({error})")
        return self

    def __exit__(self, *_):
        for name in self.names:
            # The cable goes with the namespace.
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def prefix(self, number: int) -> list[str]:
        """Before a command that runs on a host, counted from 1."""
        return ["ip", "netns", "exec", self.names[number - 1]]

    def cut(self, number: int) -> None:
        """Cut the cable of a host."""
        self._ip("-n", self.names[number - 1], "link", "set", "eth0", "down")


# A stand-in for SLURM: runs the tasks of a job at once, with SLURM's variables.
_SBATCH = """#!{python}
import os, re, subprocess, sys

arguments, script, wrapped, given = sys.argv[1:], None, None, []
while arguments:
    word = arguments.pop(0)
    if word.startswith("--wrap="):
        wrapped = word.partition("=")[2]
    elif word.startswith("-"):
        given.append(word)
    else:
        script = word
text = "#!/bin/sh\\n" + wrapped if wrapped is not None else open(script).read()
options = re.findall(r"^#SBATCH (\\S+)", text, re.MULTILINE) + given
counter = os.path.join(os.path.dirname(sys.argv[0]), "jobs")
with open(counter, "a+") as file:
    file.seek(0)
    job = len(file.read()) + 1
    file.write("x")
array = [option.partition("=")[2] for option in options if option.startswith("--array=")]
environment = {{**os.environ, "SLURM_JOB_ID": str(job)}}
tasks = [{{}}]
if array:
    first, _, last = array[-1].partition("-")
    last, _, step = (last or first).partition(":")
    indices = range(int(first), int(last) + 1, int(step or 1))
    tasks = [
        {{
            "SLURM_ARRAY_JOB_ID": str(job), "SLURM_ARRAY_TASK_ID": str(index),
            "SLURM_ARRAY_TASK_COUNT": str(len(indices)), "SLURM_ARRAY_TASK_MIN": str(indices[0]),
            "SLURM_ARRAY_TASK_MAX": str(indices[-1]), "SLURM_ARRAY_TASK_STEP": str(indices.step),
        }}
        for index in indices
    ]
for number, task in enumerate(tasks):
    with open(f"slurm-{{job}}_{{number}}.out", "w") as output:
        done = subprocess.{start}(
            ["bash", "-c", text], env={{**environment, **task}}, stdout=output, stderr=output, {apart}
        )
    with open(f"{{counter}}.{{job}}", "a") as file:
        file.write(f"{{getattr(done, 'pid', '')}}\\n")
print(job if "--parsable" in options else f"Submitted batch job {{job}}")
"""

_SCANCEL = """#!{python}
import os, signal, sys

for job in sys.argv[1:]:
    for pid in open(os.path.join(os.path.dirname(sys.argv[0]), f"jobs.{{job}}")).read().split():
        try:
            os.killpg(int(pid), signal.SIGTERM)
        except ProcessLookupError:
            pass
"""


def write_command(path: Path, text: str) -> None:
    """Write a script that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def write_sbatch(folder: Path, in_background: bool = False) -> None:
    """Write `sbatch` and `scancel` into a folder for PATH; in the background, it returns before the job ends."""
    start, apart = ("Popen", "start_new_session=True") if in_background else ("run", "stdin=subprocess.DEVNULL")
    write_command(folder / "sbatch", _SBATCH.format(python=sys.executable, start=start, apart=apart))
    write_command(folder / "scancel", _SCANCEL.format(python=sys.executable))
