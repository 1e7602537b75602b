"""The figures that the engine must reach, as ratios within one run."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter

import numpy as np
from baseline import BaselineCost, whole_process
from cases import FOUR_BOXES, SIX_OBJECTS, STANDARD, StandardCase
from graphs import ENCODER_GFLOP, GraphTiming
from litemedsam.engine.inference.streams import Streams, streams_of
from litemedsam.engine.predictor import Predictor
from processes import MODEL, Timing, time_process

SLICES, BOXES = (10, 40, 120, 300), (1, 31, 81, 161, 241)


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name : str
    value : float
    unit : str
    wanted : str
        The least or the most allowed, and the aim.
    """

    name: str
    value: float
    unit: str
    wanted: str = ""

    def text(self) -> str:
        """As a line of a table."""
        return f"{self.name:62}{self.value:9.2f} {self.unit:6}{self.wanted}"


_ENCODER = {"f32": "≥ 1.2, aim 1.5", "bf16": "≥ 2.2, aim 3", "int8": "≥ 3.2, aim 5"}
_PLAIN_ENCODER = {"f32": "≥ 1.2", "bf16": "≥ 2", "int8": "≥ 3"}
_DECODER = {"f32": "≥ 2.3, aim 3", "bf16": "≥ 4, aim 6"}


def of_graphs(
    timings: Sequence[GraphTiming], costs: dict[str, BaselineCost], speed: float, fastest: str
) -> list[Figure]:
    """Compute the figures that follow from the graphs alone.

    Parameters
    ----------
    timings : sequence of GraphTiming
    costs : dict of str to BaselineCost
    speed : float
        GFLOP/s of matrix products.
    fastest : str
        The default precision of volumes.
    """
    found = []
    for timing in timings:
        if timing.backend != "openvino":
            continue
        swin, cost, name = timing.model == "swin_litemedsam", costs[timing.model], f"{timing.model} {timing.precision}"
        wanted = (_ENCODER if swin else _PLAIN_ENCODER)[timing.precision]
        found.append(Figure(f"{name}: encoder, one image, to PyTorch", cost.encode / timing.encode, "×", wanted))
        wanted = "≥ 3.6, aim 5" if swin and timing.precision == fastest else ""
        ratio = cost.encode / timing.encode_each
        found.append(Figure(f"{name}: encoder, per slice of several, to PyTorch", ratio, "×", wanted))
        if timing.precision != "int8":
            best = min(timing.decode, timing.decode_each)
            wanted = _DECODER[timing.precision] if swin else ""
            found.append(Figure(f"{name}: decoder, per prompt, to PyTorch", cost.decode / best, "×", wanted))
        if swin and timing.precision == "f32":
            share = 100 * ENCODER_GFLOP / min(timing.encode, timing.encode_each) / speed
            found.append(Figure(f"{name}: encoder, share of matrix product speed", share, "%", "≥ 75, aim 90"))
    return found


def _ratio(timing: Timing) -> float:
    if timing.ratio is None:
        raise ValueError("a timing without a baseline")
    return timing.ratio


def of_processes(cost: BaselineCost, start_up: float, precisions: Sequence[str], threads: int) -> list[Figure]:
    """Compare whole processes with the published pipeline, start-up included.

    Parameters
    ----------
    cost : BaselineCost
    start_up : float
        Start-up of the published pipeline, in seconds.
    precisions : sequence of str
        Precisions for the command: ``f32`` first, then those to compare with it.
    threads : int
    """
    found = []
    image = whole_process(FOUR_BOXES, threads, 3)
    for precision in precisions:
        exact = precision == "f32"
        timing = time_process(SIX_OBJECTS, "openvino", precision, threads, False, start_up + cost.of(SIX_OBJECTS))
        wanted = "≥ 5, aim 6" if exact else "≥ 12, aim 18"
        name = f"{precision} ({timing.precision})"
        found.append(Figure(f"{name}: 60×512×512, six objects, whole process", _ratio(timing), "×", wanted))
        runs = [time_process(FOUR_BOXES, "openvino", precision, threads, False, image) for _ in range(3)]
        wanted = "" if exact else "≥ 4.5, aim 6"
        ratio = median(_ratio(run) for run in runs)
        found.append(Figure(f"{name}: 2604×1726, four boxes, whole process", ratio, "×", wanted))
    largest = STANDARD[0]
    timing = time_process(largest, "openvino", precisions[-1], threads, False)
    found.append(
        Figure(f"{timing.precision}: 287×512×512, six objects: peak memory", timing.peak_mb, "MB", "< 1500, 1000")
    )
    found.append(Figure(f"{timing.precision}: 287×512×512, six objects: whole process", timing.cold, "s"))
    return found


