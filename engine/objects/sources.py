"""Where the boxes of a scan come from: the file itself, the command line, a JSON file, a mask."""

import json
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ...errors import LiteMedSamError
from ..case import LARGEST_NUMBER
from ..io.dicom.format import Dicom
from ..io.formats import format_of, stem_of
from ..io.npz import Npz, read_arrays
from ..io.slices import holds_pictures
from ..scan.geometry import Geometry
from ..scan.scan import Mask, Objects, Scan, Scribble

VERSION = 1
# Two grids are the same when no corner of theirs is further apart, in mm.
_SAME_PLACE = 1e-3
_PART = 1_000_000
MASK_SUFFIXES = (".nii.gz", ".nii", ".npz", ".png", ".tif", ".dcm")
_MASK_KEYS = ("gts", "segs")
# Of strokes, in voxels.
_USUAL_WIDTH, _LARGEST_WIDTH = 3, 100


class ObjectSource(Protocol):
    """Says what is to be segmented in a scan."""

    def objects(self, path: Path, scan: Scan) -> Objects:
        """The objects of a scan read from a path.

        Raises
        ------
        LiteMedSamError
            When there are none or they do not make sense; names the object.
        """
        ...


# What a file holds in a message's place for it, however much it is.
_short = reprlib.repr


def _plain(box: Sequence[float]) -> str:
    return "(" + ", ".join(f"{c:g}" for c in box) + ")"


def _check_order(where: str, box: Sequence[float]) -> None:
    if not np.isfinite(box).all():
        raise LiteMedSamError(f"{where}: the box {_plain(box)} holds NaN or infinity")
    rank = len(box) // 2
    for axis, low, high in zip("xyz", box[:rank], box[rank:], strict=False):
        if low > high:
            raise LiteMedSamError(
                f"{where}: {axis}_min {low:g} is greater than {axis}_max {high:g} in box {_plain(box)}",
                "give the smaller corner first",
            )


def _from_world(where: str, box: Sequence[float], scan: Scan) -> np.ndarray:
    """The voxels whose box encloses a box of millimetres (RAS)."""
    _check_order(where, box)
    geometry = _geometry(scan)
    if len(box) != 6:
        raise LiteMedSamError(f"{where}: a box of {len(box)} numbers, expected 6 in millimetres (RAS)")
    corners = np.array(list(product(*zip(box[:3], box[3:], strict=True))))
    indices = geometry.to_indices(corners)
    low, high = indices.min(axis=0), indices.max(axis=0)
    last = np.array(scan.grid[::-1]) - 1
    if (low < -0.5 - 1e-6).any() or (high > last + 0.5 + 1e-6).any():
        raise LiteMedSamError(
            f"{where}: the box {_plain(box)} in millimetres is voxels {_plain([*low, *high])}, outside the scan of "
            f"{' × '.join(str(n + 1) for n in last)} voxels"
        )
    return np.concatenate([np.clip(np.rint(low), 0, last), np.clip(np.rint(high), 0, last)])


def _geometry(scan: Scan) -> Geometry:
    if scan.geometry is None:
        raise LiteMedSamError(f"{scan.name}: does not say where it lies in millimetres", "give boxes in voxels")
    return scan.geometry


def _checked_rank(where: str, boxes: Sequence[Sequence[float]]) -> None:
    for number, box in enumerate(boxes, start=1):
        if len(box) not in (4, 6):
            raise LiteMedSamError(
                f"{where}: object {number}: a box of {len(box)} numbers, expected x0,y0,x1,y1 or x0,y0,z0,x1,y1,z1"
            )
        if len(box) != len(boxes[0]):
            raise LiteMedSamError(
                f"{where}: object {number}: a box of {len(box)} numbers after one of {len(boxes[0])}",
                "give all boxes the same form",
            )


@dataclass(frozen=True)
class StoredBoxes:
    """Those that the file itself holds."""

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        if scan.boxes is None and scan.ready:
            # The message of a file that should have held them.
            read_arrays(path, ("imgs", "boxes"))
        if scan.boxes is None:
            raise LiteMedSamError(
                f"{path}: there are no boxes; this model needs at least one, it has no automatic mode",
                "give --box, --boxes or --boxes-from",
            )
        return Objects(scan.boxes)


