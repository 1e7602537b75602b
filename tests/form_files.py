"""Boxes in files of other programs, and what such a file gives for a scan."""

import json
from pathlib import Path

import numpy as np
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.scan.scan import Scan

ROWS, COLUMNS = 80, 100


def picture(name: str = "case.png", rows: int = ROWS, columns: int = COLUMNS) -> Scan:
    """A grey picture."""
    return Scan(name, np.zeros((rows, columns), np.uint8), False)


def asked(folder: Path, content: object, scan: Scan, path: str = "case.png", world: bool = False) -> Objects:
    """The objects that a file of some content gives for a scan of some path."""
    file = folder / "boxes.json"
    file.write_text(json.dumps(content))
    return BoxesFile(file, world).objects(Path(path), scan)


def touched(low: tuple[float, float], high: tuple[float, float]) -> list[float]:
    """The box of the pixels that a rectangle shares more than a thousandth with, found pixel by pixel."""
    inside = [
        (x, y)
        for y in range(ROWS)
        for x in range(COLUMNS)
        if min(high[0], x + 1) - max(low[0], x) > 1e-3 and min(high[1], y + 1) - max(low[1], y) > 1e-3
    ]
    xs, ys = zip(*inside, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]
