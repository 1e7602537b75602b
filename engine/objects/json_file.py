"""Boxes, points, strokes and names from a JSON file."""

from __future__ import annotations

import json
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import LiteMedSamError
from ..case import check_box_count, check_corners
from ..inference.prompt import POINTS
from .objects import ObjectPrompt, Objects, Stroke
from .sources import check_rank, file_of_scan, from_world, geometry_of, no_file_of_scan

if TYPE_CHECKING:
    from ..scan.scan import Scan

VERSION = 1
_SUFFIXES = (".json",)
# Of strokes, in voxels.
_USUAL_WIDTH, _LARGEST_WIDTH = 3, 100
# Shortens a value from a file so that it fits into an error message.
_short = reprlib.repr


@dataclass(frozen=True)
class BoxesFile:
    """Boxes, points, scribbles and names from a JSON file.

    Two forms are read. Our own::

        {"version": 1, "space": "voxel", "objects": [
            {"name": "liver", "box": [12, 20, 3, 80, 77, 9]},
            {"box": [30, 31, 50, 52], "z": [4, 6], "points": [[35, 36, 5], [40, 44, 5]],
             "scribble": {"strokes": [[[35, 36, 5], [40, 44, 5]], [[41, 38, 6]]], "width": 3}}]}

    where ``space`` is ``voxel`` (the default) or ``world``, ``z`` adds a range of slices to a box of four numbers,
    and ``points`` are one to four places on the object in the space of the box. The ``strokes`` of a ``scribble`` are
    lists of such places, each on one slice, joined by lines; a single place is a dot. ``width`` counts voxels, 1 to
    100, and is 3 when absent. And the rectangles of SAM tools::

        [{"type": "rectangle", "data": [12, 20, 80, 77]}, {"type": "point", "data": [30, 40], "label": 1}]

    Attributes
    ----------
    path : Path
        A file, or a folder with one of each scan's name.
    world : bool
        Whether a file that names no space is in millimetres.
    """

    path: Path
    world: bool = False

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        file = self._file(path)
        try:
            content = json.loads(file.read_bytes())
        except OSError as error:
            raise LiteMedSamError(f"{file}: cannot be read ({error.strerror or error})") from error
        except (ValueError, RecursionError) as error:
            raise LiteMedSamError(f"{file}: not JSON ({error})") from error
        if isinstance(content, list):
            content = {"version": VERSION, "objects": _from_rectangles(file, content)}
        _check_keys(str(file), content, ("version", "objects"), ("space",))
        if content["version"] != VERSION or isinstance(content["version"], bool):
            raise LiteMedSamError(
                f"{file}: version {_short(content['version'])}, expected {VERSION}", "update litemedsam or the file"
            )
        space = content.get("space", "world" if self.world else "voxel")
        if space not in ("voxel", "world"):
            raise LiteMedSamError(f"{file}: space {_short(space)}, expected voxel or world")
        if not isinstance(content["objects"], list) or not content["objects"]:
            raise LiteMedSamError(f"{file}: objects is not a list of at least one object")
        return _objects(file, content["objects"], scan, space == "world")

    def _file(self, scan: Path) -> Path:
        if not self.path.is_dir():
            return self.path
        found = file_of_scan(self.path, scan, _SUFFIXES)
        if found is None:
            raise no_file_of_scan(self.path, scan, _SUFFIXES)
        return found


