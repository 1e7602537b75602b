"""Time the engine on the challenge's standard case shapes, against the published pipeline on the same machine.

    python benchmarks/run_timing.py --quick
    python benchmarks/run_timing.py --json timing.json --chart timing.png

Shared machines are noisy: read the ratios, which come from one run, not the seconds.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import cv2
import numpy as np
from cases import QUICK, STANDARD, StandardCase
from litemedsam.engine.backends import load_graph
from litemedsam.engine.bundle import DECODER, ENCODER, default_bundle
from litemedsam.engine.resources import available_processors

# Of one 256-pixel slice through the encoder graph, image-only decoder work included.
ENCODER_GFLOP = 104.5


@dataclass(frozen=True)
class Timing:
    """One case in one setting.

    Attributes
    ----------
    case, setting : str
    cold : float
        Seconds of a whole process, start to file written.
    warm : float
        Seconds of the case alone, in a process that has its model loaded.
    stages : dict of str to float
    peak_mb : float
        Greatest resident memory of the process, in megabytes.
    baseline : float or None
        Seconds of the published pipeline for the case, without start-up.
    """

    case: str
    setting: str
    cold: float
    warm: float
    stages: dict[str, float]
    peak_mb: float
    baseline: float | None


def latencies(graph, feed: dict[str, np.ndarray], repeats: int) -> float:
    """Median seconds of a graph, first run excluded."""
    graph.run(feed)
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        graph.run(feed)
        seconds.append(perf_counter() - start)
    return median(seconds)


def matrix_product_speed(repeats: int) -> float:
    """GFLOP/s of float32 matrix products of the encoder's sizes, in NumPy."""
    rng = np.random.default_rng(0)
    a, b = rng.random((4096, 1280), np.float32), rng.random((1280, 1280), np.float32)
    a @ b
    seconds = []
    for _ in range(repeats):
        start = perf_counter()
        a @ b
        seconds.append(perf_counter() - start)
    return 2e-9 * a.shape[0] * a.shape[1] * b.shape[1] / median(seconds)


def graph_timings(bundle: Path, settings: list[tuple[str, str]], threads: int, repeats: int) -> dict[str, dict]:
    """Seconds per slice and per prompt for each (back end, precision)."""
    rng = np.random.default_rng(0)
    found = {}
    for backend, precision in settings:
        encoder = load_graph(bundle / ENCODER, backend, precision, threads)
        decoder = load_graph(bundle / DECODER, backend, precision, threads)
        image = {"image": rng.random((1, 3, 256, 256), np.float32)}
        embedding = encoder.run(image)
        prompt = {
            "boxes": np.float32([[40, 50, 180, 200]]),
            "points": np.full((1, 4, 2), 100, np.float32),
            "scribbles": np.zeros((1, 256, 256), np.uint8),
        }
        found[f"{backend} {precision}"] = {
            "encode": latencies(encoder, image, repeats),
            "decode": latencies(decoder, {**embedding, **prompt}, repeats),
        }
        encoder.close()
        decoder.close()
    return found


def run_process(case_file: Path, folder: Path, backend: str, precision: str, threads: int) -> tuple[float, float, dict]:
    """Seconds, peak megabytes and report of ``litemedsam-infer`` on one case, in a process of its own."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "litemedsam", str(case_file), "-o", str(folder / "out"), "--overwrite", "-q"]
    command += ["--backend", backend, "--precision", precision, "--threads", str(threads), "--report", str(report)]
    start = perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise click.ClickException(f"litemedsam-infer failed on {case_file.name}")
    return seconds, usage.ru_maxrss / 1000, json.loads(report.read_text())["cases"][0]


def time_case(
    case: StandardCase, settings: list[tuple[str, str]], threads: int, baseline: float | None
) -> list[Timing]:
    """A case in every setting."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "case.npz"
        np.savez(path, **case.arrays())
        for backend, precision in settings:
            cold, peak, entry = run_process(path, folder, backend, precision, threads)
            stages = entry["seconds"]
            warm = stages.pop("total")
            found.append(Timing(case.name, f"{backend} {precision}", cold, warm, stages, peak, baseline))
    return found