def deviation_from_line(x: Sequence[float], y: Sequence[float]) -> float:
    """Largest relative deviation of y from its best relative fit by a line in x, in percent."""
    across, up = np.asarray(x, float), np.asarray(y, float)
    design = np.stack([1 / up, across / up], axis=1)
    coefficients = np.linalg.lstsq(design, np.ones(len(up)), rcond=None)[0]
    return 100 * float(np.abs(design @ coefficients - 1).max())


def of_growth(precision: str, threads: int) -> list[Figure]:
    """Measure the growth of the cost with slices, boxes and objects, in a warm process."""
    predictor = Predictor(MODEL, precision=precision, threads=threads)

    def seconds(case: StandardCase) -> tuple[float, float]:
        arrays = case.arrays()
        start = perf_counter()
        stages = predictor.segment(arrays["imgs"], arrays["boxes"]).seconds
        total = perf_counter() - start - stages["load"]
        return total, stages["prompts"] + stages["masks"]

    small = StandardCase("3DBox_growth", (10, 512, 512), 1)
    seconds(small)
    by_slices = {n: seconds(replace(small, shape=(n, 512, 512)))[0] for n in SLICES}
    some = SLICES[1]
    one, six = by_slices[some], seconds(replace(small, shape=(some, 512, 512), objects=6))[0]
    image = StandardCase("2DBox_growth", (1920, 2560, 3), 2)
    seconds(image)
    by_boxes = {n: seconds(replace(image, objects=n)) for n in BOXES}
    most = BOXES[-1]
    alone = replace(small, shape=(some, 512, 512))
    encoding = _encoding_alone(predictor, alone, threads)
    predictor.close()
    return [
        Figure(
            f"seconds over {SLICES[0]} to {SLICES[-1]} slices: from a line",
            deviation_from_line(*_xy(by_slices)),
            "%",
            "≤ 10",
        ),
        Figure(
            f"seconds over {BOXES[0]} to {most} boxes: from a line",
            deviation_from_line(*_xy({n: total for n, (total, _) in by_boxes.items()})),
            "%",
            "≤ 10",
        ),
        Figure("one more object on an encoded volume, of encoding it", 100 * (six - one) / 5 / encoding, "%", "≤ 12"),
        Figure("per box of 1920×2560 with 241, beside the decoder", 1000 * by_boxes[most][1] / most, "ms", "≤ 3"),
        Figure("per box of 1920×2560 with 241", 1000 * by_boxes[most][0] / most, "ms"),
    ]


def _xy(values: dict[int, float]) -> tuple[list[int], list[float]]:
    return list(values), list(values.values())


def _encoding_alone(predictor: Predictor, case: StandardCase, threads: int) -> float:
    pixels = case.arrays()["imgs"]
    streams = streams_of(threads)
    predictor.network.prepare(Streams(streams, streams))
    with ThreadPoolExecutor(streams) as pool:
        start = perf_counter()
        # Embeddings come back one at a time, so that no more are in memory than for a volume.
        for _ in pool.map(lambda image: predictor.network.encode(image).nbytes, pixels):
            pass
        return perf_counter() - start
