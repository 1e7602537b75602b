"""Compares the masks of the two back ends on a folder of cases, in f32.

    python benchmarks/run_agreement.py CASES --model BUNDLE

Ends with 1 if a result is missing or has another shape than its image, or if fewer than 99.9 % of all voxels agree.
"""

import sys
import tempfile
from pathlib import Path

import click
import numpy as np
from commands import segment

BACKENDS = ("openvino", "onnxruntime")
LEAST = 0.999
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def labels(path: Path) -> np.ndarray:
    """The label map of a result."""
    with np.load(path, allow_pickle=False) as stored:
        return stored["segs"]


def image_shape(path: Path) -> tuple[int, ...]:
    """(H, W) or (D, H, W) of a case."""
    with np.load(path, allow_pickle=False) as stored:
        axes = stored["boxes"].shape[1] // 2
        return stored["imgs"].shape[:axes]


@click.command()
@click.argument("cases", type=_FOLDER)
@click.option("--model", type=_FOLDER, help="A bundle; the default model without.")
def main(cases: Path, model: Path | None) -> None:
    """Segment CASES in both back ends and compare."""
    options = ["--precision", "f32", *(["--model", str(model)] if model else [])]
    shares, equal, total = {}, 0, 0
    with tempfile.TemporaryDirectory() as name:
        for backend in BACKENDS:
            segment(cases, Path(name, backend), "--backend", backend, *options)
        for path in sorted(cases.glob("*.npz")):
            one, other = (labels(Path(name, backend, path.name)) for backend in BACKENDS)
            if not one.shape == other.shape == image_shape(path):
                sys.exit(f"{path.name}: shapes {one.shape} and {other.shape} of an image {image_shape(path)}")
            same = int(np.count_nonzero(one == other))
            shares[path.name] = same / one.size
            equal, total = equal + same, total + one.size
    worst = min(shares, key=shares.__getitem__)
    click.echo(f"{len(shares)} cases, {equal / total:.8%} of {total} voxels agree; worst {worst}: {shares[worst]:.6%}")
    if equal / total < LEAST:
        sys.exit(1)


if __name__ == "__main__":
    main()