@dataclass(frozen=True)
class GivenBoxes:
    """The same boxes for every scan.

    Attributes
    ----------
    boxes : sequence of sequences of float
        Each x0, y0, x1, y1 or x0, y0, z0, x1, y1, z1, ends included.
    world : bool
        Whether they are in millimetres (RAS) rather than voxels.
    """

    boxes: Sequence[Sequence[float]]
    world: bool = False

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        boxes = [list(box) for box in self.boxes]
        _checked_rank(str(path), boxes)
        if self.world:
            boxes = [_from_world(f"{path}: object {n}", box, scan) for n, box in enumerate(boxes, start=1)]
        return Objects(np.array(boxes, np.float64))


def _beside(given: Path, scan: Path, suffixes: tuple[str, ...]) -> Path:
    """The file that belongs to a scan: the given one, or the one of the scan's name in a given folder.

    Masks of a folder may be a folder of slices: the one of the scan's name in the given one, or this itself.
    """
    if not given.is_dir():
        return given
    stem = stem_of(scan.name)
    for suffix in suffixes:
        if (given / f"{stem}{suffix}").is_file():
            return given / f"{stem}{suffix}"
    if scan.is_dir() and suffixes is MASK_SUFFIXES:
        for folder in (given / stem, given):
            if folder.is_dir() and holds_pictures(folder):
                return folder
    raise LiteMedSamError(f"{scan}: {given} holds no file {stem}{suffixes[0]}")


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
        What holds where the file does not name its space.
    """

    path: Path
    world: bool = False

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        file = _beside(self.path, path, (".json",))
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


def _from_rectangles(file: Path, entries: list) -> list[dict]:
    objects: list[dict] = []
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


def _objects(file: Path, entries: list, scan: Scan, world: bool) -> Objects:
    boxes, names, points, drawn = [], [], {}, {}
    for number, entry in enumerate(entries, start=1):
        where = f"{file}: object {number}"
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
        names.append(name)
        if world:
            boxes.append(_from_world(where, box, scan))
        else:
            _check_order(where, box)
            boxes.append(box)
        if "points" in entry:
            points[number] = _points(where, entry["points"], len(box) // 2, scan, world)
        if "scribble" in entry:
            drawn[number] = _scribble(f"{where}: scribble", entry["scribble"], len(box) // 2, scan, world)
    _checked_rank(str(file), boxes)
    return Objects(np.array(boxes, np.float64), tuple(names), points, drawn=drawn)


def _points(where: str, values: Any, rank: int, scan: Scan, world: bool) -> np.ndarray:
    if not isinstance(values, list) or not 1 <= len(values) <= 4:
        raise LiteMedSamError(f"{where}: points is {_short(values)}, expected one to four points")
    return _places(where, values, rank, scan, world)


def _scribble(where: str, content: Any, rank: int, scan: Scan, world: bool) -> Scribble:
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
    return Scribble(tuple(_places(where, stroke, rank, scan, world) for stroke in strokes), float(width))


def _places(where: str, values: list, rank: int, scan: Scan, world: bool) -> np.ndarray:
    count = 3 if world else rank
    points = np.array([_numbers(where, "point", value, (count,)) for value in values], np.float64)
    if not np.isfinite(points).all():
        raise LiteMedSamError(f"{where}: a point holds NaN or infinity")
    if world:
        points = _geometry(scan).to_indices(points)
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


@dataclass(frozen=True)
class MaskBoxes:
    """The tight boxes of a mask's labels, or of their connected pieces.

    Attributes
    ----------
    path : Path
        A mask on the scan's grid, of any format (of npz files ``gts``, else ``segs``), or a folder with one of
        each scan's name.
    pieces : bool
        Whether each connected piece is an object of its own: 8-connected within a slice as stored, and through
        shared voxels from slice to slice.
    margin : int
        By how many voxels boxes grow on each side within the image; ranges of slices stay.
    """

    path: Path
    pieces: bool = False
    margin: int = 0

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`; objects come in the order of the labels.

        They take the mask's names for their labels, and keep their numbers as names where it has none.
        """
        file = _beside(self.path, path, MASK_SUFFIXES)
        mask = read_mask(file, scan)
        tight = tight_boxes(mask.labels)
        if not tight:
            raise LiteMedSamError(f"{file}: an empty mask", "mark at least one object")
        boxes, names = [], []
        for number, box in tight.items():
            found = self._pieces(mask.labels, number, box) if self.pieces else [box]
            boxes += found
            name = mask.names.get(number) or str(number)
            names += [f"{name}.{k}" if self.pieces else name for k in range(1, len(found) + 1)]
            if len(boxes) > LARGEST_NUMBER:
                raise LiteMedSamError(f"{file}: more than {LARGEST_NUMBER} objects", "clean the mask from noise first")
        return Objects(self._grown(np.array(boxes, np.float64), mask.labels.shape, scan), tuple(names))

    def _pieces(self, mask: np.ndarray, number: int, box: list[int]) -> list[list[int]]:
        low, high = box[: mask.ndim], box[mask.ndim :]
        inside = tuple(slice(first, last + 1) for first, last in zip(low[::-1], high[::-1], strict=True))
        found = np.array(piece_boxes(mask[inside] == number)) + np.array(low * 2)
        return found.tolist()

    def _grown(self, boxes: np.ndarray, grid: tuple[int, ...], scan: Scan) -> np.ndarray:
        rank = len(grid)
        view = scan.view()
        through = 2 if view is None else view.axes[2]
        for axis in range(rank):
            if axis != through:
                boxes[:, axis] = np.maximum(boxes[:, axis] - self.margin, 0)
                boxes[:, rank + axis] = np.minimum(boxes[:, rank + axis] + self.margin, grid[rank - 1 - axis] - 1)
        return boxes


