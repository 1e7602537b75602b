"""Measures how well the slices of objects are found that are drawn on one slice.

    python benchmarks/run_range_search.py CASES

CASES contains npz files of volumes with imgs and gts. Each object gets its tight box on the slice where it is largest;
then its slices are found (`litemedsam-infer --extend`). Beside them stand the masks with the true slices, and with
the drawn slice alone.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from litemedsam.engine.predictor import Predictor
from litemedsam.evaluation.cases import read_truth

from litemedsam.archive import open_archive
from litemedsam.overlap import dice

# Objects of fewer voxels are left out.
SMALLEST = 60
COLUMNS = ("overlap of slices", "DSC, found", "DSC, true slices", "DSC, one slice")


def measured(session, truth: np.ndarray) -> tuple[float, ...]:
    """The figures of one object, in the order of `COLUMNS`."""
    areas = truth.sum(axis=(1, 2))
    slices, z = np.flatnonzero(areas), int(areas.argmax())
    rows, columns = np.nonzero(truth[z])
    corners = [columns.min(), rows.min(), columns.max(), rows.max()]
    found = session.extend(corners, z)
    low, high = int(found[2]), int(found[5])
    common = min(high, slices[-1]) - max(low, slices[0]) + 1
    _, rows, columns = np.nonzero(truth)
    whole = [columns.min(), rows.min(), slices[0], columns.max(), rows.max(), slices[-1]]
    ranges = (found, whole, [*corners[:2], z, *corners[2:], z])
    scores = [dice(session.predict(box).masks[0], truth) for box in ranges]
    return common / (max(high, slices[-1]) - min(low, slices[0]) + 1), *scores


@click.command()
@click.argument("cases", type=click.Path(exists=True, path_type=Path), nargs=-1, required=True)
@click.option("--model", type=click.Path(path_type=Path), help="A bundle or its name; the default model without.")
@click.option("--objects", "most", default=3, show_default=True, help="Only so many of a case, the largest ones.")
@click.option("--threads", type=int)
def main(cases: tuple[Path, ...], model: Path | None, most: int, threads: int | None) -> None:
    """Measure the search on CASES, files or folders."""
    paths = [path for given in cases for path in (sorted(given.glob("*.npz")) if given.is_dir() else [given])]
    rows = []
    with Predictor(model, threads=threads) as predictor:
        for path in paths:
            labels = read_truth(path).labels
            if labels.ndim == 2:
                continue
            with open_archive(path) as stored:
                images = stored.read("imgs")
            counts = np.bincount(labels.ravel())[1:]
            chosen = [label + 1 for label in np.argsort(-counts)[:most] if counts[label] >= SMALLEST]
            with predictor.open(images, volume=True) as session:
                own = [measured(session, labels == label) for label in chosen]
            if own:
                rows.append(np.mean(own, axis=0))
                click.echo(f"{path.stem:56s} {' '.join(f'{value:6.3f}' for value in rows[-1])}")
    click.echo(f"mean of {len(rows)} volumes")
    for name, value in zip(COLUMNS, np.mean(rows, axis=0), strict=True):
        click.echo(f"  {name:18s} {value:.3f}")


if __name__ == "__main__":
    main()
