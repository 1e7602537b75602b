"""Measures what clicks add to a box: DSC and NSD after a box and after each of five clicks.

    python benchmarks/run_clicks.py CASES --json clicks.json

CASES contains npz files with imgs, boxes and gts. The clicks are those of `litemedsam.evaluation.clicks`. Beside the
network's corrections stand those of a baseline that needs no training: a click raises or lowers the first logits around
it.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.region import to_region
from litemedsam.engine.predictor import Predictor
from litemedsam.engine.sessions.history import ObjectHistory
from litemedsam.engine.sessions.volume import VolumeSession
from litemedsam.evaluation.clicks import Click, next_click
from litemedsam.evaluation.groups import group_of
from litemedsam.evaluation.surface import surface_dice

from litemedsam.atomic import write_atomically
from litemedsam.overlap import dice

TOLERANCE = 2.0
# Of the baseline: standard deviation in pixels of the frame, and height, of what a click adds to the logits.
REACH, HEIGHT = 8.0, 10.0


def objects(path: Path, most: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]]]:
    """The image, the box, the mask and the spacing (in the order of the axes) of a case's first objects."""
    with np.load(path, allow_pickle=False) as stored:
        images, marks, boxes = (stored[name] for name in ("imgs", "gts", "boxes"))
        spacing = tuple(map(float, stored["spacing"][::-1])) if marks.ndim == 3 and "spacing" in stored.files else ()
    for number, box in enumerate(boxes[:most], start=1):
        if (marks == number).any():
            yield images, box, marks == number, spacing or (1.0,) * marks.ndim


def corrected(session, history: ObjectHistory, made: Click) -> ObjectHistory:
    """The history after a click."""
    point = [float(at) for at in made.place[-1:-3:-1]]
    given = {"add": [point]} if made.adds else {"remove": [point]}
    if isinstance(session, VolumeSession):
        return session.correct(history, made.place[0], **given)
    return session.correct(history, **given)


def baseline(history: ObjectHistory, clicks: list[Click], frame: Frame) -> np.ndarray:
    """The mask of a box on an image, changed around clicks without any training."""
    one = history.states[0].slices[0]
    rows, columns = np.ogrid[: one.logits.shape[0], : one.logits.shape[1]]
    logits = one.logits.astype(float)
    for made in clicks:
        y, x = ((at + 0.5) * frame.scale - 0.5 for at in made.place)
        bump = HEIGHT * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * REACH**2))
        logits += bump if made.adds else -bump
    return to_region(logits.astype(np.float32), frame).full(frame.height, frame.width)


def frame_side(history: ObjectHistory) -> int:
    """The side of the network's frame."""
    return len(next(iter(history.states[0].slices.values())).logits)


def measure(session, box: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...], count: int) -> dict:
    """Figures of one object: lists of `count` + 1 values, the box's own first."""
    history = session.begin(box)
    figures = defaultdict(list)
    frame = Frame.of(truth.shape[-2], truth.shape[-1], frame_side(history))
    simple, clicks = history.mask, []

    def record(mask: np.ndarray, plain: np.ndarray | None) -> None:
        figures["dsc"].append(dice(mask, truth))
        figures["nsd"].append(surface_dice(mask, truth, spacing, TOLERANCE))
        if plain is not None:
            figures["baseline"].append(dice(plain, truth))

    flat = truth.ndim == 2
    record(history.mask, simple if flat else None)
    for _ in range(count):
        made = next_click(truth, history.mask)
        started = time.perf_counter()
        if made is not None:
            history = corrected(session, history, made)
        figures["seconds"].append(time.perf_counter() - started)
        other = next_click(truth, simple) if flat else None
        if other is not None:
            clicks.append(other)
            simple = baseline(history, clicks, frame)
        record(history.mask, simple if flat else None)
    return figures


@click.command()
@click.argument("cases", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="A bundle or its name; the default model without.")
@click.option("--clicks", "count", default=5, show_default=True)
@click.option("--objects", "most", default=4, show_default=True, help="Largest number of objects of a case.")
@click.option("--only", default="*", show_default=True, help="Pattern of the cases' names.")
@click.option("--threads", type=int)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
def main(
    cases: Path, model: Path | None, count: int, most: int, only: str, threads: int | None, json_path: Path | None
) -> None:
    """Measure clicks on CASES."""
    found: dict[str, list[dict]] = defaultdict(list)
    with Predictor(model, threads=threads) as predictor:
        for path in sorted(cases.glob(f"{only}.npz")):
            present = list(objects(path, most))
            if not present:
                continue
            axes = present[0][2].ndim
            with predictor.open(present[0][0], volume=axes == 3) as session:
                own = [measure(session, box, truth, spacing, count) for _, box, truth, spacing in present]
            means = {name: np.mean([one[name] for one in own], axis=0) for name in own[0]}
            found[group_of(path.stem, axes)].append(means)
    groups = {
        group: {name: np.mean([one[name] for one in members], axis=0).tolist() for name in members[0]}
        for group, members in sorted(found.items())
    }
    for name in ("dsc", "nsd", "baseline"):
        click.echo(f"{name}, after the box and {count} clicks")
        rows = {group: values[name] for group, values in groups.items() if name in values}
        for kind in ("2D", "3D"):
            chosen = [row for group, row in rows.items() if ("3D" in group) == (kind == "3D")]
            if chosen:
                rows[f"mean, {kind}"] = np.mean(chosen, axis=0).tolist()
        for group, row in rows.items():
            area = np.mean([(a + b) / 2 for a, b in pairwise(row)])
            click.echo(f"  {group:16s} {' '.join(f'{100 * value:6.2f}' for value in row)}   area {area:.4f}")
    click.echo(f"seconds per click, median {np.median([np.median(v['seconds']) for v in groups.values()]):.3f}")
    if json_path:
        text = json.dumps(groups, indent=1).encode()
        write_atomically(json_path, lambda file: file.write(text), "give another path with --json")


if __name__ == "__main__":
    main()
