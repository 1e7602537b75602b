"""Times the engine on the challenge's standard case shapes, against the published pipeline on the same machine.

    python benchmarks/run_timing.py --quick
    python benchmarks/run_timing.py --full --json timing.json --chart timing.png

Shared machines are noisy. Read the ratios, which come from one run, not the seconds.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
import cv2
import figures
import numpy as np
from cases import QUICK, STANDARD
from graphs import matrix_product_speed, time_graphs, untrained_litemedsam
from litemedsam.engine.backends.registry import native_precisions
from litemedsam.engine.bundle.packaged import bundle_folder
from litemedsam.engine.bundle.precision import available
from litemedsam.engine.system.resources import available_processors
from processes import MODEL, Timing, precisions_of_the_command, time_process


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
            picture,
            f"{timing.case} {timing.backend} {timing.precision}",
            (6, top + 15),
            cv2.FONT_HERSHEY_PLAIN,
            0.9,
            (40, 40, 40),
            1,
        )
        if timing.baseline is not None:
            cv2.rectangle(picture, (left, top + 3), (end(timing.baseline), top + 18), (215, 215, 215), -1)
        cv2.rectangle(picture, (left, top + 6), (end(timing.cold), top + 15), (180, 110, 30), -1)
        cv2.putText(
            picture, f"{timing.cold:.2f} s", (end(timing.cold) + 6, top + 15), cv2.FONT_HERSHEY_PLAIN, 0.9, (0, 0, 0), 1
        )
    legend = "blue: whole process; grey: published pipeline in eager PyTorch; logarithmic"
    cv2.putText(picture, legend, (6, 15), cv2.FONT_HERSHEY_PLAIN, 0.9, (0, 0, 0), 1)
    return picture


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Three small cases instead of the fourteen.")
@click.option("--full", is_flag=True, help="Also the figures that take long: large volumes, growth.")
@click.option("--no-cases", is_flag=True, help="Leave the cases out.")
@click.option(
    "--backend", "backends", multiple=True, type=click.Choice(["openvino", "onnxruntime"]), help="Repeatable."
)
@click.option("--precision", "asked", multiple=True, help="For the cases, as litemedsam-infer takes it; repeatable.")
@click.option("--litemedsam", type=click.Path(path_type=Path), help="LiteMedSAM bundle; random weights when absent.")
@click.option("--threads", type=click.IntRange(1), default=available_processors(), show_default=True)
@click.option("--repeats", type=click.IntRange(1), help="Of the single graphs; 5, or 3 with --quick.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures here.")
@click.option("--chart", "chart_file", type=click.Path(path_type=Path), help="Write a PNG chart here.")
def main(quick, full, no_cases, backends, asked, litemedsam, threads, repeats, json_file, chart_file) -> None:
    """Time Swin-LiteMedSAM and LiteMedSAM, graphs alone and the former on whole cases.

    Needs PyTorch for the published pipeline.
    """
    import baseline
    import published

    backends, repeats = backends or ("openvino",), repeats or (3 if quick else 5)
    native = available(bundle_folder(MODEL), native_precisions("openvino"))
    # The command's own choice if it has one, else the fastest.
    by_default = "auto" if "auto" in precisions_of_the_command() else native[-1]
    asked = asked or tuple(dict.fromkeys(("f32", by_default)))
    speed = matrix_product_speed(threads, repeats)
    click.echo(f"{threads} threads; float32 matrix products: {speed:.0f} GFLOP/s")
    costs = baseline.measure(threads, repeats)
    start_up = baseline.start_up(threads, 1 if quick else 3)
    for name, cost in costs.items():
        click.echo(f"{name}, eager PyTorch: {cost.encode:.3f} s per slice, {cost.decode:.3f} s per prompt")
    lacking = ", ".join(published.missing())
    note = f", without {lacking}, which is not installed" if lacking else ""
    click.echo(f"the published script's start-up: {start_up:.2f} s{note}")
    graphs, swin = [], bundle_folder(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        for bundle in (swin, litemedsam or untrained_litemedsam(Path(folder) / "litemedsam")):
            for backend in backends:
                for precision in available(bundle, native_precisions(backend)):
                    graphs.append(time_graphs(bundle, backend, precision, threads, repeats))
                    one = graphs[-1]
                    click.echo(
                        f"{one.model:16}{backend:12}{precision:5}"
                        f"{one.encode:7.3f} s per slice, {one.encode_each:.3f} of several; "
                        f"{one.decode:.3f} s per prompt, {one.decode_each:.3f} of several"
                    )
    found = figures.of_graphs(graphs, costs, speed, native[-1])
    cost = costs["swin_litemedsam"]
    if full:
        found += figures.of_processes(cost, start_up, asked, threads)
        found += figures.of_growth(asked[-1], threads)
    timings = [] if no_cases else _cases(quick, backends, asked, threads, cost, start_up)
    click.echo(f"\n{'figure':62}{'value':>9} {'':6}wanted")
    for figure in found:
        click.echo(figure.text())
    if json_file is not None:
        content = {
            "threads": threads,
            "matrix_product_gflops": speed,
            "published": {name: asdict(cost) for name, cost in costs.items()},
            "published_start_up": start_up,
            "graphs": [asdict(timing) for timing in graphs],
            "figures": [asdict(figure) for figure in found],
            "cases": [asdict(timing) for timing in timings],
        }
        json_file.write_text(json.dumps(content, indent=2) + "\n")
    if chart_file is not None and timings:
        cv2.imwrite(str(chart_file), chart(timings))


def _cases(quick, backends, asked, threads, cost, start_up) -> list[Timing]:
    click.echo(
        f"\n{'case':34}{'setting':18}{'cold s':>9}{'warm s':>9}{'peak MB':>9}{'published s':>13}{'ratio':>8}  stages"
    )
    timings = []
    for case in QUICK if quick else STANDARD:
        for backend in backends:
            # ONNX Runtime computes in f32 only.
            for precision in asked if backend == "openvino" else ("f32",):
                published = start_up + cost.of(case)
                timing = time_process(case, backend, precision, threads, True, published)
                timings.append(timing)
                stages = ", ".join(f"{name} {value:.2f}" for name, value in timing.stages.items())
                click.echo(
                    f"{timing.case:34}{f'{backend} {timing.precision}':18}{timing.cold:9.2f}{timing.warm:9.2f}"
                    f"{timing.peak_mb:9.0f}{published:13.1f}{timing.ratio:7.1f}×  {stages}"
                )
    return timings


if __name__ == "__main__":
    main()