@dataclass(frozen=True)
class WithScribbles:
    """The objects of another source, with strokes from a mask: value k on object k.

    Attributes
    ----------
    source : ObjectSource
    path : Path
        As in `MaskBoxes`.
    """

    source: ObjectSource
    path: Path

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        strokes = read_mask(_beside(self.path, path, MASK_SUFFIXES), scan)
        return replace(self.source.objects(path, scan), scribbles=strokes.labels)


def read_mask(file: Path, scan: Scan) -> Mask:
    """Labels of a mask file on the grid of a scan, with the names that NIfTI and DICOM SEG files keep.

    Returns
    -------
    Mask

    Raises
    ------
    LiteMedSamError
        When it cannot be read, holds other than whole numbers, or lies on another grid.
    """
    kind = format_of(file)
    geometry = None
    if isinstance(kind, Npz):
        arrays = read_arrays(file, (), _MASK_KEYS)
        if not arrays:
            raise LiteMedSamError(f"{file}: lacks a mask; expected the key {' or '.join(_MASK_KEYS)}")
        mask = Mask(next(iter(arrays.values())))
    elif isinstance(kind, Dicom):
        mask = kind.read_mask(file, scan)
    else:
        read = kind.read(file)
        mask, geometry = Mask(read.voxels[..., 0] if read.coloured else read.voxels, read.names), read.geometry
    labels = _whole_numbers(mask.labels)
    if labels is None:
        raise LiteMedSamError(f"{file}: holds other values than whole numbers, expected labels")
    grids = [scan.grid] if scan.is_volume is not None else [scan.voxels.shape, scan.voxels.shape[:-1]]
    if labels.shape not in grids:
        raise LiteMedSamError(
            f"{file}: has {_plain(labels.shape[::-1])} voxels along x, y, z; the scan {scan.name} has "
            f"{_plain(grids[0][::-1])}"
        )
    if geometry is not None and scan.geometry is not None and labels.ndim == 3:
        corners = np.array(list(product(*((0, n - 1) for n in labels.shape[::-1]))))
        corners = np.c_[corners, np.ones(len(corners))]
        apart = np.abs(corners @ (geometry.affine - scan.geometry.affine).T).max()
        if apart > max(_SAME_PLACE, 0.01 * scan.geometry.spacing.min()):
            raise LiteMedSamError(
                f"{file}: lies {apart:.3g} mm away from the scan {scan.name}", "resample the mask onto the scan"
            )
    return replace(mask, labels=labels)


