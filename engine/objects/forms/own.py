"""This project's own form of boxes, points and strokes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import LiteMedSamError
from ...case import check_box_count, check_corners
from ...inference.prompt import POINTS
from ..objects import ObjectPrompt, Objects, Repair, Stroke
from ..sources import check_rank, from_world, geometry_of, on_slice
from .content import BoxesContent, check_keys, name_of, numbers, shown

if TYPE_CHECKING:
    from ...scan.scan import Scan

VERSION = 1
USUAL_WIDTH = 3
"""Of strokes, in voxels."""
_LARGEST_WIDTH = 100
_OPTIONAL = "name", "z", "slice", "points", "scribble", "corrections"
_REPAIRED = "add", "remove"
# In place of a range of slices.
_SEARCHED = "auto"
_STROKES = "add_strokes", "remove_strokes"


class Own:
    """Boxes with names, points, strokes and corrections; see `litemedsam.engine.objects.forms.content.BoxesForm`.

    ::

        {"version": 1, "space": "voxel", "objects": [
            {"name": "liver", "box": [12, 20, 3, 80, 77, 9]},
            {"box": [30, 31, 50, 52], "z": [4, 6], "points": [[35, 36, 5], [40, 44, 5]],
             "scribble": {"strokes": [[[35, 36, 5], [40, 44, 5]], [[41, 38, 6]]], "width": 3}}]}

    ``space`` is ``voxel`` (the default) or ``world``, ``z`` adds a range of slices to a box of four numbers, and
    ``slice`` a single one. With ``"z": "auto"``, the object is followed from its one slice to where it ends::

        {"box": [30, 31, 50, 52], "slice": 5, "z": "auto"}

    ``points`` are one to four places on the object in the space of the box. The ``strokes`` of a ``scribble`` are
    lists of such places, each on one slice, joined by lines; a single place is a dot. ``width`` counts voxels, 1 to
    100, and is 3 when absent. Unknown keys are refused, so that a misspelt one is noticed.

    Corrections of an object's mask follow one another, each on one slice; ``add`` lists points that the mask lacks and
    ``remove`` points that do not belong to it. Strokes may take the place of points. ``add`` and ``remove`` beside the
    box are short for a single correction::

        {"box": [30, 31, 50, 52], "corrections": [
            {"add": [[35, 36]]}, {"remove": [[48, 50], [31, 50]]},
            {"remove_strokes": [[[31, 33], [31, 40]]], "width": 2}]}
        {"box": [30, 31, 50, 52], "add": [[35, 36]], "remove": [[48, 50]]}
    """

    def recognises(self, value: Any) -> bool:
        """See `BoxesForm.recognises`."""
        return isinstance(value, dict) and "objects" in value

    def objects(self, content: BoxesContent) -> Objects:
        """See `BoxesForm.objects`."""
        file, value = content.file, content.value
        check_keys(str(file), value, ("version", "objects"), ("space",))
        if value["version"] != VERSION or isinstance(value["version"], bool):
            raise LiteMedSamError(
                f"{file}: version {shown(value['version'])}, expected {VERSION}",
                "update litemedsam, or write version 1",
            )
        space = value.get("space", "world" if content.world else "voxel")
        if space not in ("voxel", "world"):
            raise LiteMedSamError(f"{file}: space {shown(space)}, expected voxel or world")
        if not isinstance(value["objects"], list) or not value["objects"]:
            raise LiteMedSamError(f"{file}: objects is not a list of at least one object")
        return objects_of_entries(file, value["objects"], content.scan, space == "world")


def objects_of_entries(file: Path, entries: list[Any], scan: Scan, world: bool) -> Objects:
    """The objects of a list whose entries have a ``box`` and other keys of `Own`.

    Parameters
    ----------
    file : Path
        For messages.
    entries : list
    scan : Scan
    world : bool
        Whether boxes and places are in millimetres (RAS).

    Raises
    ------
    LiteMedSamError
        For entries that do not make sense; names the object.
    """
    check_box_count(str(file), entries)
    prompts = tuple(
        _object(f"{file}: object {number}", entry, scan, world) for number, entry in enumerate(entries, start=1)
    )
    check_rank(str(file), [prompt.box for prompt in prompts])
    return Objects(prompts)


def _object(where: str, entry: Any, scan: Scan, world: bool) -> ObjectPrompt:
    check_keys(where, entry, ("box",), (*_OPTIONAL, *_REPAIRED))
    name = name_of(where, "name", entry.get("name", ""))
    open_ended = entry.get("z") == _SEARCHED
    if world and "slice" in entry:
        raise LiteMedSamError(f"{where}: a slice in millimetres", "give boxes of 6 numbers, or all in voxels")
    box = _box(where, entry, open_ended)
    if world:
        stored = from_world(where, box, scan)
    else:
        check_corners(where, box)
        stored = np.array(box, np.float64)
    rank = len(box) // 2
    points = _points(where, entry["points"], rank, scan, world) if "points" in entry else None
    strokes = _strokes(f"{where}: scribble", entry["scribble"], rank, scan, world) if "scribble" in entry else ()
    repairs = _repairs(where, entry, rank, scan, world)
    return ObjectPrompt(stored, name, points, strokes, repairs=repairs, open_ended=open_ended)


def _box(where: str, entry: dict[str, Any], open_ended: bool) -> list[float]:
    """The box of an entry with its slices."""
    box = numbers(where, "box", entry["box"], (4, 6))
    if "slice" in entry:
        if "z" in entry and not open_ended:
            raise LiteMedSamError(f"{where}: z beside slice", f'give one of them, or "z": "{_SEARCHED}"')
        (z,) = numbers(where, "slice", [entry["slice"]], (1,))
        return on_slice(where, box, z)
    if open_ended and len(box) == 4:
        raise LiteMedSamError(f'{where}: "z": "{_SEARCHED}" without a slice to search from', "add the slice")
    if "z" not in entry or open_ended:
        return box
    if len(box) != 4:
        raise LiteMedSamError(f"{where}: z beside a box of 6 numbers", "leave z out")
    z_range = numbers(where, "z", entry["z"], (2,))
    return [*box[:2], z_range[0], *box[2:], z_range[1]]


def _repairs(where: str, entry: dict[str, Any], rank: int, scan: Scan, world: bool) -> tuple[Repair, ...]:
    short = {name: entry[name] for name in _REPAIRED if name in entry}
    if short and "corrections" in entry:
        raise LiteMedSamError(
            f"{where}: {' and '.join(short)} beside corrections", "put them into the list of corrections, in order"
        )
    content = [short] if short else entry.get("corrections", [])
    if not isinstance(content, list):
        raise LiteMedSamError(f"{where}: corrections is {shown(content)}, expected a list")
    return tuple(
        _repair(where if short else f"{where}: correction {number}", given, rank, scan, world)
        for number, given in enumerate(content, start=1)
    )


def _repair(where: str, content: Any, rank: int, scan: Scan, world: bool) -> Repair:
    check_keys(where, content, (), (*_REPAIRED, *_STROKES, "width"))
    if not any(content.get(name) for name in (*_REPAIRED, *_STROKES)):
        raise LiteMedSamError(f"{where}: no point and no stroke", f"give {', '.join((*_REPAIRED, *_STROKES))}")
    points = []
    for name in _REPAIRED:
        values = content.get(name, [])
        if not isinstance(values, list):
            raise LiteMedSamError(f"{where}: {name} is {shown(values)}, expected a list of points")
        points.append(_places(where, values, rank, scan, world) if values else np.zeros((0, 2)))
    width = {"width": content["width"]} if "width" in content else {}
    drawn = [
        _strokes(f"{where}: {name}", {"strokes": content[name], **width}, rank, scan, world) if name in content else ()
        for name in _STROKES
    ]
    return Repair(points[0], points[1], drawn[0], drawn[1])


def _points(where: str, values: Any, rank: int, scan: Scan, world: bool) -> np.ndarray:
    if not isinstance(values, list) or not 1 <= len(values) <= POINTS:
        raise LiteMedSamError(f"{where}: points is {shown(values)}, expected one to four points")
    return _places(where, values, rank, scan, world)


def _strokes(where: str, content: Any, rank: int, scan: Scan, world: bool) -> tuple[Stroke, ...]:
    check_keys(where, content, ("strokes",), ("width",))
    width = content.get("width", USUAL_WIDTH)
    if isinstance(width, bool) or not isinstance(width, int | float) or not 1 <= width <= _LARGEST_WIDTH:
        raise LiteMedSamError(f"{where}: width is {shown(width)}, expected 1 to {_LARGEST_WIDTH} voxels")
    strokes = content["strokes"]
    if not isinstance(strokes, list) or not strokes:
        raise LiteMedSamError(f"{where}: strokes is {shown(strokes)}, expected a list of at least one stroke")
    for stroke in strokes:
        if not isinstance(stroke, list) or not stroke:
            raise LiteMedSamError(f"{where}: a stroke is {shown(stroke)}, expected a list of at least one point")
    return tuple(Stroke(_places(where, stroke, rank, scan, world), float(width)) for stroke in strokes)


def _places(where: str, values: list[Any], rank: int, scan: Scan, world: bool) -> np.ndarray:
    count = 3 if world else rank
    points = np.array([numbers(where, "point", value, (count,)) for value in values], np.float64)
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
