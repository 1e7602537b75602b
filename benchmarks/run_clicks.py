"""Measures what clicks on images would add without any training, as a baseline for ``litemedsam-eval --clicks``.

    python benchmarks/run_clicks.py CASES --json baseline.json

CASES contains npz files with imgs, boxes and gts. The clicks follow the same rule; each raises or lowers the logits of
the box's mask around it, and the network is not asked again. Volumes are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.region import to_region
from litemedsam.engine.predictor import Predictor
from litemedsam.evaluation.cases import read_prompted, read_truth, stem_of
from litemedsam.evaluation.click_report import as_json, as_table
from litemedsam.evaluation.clicks import Click
from litemedsam.evaluation.groups import group_of
from litemedsam.evaluation.interaction import CaseCourses, course

from litemedsam import __version__
from litemedsam.atomic import write_atomically

# Standard deviation in pixels of the frame, and height, of what a click adds to the logits.
REACH, HEIGHT = 8.0, 10.0


@dataclass(frozen=True)
class BumpedObject:
    """An object whose logits are changed around clicks; see `litemedsam.evaluation.interaction.Correctable`.

    Attributes
    ----------
    logits : ndarray
        float32 (S, S) in the frame.
    frame : Frame
    """

    logits: np.ndarray
    frame: Frame

    @property
    def mask(self) -> np.ndarray:
        """The present mask, bool (H, W)."""
        return to_region(self.logits, self.frame).full(self.frame.height, self.frame.width)

    def corrected(self, click: Click) -> BumpedObject:
        """The object after a click."""
        y, x = ((at + 0.5) * self.frame.scale - 0.5 for at in click.place)
        rows, columns = np.ogrid[: self.frame.size, : self.frame.size]
        bump = HEIGHT * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * REACH**2))
        return replace(self, logits=(self.logits + (bump if click.adds else -bump)).astype(np.float32))


def courses(predictor: Predictor, path: Path, count: int, most: int) -> CaseCourses | None:
    """The baseline's figures for one case; None for a volume, and for a case without objects."""
    truth = read_truth(path)
    if truth.labels.ndim == 3:
        return None
    prompted = read_prompted(path, truth.labels.shape)
    labels = [label for label in range(1, len(prompted.boxes) + 1) if (truth.labels == label).any()][:most]
    height, width = truth.labels.shape
    frame = Frame.of(height, width, predictor.network.info.frame)
    predictor.set_image(prompted.image)
    logits = predictor.predict(prompted.boxes).logits
    found = {
        label: course(BumpedObject(logits[label - 1], frame), truth.labels == label, (1.0, 1.0), count)
        for label in labels
    }
    return CaseCourses(path.name, group_of(stem_of(path.name), 2), found) if found else None


@click.command()
@click.argument("cases", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", type=click.Path(path_type=Path), help="A bundle or its name; the default model without.")
@click.option("--clicks", "count", default=5, show_default=True)
@click.option("--objects", "most", default=4, show_default=True, help="Largest number of objects of a case.")
@click.option("--threads", type=int)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
def main(cases: Path, model: Path | None, count: int, most: int, threads: int | None, json_path: Path | None) -> None:
    """Measure the baseline on CASES."""
    with Predictor(model, threads=threads) as predictor:
        measured = (courses(predictor, path, count, most) for path in sorted(cases.glob("*.npz")))
        results = [each for each in measured if each is not None]
    click.echo(as_table(results))
    if json_path:
        text = as_json(results, [], __version__).encode()
        write_atomically(json_path, lambda file: file.write(text), "give another path with --json")


if __name__ == "__main__":
    main()
