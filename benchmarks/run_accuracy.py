"""Measures DSC and NSD of a bundle on a folder of cases, with tight and enlarged boxes, beside the naive rivals.

    python benchmarks/run_accuracy.py CASES --json accuracy.json

CASES contains npz files with imgs, boxes and gts. The figures are the corrected figures of ``litemedsam-eval``.
"""

import json
import shutil
import tempfile
import zlib
from pathlib import Path

import click
import numpy as np
from commands import evaluate, refuse_inputs, segment

from litemedsam.atomic import write_atomically

RIVALS = ("box", "ellipse", "grabcut")
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def enlarge(boxes: np.ndarray, shape: tuple[int, ...], share: float, rng: np.random.Generator) -> np.ndarray:
    """Move each side of the boxes in the plane outwards at random.

    Parameters
    ----------
    boxes : ndarray
        (n, 4) x_min, y_min, x_max, y_max or (n, 6) with z_min and z_max; ends included.
    shape : tuple of int
        (..., H, W) of the image; boxes stay inside.
    share : float
        A side moves by at most this share of the box's width or height.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray
        int64, of the same shape; slices do not change.
    """
    enlarged = boxes.astype(np.int64)
    axes = boxes.shape[1] // 2
    for axis, length in ((0, shape[-1]), (1, shape[-2])):
        side = boxes[:, axes + axis] - boxes[:, axis] + 1
        low, high = (np.rint(rng.uniform(0, share, len(boxes)) * side) for _ in range(2))
        enlarged[:, axis] = np.maximum(boxes[:, axis] - low, 0)
        enlarged[:, axes + axis] = np.minimum(boxes[:, axes + axis] + high, length - 1)
    return enlarged


def write_enlarged(cases: Path, folder: Path, share: float) -> None:
    """Copy cases with enlarged boxes; the random draw of a case depends only on its name."""
    folder.mkdir()
    for path in sorted(cases.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        rng = np.random.default_rng(zlib.crc32(path.name.encode()))
        arrays["boxes"] = enlarge(arrays["boxes"], arrays["gts"].shape, share, rng)
        np.savez(folder / path.name, **arrays)


def measured(cases: Path, truths: Path, work: Path, *options: str, rivals: bool = False) -> dict:
    """Segment and evaluate a folder; return the parsed report of ``litemedsam-eval``."""
    segment(cases, work / "segs", *options)
    evaluate(work / "segs", truths, work / "figures.json", *(["--rivals"] if rivals else []))
    shutil.rmtree(work / "segs")
    return json.loads((work / "figures.json").read_text(encoding="utf-8"))


@click.command()
@click.argument("cases", type=_FOLDER)
@click.option("--model", type=click.Path(path_type=Path), help="A bundle or its name; the default model without.")
@click.option("--precision", default="f32", show_default=True)
@click.option("--enlarged", default=0.05, show_default=True, help="Largest share by which a box's sides move.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
def main(cases: Path, model: Path | None, precision: str, enlarged: float, json_path: Path | None) -> None:
    """Measure a bundle on CASES."""
    if json_path:
        refuse_inputs(json_path, cases.glob("*.npz"))
    options = ["--precision", precision, *(["--model", str(model)] if model else [])]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        tight = measured(cases, cases, work, *options, rivals=True)["means"]
        write_enlarged(cases, work / "enlarged", enlarged)
        loose = measured(work / "enlarged", cases, work, *options)["means"]
    columns = {
        "DSC": tight["masks"],
        "enlarged": loose["masks"],
        **{rival: tight[rival] for rival in RIVALS},
    }
    click.echo(f"{'':14}" + "".join(f"{column:>10}" for column in columns) + f"{'NSD':>10}")
    for group in [*tight["masks"]["corrected"]["groups"], "macro"]:
        values = [row(means, group)["dsc"] for means in columns.values()] + [row(tight["masks"], group)["nsd"]]
        click.echo(f"{group:14}" + "".join(f"{value:10.3f}" for value in values))
    if json_path:
        text = json.dumps({"tight": tight, "enlarged": loose}, indent=1)
        write_atomically(json_path, lambda file: file.write(text.encode()), "choose another file")


def row(means: dict, group: str) -> dict:
    """The corrected figures of a group, or of ``macro``."""
    corrected = means["corrected"]
    return corrected["macro"] if group == "macro" else corrected["groups"][group]


if __name__ == "__main__":
    main()
