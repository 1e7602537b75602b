"""Compares several engines at once on one machine with the same work one after the other.

    python benchmarks/run_load.py                       # four processes, the example volume
    python benchmarks/run_load.py --engines 2 --repeats 5

First, one engine with all processors does the work of all. Then all engines work at the same time, each with its share
of the processors. The figure is the second time divided by the first, both without start-up.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import IO, cast

import click
from litemedsam.engine.system.resources import available_processors

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "3DBox_phantom.npz"
# Prints "ready", waits for a line, works, and prints "done".
ENGINE = """
import sys
from pathlib import Path
from litemedsam import Predictor
from litemedsam.engine.io.npz import read_case
case = read_case(Path(sys.argv[1]))
predictor = Predictor(threads=int(sys.argv[2]))
predictor.segment_case(case)
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        predictor.segment_case(case)
    print("done", flush=True)
"""


class Engine:
    """A process with its own model."""

    def __init__(self, case: Path, threads: int):
        command = [sys.executable, "-c", ENGINE, str(case), str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._orders, self._answers = cast(IO[str], self.process.stdin), cast(IO[str], self.process.stdout)
        self.wait("ready")

    def wait(self, word: str) -> None:
        """Wait until the process prints a word."""
        said = self._answers.readline().strip()
        if said != word:
            raise SystemExit(f"an engine ended before it was {word}")

    def start(self, cases: int) -> None:
        """Start work on a number of cases."""
        self._orders.write(f"{cases}\n")
        self._orders.flush()

    def close(self) -> None:
        """End the process."""
        self._orders.close()
        self.process.wait()


@click.command()
@click.argument("case", type=click.Path(exists=True, path_type=Path), default=EXAMPLE)
@click.option("--engines", type=click.IntRange(1), default=4, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
def main(case: Path, engines: int, repeats: int) -> None:
    """Time ENGINES processes on CASE, an npz file."""
    processors = available_processors()
    together = [Engine(case, max(processors // engines, 1)) for _ in range(engines)]
    alone = Engine(case, processors)
    ratios = []
    for _ in range(repeats):
        start = perf_counter()
        alone.start(engines)
        alone.wait("done")
        middle = perf_counter()
        for engine in together:
            engine.start(1)
        for engine in together:
            engine.wait("done")
        end = perf_counter()
        ratios.append((end - middle) / (middle - start))
        click.echo(f"one after the other {middle - start:.2f} s, at once {end - middle:.2f} s: {ratios[-1]:.2f}")
    for engine in (alone, *together):
        engine.close()
    click.echo(f"{engines} engines on {processors} processors: median {median(ratios):.2f} × their total work")


if __name__ == "__main__":
    main()