def _check_keys(where: str, content: Any, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not isinstance(content, dict):
        raise LiteMedSamError(f"{where}: {type(content).__name__}, expected an object with {', '.join(required)}")
    unknown = sorted(set(content) - {*required, *optional})
    if unknown:
        raise LiteMedSamError(
            f"{where}: unknown key {', '.join(unknown)[:60]}; expected {', '.join((*required, *optional))}"
        )
    missing = [key for key in required if key not in content]
    if missing:
        raise LiteMedSamError(f"{where}: lacks {', '.join(missing)}")


def _numbers(where: str, what: str, values: Any, counts: tuple[int, ...]) -> list[float]:
    good = isinstance(values, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    try:
        if good and len(values) in counts:
            return [float(value) for value in values]
    except OverflowError:
        # A whole number beyond any image.
        pass
    raise LiteMedSamError(f"{where}: {what} is {_short(values)}, expected {' or '.join(map(str, counts))} numbers")


def _from_rectangles(file: Path, entries: list[Any]) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = []
    points = []
    for number, entry in enumerate(entries, start=1):
        where = f"{file}: entry {number}"
        _check_keys(where, entry, ("type", "data"), ("label",))
        if entry["type"] == "rectangle":
            objects.append({"box": _numbers(where, "data", entry["data"], (4,))})
        elif entry["type"] == "point":
            if entry.get("label", 1) != 1:
                raise LiteMedSamError(f"{where}: a point off the object; this model knows points on it only")
            points.append(_numbers(where, "data", entry["data"], (2,)))
        else:
            raise LiteMedSamError(f"{where}: type {_short(entry['type'])}, expected rectangle or point")
    if points and len(objects) != 1:
        raise LiteMedSamError(
            f"{file}: points beside {len(objects)} rectangles cannot be told apart",
            "give the points inside their object, in the form with version and objects",
        )
    if points:
        objects[0]["points"] = points
    return objects


def _objects(file: Path, entries: list[Any], scan: Scan, world: bool) -> Objects:
    check_box_count(str(file), entries)
    prompts = tuple(
        _object(f"{file}: object {number}", entry, scan, world) for number, entry in enumerate(entries, start=1)
    )
    check_rank(str(file), [prompt.box for prompt in prompts])
    return Objects(prompts)


def _object(where: str, entry: Any, scan: Scan, world: bool) -> ObjectPrompt:
    _check_keys(where, entry, ("box",), ("name", "z", "points", "scribble"))
    name = entry.get("name", "")
    # Halves of characters, which JSON lets through, can be written nowhere.
    if not isinstance(name, str) or name.encode(errors="replace").decode() != name:
        raise LiteMedSamError(f"{where}: name is {_short(name)}, expected a text")
    box = _numbers(where, "box", entry["box"], (4, 6))
    if "z" in entry:
        if len(box) != 4:
            raise LiteMedSamError(f"{where}: z beside a box of 6 numbers", "leave z out")
        z = _numbers(where, "z", entry["z"], (2,))
        box = [*box[:2], z[0], *box[2:], z[1]]
    if world:
        stored = from_world(where, box, scan)
    else:
        check_corners(where, box)
        stored = np.array(box, np.float64)
    rank = len(box) // 2
    points = _points(where, entry["points"], rank, scan, world) if "points" in entry else None
    strokes = _strokes(f"{where}: scribble", entry["scribble"], rank, scan, world) if "scribble" in entry else ()
    return ObjectPrompt(stored, name, points, strokes)


def _points(where: str, values: Any, rank: int, scan: Scan, world: bool) -> np.ndarray:
    if not isinstance(values, list) or not 1 <= len(values) <= POINTS:
        raise LiteMedSamError(f"{where}: points is {_short(values)}, expected one to four points")
    return _places(where, values, rank, scan, world)


def _strokes(where: str, content: Any, rank: int, scan: Scan, world: bool) -> tuple[Stroke, ...]:
    _check_keys(where, content, ("strokes",), ("width",))
    width = content.get("width", _USUAL_WIDTH)
    if isinstance(width, bool) or not isinstance(width, int | float) or not 1 <= width <= _LARGEST_WIDTH:
        raise LiteMedSamError(f"{where}: width is {_short(width)}, expected 1 to {_LARGEST_WIDTH} voxels")
    strokes = content["strokes"]
    if not isinstance(strokes, list) or not strokes:
        raise LiteMedSamError(f"{where}: strokes is {_short(strokes)}, expected a list of at least one stroke")
    for stroke in strokes:
        if not isinstance(stroke, list) or not stroke:
            raise LiteMedSamError(f"{where}: a stroke is {_short(stroke)}, expected a list of at least one point")
    return tuple(Stroke(_places(where, stroke, rank, scan, world), float(width)) for stroke in strokes)


def _places(where: str, values: list[Any], rank: int, scan: Scan, world: bool) -> np.ndarray:
    count = 3 if world else rank
    points = np.array([_numbers(where, "point", value, (count,)) for value in values], np.float64)
    if not np.isfinite(points).all():
        raise LiteMedSamError(f"{where}: a point holds NaN or infinity")
    if world:
        points = geometry_of(scan).to_indices(points)
    grid = _label_grid(scan, rank)
    if points.shape[1] == 2 and len(grid) == 3 and grid[0] == 1:
        points = np.c_[points, np.zeros(len(points))]
    if points.shape[1] != len(grid):
        raise LiteMedSamError(
            f"{where}: points of {points.shape[1]} numbers in a scan of {len(grid)} axes", "give one number per axis"
        )
    size = np.array(grid[::-1])
    if (points < -0.5).any() or (points > size - 0.5).any():
        raise LiteMedSamError(f"{where}: a point lies outside the scan of {' × '.join(map(str, size))}")
    return points


def _label_grid(scan: Scan, rank: int) -> tuple[int, ...]:
    return scan.voxels.shape[:rank] if scan.is_volume is None else scan.grid