def _whole_numbers(labels: np.ndarray) -> np.ndarray | None:
    """Labels as integers, or None where there are others."""
    if labels.dtype.kind == "b":
        return labels.view(np.uint8)
    if labels.dtype.kind in "ui":
        return labels
    if labels.dtype.kind != "f" or labels.size == 0:
        return None
    limits = np.iinfo(np.int32)
    # NaN fails this as well.
    if not (limits.min <= labels.min() and labels.max() <= limits.max):
        return None
    whole = labels.astype(np.int32)
    return whole if (whole == labels).all() else None


def tight_boxes(labels: np.ndarray) -> dict[int, list[int]]:
    """The boxes (x_min, y_min, [z_min,] x_max, y_max[, z_max]), ends included, of a label map's numbers but 0.

    Parameters
    ----------
    labels : ndarray
        Integers (H, W) or (D, H, W).

    Returns
    -------
    dict of int to list of int
        By number, ascending.
    """
    numbers = np.unique(labels)
    numbers = numbers[numbers != 0]
    low = np.full((len(numbers), 3), np.iinfo(np.int64).max)
    high = np.full((len(numbers), 3), -1)
    pages = labels if labels.ndim == 3 else labels[None]
    rows = max(_PART // max(pages.shape[2], 1), 1)
    for z, page in enumerate(pages):
        for top in range(0, len(page), rows):
            ys, xs = np.nonzero(page[top : top + rows])
            which = np.searchsorted(numbers, page[ys + top, xs])
            for axis, place in enumerate((xs, ys + top, np.full(len(xs), z))):
                np.minimum.at(low[:, axis], which, place)
                np.maximum.at(high[:, axis], which, place)
    boxes = np.concatenate([low[:, : labels.ndim], high[:, : labels.ndim]], axis=1)
    return dict(zip(numbers.tolist(), boxes.tolist(), strict=True))


def piece_boxes(mask: np.ndarray) -> list[list[int]]:
    """The tight boxes of the connected pieces of a mask bool (H, W) or (D, H, W), in the order of their first voxel."""
    slices = mask if mask.ndim == 3 else mask[None]
    # Of each piece of a slice: x_min, y_min, z, x_max, y_max, z.
    found: list[np.ndarray] = []
    links: list[np.ndarray] = []
    below, count = np.zeros(slices.shape[1:], np.int32), 0
    for z, page in enumerate(slices):
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(page, np.uint8), connectivity=8)
        left, top, width, height = stats[1:, :4].T
        at = np.full_like(left, z)
        found.append(np.stack([left, top, at, left + width - 1, top + height - 1, at], axis=1))
        above = np.where(numbers > 0, numbers + count, 0)
        shared = (below > 0) & (above > 0)
        links.append(np.unique(np.stack([below[shared], above[shared]], axis=1), axis=0))
        below = above
        count += len(stats) - 1
    # Union of pieces that share a voxel with one on the slice before; the lowest number stands for all.
    root = np.arange(count + 1)

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = int(root[k])
        return k

    for a, b in np.concatenate(links):
        first, second = sorted((find(int(a)), find(int(b))))
        root[second] = first
    boxes = np.concatenate(found)
    roots, which = np.unique([find(k) for k in range(1, count + 1)], return_inverse=True)
    low = np.full((len(roots), 3), np.iinfo(np.int32).max)
    high = np.zeros((len(roots), 3), np.int64)
    np.minimum.at(low, which, boxes[:, :3])
    np.maximum.at(high, which, boxes[:, 3:])
    axes = [0, 1, 2][: mask.ndim]
    return np.concatenate([low[:, axes], high[:, axes]], axis=1).tolist()
