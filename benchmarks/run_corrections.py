"""Measures whether clicks are obeyed, and how long they take.

    python benchmarks/run_corrections.py CASES

CASES contains npz files with imgs and boxes. Random clicks on images: those inside the mask remove, those outside it
add; the pixel must then lie on its side. Times, as ratios to the decoder alone: a click on an encoded image, and one in
the middle of an object that covers all 60 slices of an encoded volume.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, cast

import click
import numpy as np
from litemedsam.engine.predictor import Predictor

if TYPE_CHECKING:
    from litemedsam.engine.sessions.image import ImageSession
    from litemedsam.engine.sessions.volume import VolumeSession

_CLICKS_ON_AN_OBJECT = 10
_REPEATS = 15
_SLICES = 60


def obeyed(predictor: Predictor, folder: Path, count: int) -> dict[bool, list[bool]]:
    """Whether random clicks that add (True) or remove (False) are on their sides afterwards."""
    rng = np.random.default_rng(0)
    told: dict[bool, list[bool]] = {True: [], False: []}
    images = sorted(folder.glob("2D*.npz"))
    while sum(map(len, told.values())) < count:
        for path in images:
            with np.load(path, allow_pickle=False) as stored:
                image, boxes = stored["imgs"], stored["boxes"]
            session = cast("ImageSession", predictor.open(image, volume=False))
            box = boxes[rng.integers(len(boxes))]
            begun = session.begin(box)
            x_min, y_min, x_max, y_max = (int(value) for value in box)
            for _ in range(_CLICKS_ON_AN_OBJECT):
                x, y = int(rng.integers(x_min, x_max + 1)), int(rng.integers(y_min, y_max + 1))
                adds = not begun.mask[y, x]
                after = session.correct(begun, add=[[x, y]] if adds else None, remove=None if adds else [[x, y]])
                told[adds].append(bool(after.mask[y, x]) == adds)
            session.close()
            if sum(map(len, told.values())) >= count:
                break
    return told


def seconds_of(action: Callable[[], object], repeats: int = _REPEATS) -> float:
    """Median seconds of an action, after one that is not counted."""
    action()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return median(taken)


def ball(depth: int) -> np.ndarray:
    """A bright ball in noise, uint8 (depth, 256, 256)."""
    z, y, x = np.ogrid[:depth, :256, :256]
    inside = ((z - depth / 2 + 0.5) / (depth / 2)) ** 2 + ((y - 128) / 60) ** 2 + ((x - 120) / 60) ** 2 <= 1
    noise = np.random.default_rng(0).normal(90, 12, (depth, 256, 256))
    return np.clip(noise + 90 * inside, 0, 255).astype(np.uint8)


def report_times(predictor: Predictor) -> None:
    """Print the times of clicks beside the decoder's."""
    volume = ball(_SLICES)
    image = cast("ImageSession", predictor.open(volume[_SLICES // 2]))
    box = [58, 66, 182, 190]
    begun = image.begin(box)
    decoding = seconds_of(lambda: image.predict([box]))
    clicking = seconds_of(lambda: image.correct(begun, remove=[[120, 128]]))
    click.echo(f"decoder                     {1000 * decoding:7.1f} ms")
    click.echo(f"click on an encoded image   {1000 * clicking:7.1f} ms, {clicking / decoding:.2f} x the decoder (<= 3)")
    session = cast("VolumeSession", predictor.open(volume))
    object_ = session.begin([*box[:2], 0, *box[2:], _SLICES - 1])
    middle = _SLICES // 2
    taken = seconds_of(lambda: session.correct(object_, middle, remove=[[120, 128]]), 5)
    limit = 2 * _SLICES
    click.echo(
        f"click in {_SLICES} encoded slices {1000 * taken:9.1f} ms, {taken / decoding:.1f} x the decoder (<= {limit})"
    )


@click.command()
@click.argument("cases", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="A bundle or its name; the default model without.")
@click.option("--clicks", default=2000, show_default=True, help="Number of random clicks.")
@click.option("--threads", type=int)
def main(cases: Path, model: Path | None, clicks: int, threads: int | None) -> None:
    """Measure corrections, with the images of CASES."""
    with Predictor(model, threads=threads) as predictor:
        report_times(predictor)
        for adds, told in obeyed(predictor, cases, clicks).items():
            click.echo(f"clicks that {'add' if adds else 'remove':6} {sum(told)} of {len(told)} obeyed")


if __name__ == "__main__":
    main()
