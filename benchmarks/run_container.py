"""The challenge's timing protocol: one case per ``docker run``, timed from start to end, start-up included.

    python benchmarks/run_container.py IMAGE CASES --csv times.csv --results results

The call is the challenge's own, so any team's image works. The table has the columns CaseName and RunningTime (seconds)
of the organisers' script, then PeakMemoryMB and ExitCode.
"""

import csv
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import click
from commands import refuse_inputs
from tqdm import tqdm

CHALLENGE_COMMAND = ("/bin/bash", "-c", "sh predict.sh")
COLUMNS = ("CaseName", "RunningTime", "PeakMemoryMB", "ExitCode")
_CGROUPS = Path("/sys/fs/cgroup")
# The processes' own memory, in control groups version 1 and 2; files cached by the kernel do not count.
_HELD = ("total_rss", "anon")
_SECONDS_BETWEEN_SAMPLES = 0.02


@dataclass(frozen=True)
class Run:
    """One case in one container.

    Attributes
    ----------
    seconds : float
        Wall time of the whole ``docker run``.
    peak_bytes : int
        Peak memory of the container's processes, sampled; 0 if the kernel's figures cannot be read.
    exit_code : int
        137 for a container that was killed because of its memory.
    message : str
        The error stream.
    """

    seconds: float
    peak_bytes: int
    exit_code: int
    message: str


class MemoryWatch(threading.Thread):
    """Samples the memory of a container from the outside.

    Parameters
    ----------
    identifier : Path
        The file into which ``docker run --cidfile`` writes the container's id.

    Attributes
    ----------
    peak : int
        The largest sample, in bytes.
    """

    def __init__(self, identifier: Path):
        super().__init__(daemon=True)
        self.identifier = identifier
        self.peak = 0
        self._over = threading.Event()
        self._account: Path | None = None

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._over.wait(_SECONDS_BETWEEN_SAMPLES):
            self._account = self._account or self._find()
            if self._account is not None:
                self.peak = max(self.peak, self._held())

    def stop(self) -> int:
        """Stop sampling and return the peak."""
        self._over.set()
        self.join()
        return self.peak

    def _find(self) -> Path | None:
        name = self.identifier.read_text().strip() if self.identifier.exists() else ""
        if not name:
            return None
        memory = _CGROUPS / "memory"
        groups = (memory if memory.is_dir() else _CGROUPS).rglob(f"*{name}*")
        return next((group / "memory.stat" for group in groups if (group / "memory.stat").is_file()), None)

    def _held(self) -> int:
        if self._account is None:
            return 0
        try:
            entries = dict(line.split(maxsplit=1) for line in self._account.read_text().splitlines())
        except OSError:
            return 0
        return next((int(entries[key]) for key in _HELD if key in entries), 0)


def run_case(image: str, case: Path, folder: Path, memory: str, command: tuple[str, ...]) -> Run:
    """Run a container on one case.

    Parameters
    ----------
    image : str
    case : Path
    folder : Path
        An empty folder; gets ``inputs`` and ``outputs``.
    memory : str
        The limit in docker's notation.
    command : tuple of str
        The command in the container; empty for the image's default.
    """
    inputs, outputs = folder / "inputs", folder / "outputs"
    inputs.mkdir()
    outputs.mkdir()
    # For images with a user other than root and this one.
    outputs.chmod(0o777)
    shutil.copy(case, inputs)
    name = f"timing-{uuid.uuid4().hex[:12]}"
    identifier = folder / "container"
    mounts = ("-v", f"{inputs}/:/workspace/inputs/", "-v", f"{outputs}/:/workspace/outputs/")
    watch = MemoryWatch(identifier)
    watch.start()
    flags = ("-m", memory, "--network", "none", "--name", name, "--rm", "--cidfile", identifier, *mounts)
    start = perf_counter()
    done = subprocess.run(["docker", "container", "run", *flags, image, *command], capture_output=True, text=True)
    seconds = perf_counter() - start
    return Run(seconds, watch.stop(), done.returncode, done.stderr)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("image")
@click.argument("cases", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--csv", "table", type=click.Path(path_type=Path), default="times.csv", show_default=True, help="Table.")
@click.option("--results", type=click.Path(path_type=Path), help="Folder to move results to; dropped when absent.")
@click.option("--memory", default="8G", show_default=True, help="Limit of each container.")
@click.option("--own-command", is_flag=True, help="Leave the challenge's command out: -i inputs -o outputs instead.")
def main(image: str, cases: Path, table: Path, results: Path | None, memory: str, own_command: bool) -> None:
    """Time IMAGE on each npz file of CASES; exits with 1 when a case failed."""
    paths = sorted(cases.glob("*.npz"))
    if not paths:
        raise click.ClickException(f"{cases}: holds no .npz files")
    if shutil.which("docker") is None:
        raise click.ClickException("there is no docker on PATH")
    for output in (table, *(results / case.name for case in paths if results is not None)):
        refuse_inputs(output, paths)
    command = ("-i", "inputs", "-o", "outputs") if own_command else CHALLENGE_COMMAND
    failed = 0
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for case in tqdm(paths, unit="case", disable=not sys.stderr.isatty()):
            with tempfile.TemporaryDirectory(prefix="timing-", ignore_cleanup_errors=True) as name:
                run = run_case(image, case, Path(name), memory, command)
                produced = [path for path in (Path(name) / "outputs").iterdir() if path.is_file()]
                if results is not None:
                    results.mkdir(parents=True, exist_ok=True)
                    for path in produced:
                        shutil.copyfile(path, results / path.name)
            rows.writerow([case.name, f"{run.seconds:.3f}", f"{run.peak_bytes / 1e6:.0f}", run.exit_code])
            file.flush()
            if run.exit_code != 0 or not produced:
                failed += 1
                reason = run.message.strip().splitlines()[-1:] or ["no result"]
                click.echo(f"{case.name}: exit code {run.exit_code}: {reason[0]}", err=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