def chart(timings: list[Timing]) -> np.ndarray:
    """Bars of seconds per case, cold, on a logarithmic scale; uint8 (h, w, 3) in BGR."""
    row, left, width = 22, 330, 1100
    picture = np.full((row * (len(timings) + 2), width, 3), 255, np.uint8)
    longest = max(max(t.cold, t.baseline or 0) for t in timings)

    def end(seconds: float) -> int:
        share = np.log10(max(seconds, 0.1) / 0.1) / np.log10(longest / 0.1)
        return left + int(share * (width - left - 120))

    for k, timing in enumerate(timings):
        top = row * (k + 1)
        cv2.putText(
            picture, f"{timing.case} {timing.setting}", (6, top + 15), cv2.FONT_HERSHEY_PLAIN, 0.9, (40, 40, 40), 1
        )
        if timing.baseline is not None:
            cv2.rectangle(picture, (left, top + 3), (end(timing.baseline), top + 18), (215, 215, 215), -1)
        cv2.rectangle(picture, (left, top + 6), (end(timing.cold), top + 15), (180, 110, 30), -1)
        cv2.putText(
            picture, f"{timing.cold:.2f} s", (end(timing.cold) + 6, top + 15), cv2.FONT_HERSHEY_PLAIN, 0.9, (0, 0, 0), 1
        )
    legend = "blue: whole process; grey: published pipeline, eager PyTorch, without start-up; logarithmic"
    cv2.putText(picture, legend, (6, 15), cv2.FONT_HERSHEY_PLAIN, 0.9, (0, 0, 0), 1)
    return picture


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Three small cases instead of the fourteen.")
@click.option(
    "--backend", "backends", multiple=True, type=click.Choice(["openvino", "onnxruntime"]), help="Repeatable."
)
@click.option("--precision", "precisions", multiple=True, type=click.Choice(["f32", "bf16"]), help="Repeatable.")
@click.option("--threads", type=click.IntRange(1), default=available_processors(), show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True, help="Of the single graphs.")
@click.option("--no-baseline", is_flag=True, help="Leave the published pipeline out (it needs PyTorch).")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures here.")
@click.option("--chart", "chart_file", type=click.Path(path_type=Path), help="Write a PNG chart here.")
def main(quick, backends, precisions, threads, repeats, no_baseline, json_file, chart_file) -> None:
    """Time the default model on the challenge's standard case shapes."""
    backends, precisions = backends or ("openvino",), precisions or ("f32", "bf16")
    # ONNX Runtime computes in f32 only.
    settings = [(b, p) for b in backends for p in precisions if b == "openvino" or p == "f32"]
    speed = matrix_product_speed(repeats)
    cost = None
    if not no_baseline:
        import baseline

        cost = baseline.measure(threads, repeats)
        click.echo(f"published pipeline, eager PyTorch: {cost.encode:.3f} s per slice, {cost.decode:.3f} s per prompt")
    graphs = graph_timings(default_bundle(), settings, threads, repeats)
    for setting, seconds in graphs.items():
        gflops = ENCODER_GFLOP / seconds["encode"]
        ratio = ""
        if cost is not None:
            ratio = f"; {cost.encode / seconds['encode']:.2f}× and {cost.decode / seconds['decode']:.2f}× as fast"
        click.echo(
            f"{setting}: {seconds['encode']:.3f} s per slice, {seconds['decode']:.3f} s per prompt{ratio}; "
            f"encoder {gflops:.0f} GFLOP/s, {gflops / speed:.0%} of float32 matrix products ({speed:.0f})"
        )
    click.echo(f"{'case':34}{'setting':18}{'cold s':>9}{'warm s':>9}{'peak MB':>9}{'published s':>13}{'ratio':>8}")
    timings = []
    for case in QUICK if quick else STANDARD:
        for timing in time_case(case, settings, threads, None if cost is None else cost.of(case)):
            timings.append(timing)
            published = (
                "" if timing.baseline is None else f"{timing.baseline:13.1f}{timing.baseline / timing.warm:7.1f}×"
            )
            click.echo(
                f"{timing.case:34}{timing.setting:18}{timing.cold:9.2f}{timing.warm:9.2f}{timing.peak_mb:9.0f}{published}"
            )
    if json_file is not None:
        content = {
            "threads": threads,
            "matrix_product_gflops": speed,
            "published": None if cost is None else asdict(cost),
            "graphs": graphs,
            "cases": [asdict(timing) for timing in timings],
        }
        json_file.write_text(json.dumps(content, indent=2) + "\n")
    if chart_file is not None:
        cv2.imwrite(str(chart_file), chart(timings))


if __name__ == "__main__":
    main()
