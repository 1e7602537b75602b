"""Where the objects of a scan come from: the file itself, or boxes given for every scan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...errors import LiteMedSamError
from ..case import check_box_count, check_corners, number_list
from .objects import Objects

if TYPE_CHECKING:
    from ..scan.geometry import Geometry
    from ..scan.scan import Scan


# nnU-Net's number of a channel at the end of a name.
_CHANNEL = re.compile(r"(?<=.)_\d{4}$")


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


@dataclass(frozen=True)
class StoredBoxes:
    """The boxes that the file itself holds."""

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        if scan.boxes is None and scan.ready:
            from ..io.npz import read_arrays

            # Raises the npz reader's error for the missing key.
            read_arrays(path, ("imgs", "boxes"))
        if scan.boxes is None:
            raise LiteMedSamError(
                f"{path}: there are no boxes; this model needs at least one, it has no automatic mode",
                "give --box, --boxes or --boxes-from",
            )
        return Objects.of_boxes(scan.name, scan.boxes)


@dataclass(frozen=True)
class GivenBoxes:
    """The same boxes for every scan.

    Attributes
    ----------
    boxes : sequence of sequences of float
        Each x0, y0, x1, y1 or x0, y0, z0, x1, y1, z1, ends included.
    world : bool
        Whether they are in millimetres (RAS) rather than voxels.
    slice_index : int or None
        The slice, along the file's third axis, of boxes of four numbers on a volume.
    open_ended : bool
        Whether the objects may go on beyond the one slice that their boxes cover.
    """

    boxes: Sequence[Sequence[float]]
    world: bool = False
    slice_index: int | None = None
    open_ended: bool = False

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`."""
        boxes: list[Sequence[float] | np.ndarray] = [list(box) for box in self.boxes]
        check_box_count(str(path), boxes)
        check_rank(str(path), boxes)
        if self.slice_index is not None:
            boxes = [on_slice(f"{path}: object {n}", box, self.slice_index) for n, box in enumerate(boxes, start=1)]
        if self.world:
            boxes = [from_world(f"{path}: object {n}", box, scan) for n, box in enumerate(boxes, start=1)]
        found = Objects.of_boxes(str(path), np.array(boxes, np.float64))
        if not self.open_ended:
            return found
        return replace(found, prompts=tuple(replace(prompt, open_ended=True) for prompt in found.prompts))


def on_slice(where: str, box: Sequence[float] | np.ndarray, slice_index: float) -> list[float]:
    """A box of four numbers with the slice that it was drawn on, six numbers.

    Raises
    ------
    LiteMedSamError
        For a box of six numbers; begins with `where`.
    """
    if len(box) != 4:
        raise LiteMedSamError(f"{where}: a slice beside a box of {len(box)} numbers", "give x0,y0,x1,y1 or no slice")
    return [*box[:2], slice_index, *box[2:], slice_index]


def check_rank(where: str, boxes: Sequence[Sequence[float] | np.ndarray]) -> None:
    """Refuse boxes of other than 4 or 6 numbers, and a mixture of both.

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
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


def from_world(where: str, box: Sequence[float] | np.ndarray, scan: Scan) -> np.ndarray:
    """The box float64 (6,) in voxels that encloses a box in millimetres (RAS).

    Raises
    ------
    LiteMedSamError
        For other than 6 numbers, a box outside the scan, and a scan whose place is unknown; begins with `where`.
    """
    check_corners(where, box)
    geometry = geometry_of(scan)
    if len(box) != 6:
        raise LiteMedSamError(f"{where}: a box of {len(box)} numbers, expected 6 in millimetres (RAS)")
    corners = np.array(list(product(*zip(box[:3], box[3:], strict=True))))
    indices = geometry.to_indices(corners)
    low, high = indices.min(axis=0), indices.max(axis=0)
    last = np.array(scan.grid[::-1]) - 1
    if (low < -0.5 - 1e-6).any() or (high > last + 0.5 + 1e-6).any():
        raise LiteMedSamError(
            f"{where}: the box {number_list(box)} in millimetres is voxels {number_list([*low, *high])}, outside the "
            f"scan of {' × '.join(str(n + 1) for n in last)} voxels"
        )
    return np.concatenate([np.clip(np.rint(low), 0, last), np.clip(np.rint(high), 0, last)])


def geometry_of(scan: Scan) -> Geometry:
    """The geometry of a scan.

    Raises
    ------
    LiteMedSamError
        When its file does not state it.
    """
    if scan.geometry is None:
        raise LiteMedSamError(f"{scan.name}: does not say where it lies in millimetres", "give boxes in voxels")
    return scan.geometry


def file_of_scan(folder: Path, scan: Path, suffixes: Sequence[str]) -> Path | None:
    """The file in a folder with a scan's name and one of some suffixes in lower or upper case; None where none is.

    A scan may be named as nnU-Net names channels: the file of ``case_0000`` is ``case`` where no ``case_0000`` exists.
    """
    for stem in stems_of(scan):
        for suffix in suffixes:
            for name in (f"{stem}{suffix}", f"{stem}{suffix.upper()}"):
                if (folder / name).is_file():
                    return folder / name
    return None


def stems_of(scan: Path) -> list[str]:
    """The names that files beside a scan may have: its own, and the one without nnU-Net's number of a channel."""
    # Late: few runs search a folder.
    from ..io.formats import stem_of

    stem = stem_of(scan.name)
    return list(dict.fromkeys((stem, _CHANNEL.sub("", stem))))


def no_file_of_scan(folder: Path, scan: Path, suffixes: Sequence[str]) -> LiteMedSamError:
    """The error of a folder without a file of a scan's name; says which names were looked for."""
    *others, last = suffixes
    names = f"{', '.join(others)} or {last}" if others else last
    return LiteMedSamError(f"{scan}: {folder} holds no file {' or '.join(stems_of(scan))}{names}")
