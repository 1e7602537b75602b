"""Objects from masks: boxes around labels, and strokes on objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from ..case import LARGEST_NUMBER
from ..io.formats import SUFFIXES, format_of, stem_of
from ..io.slices import holds_pictures
from .label_boxes import piece_boxes, tight_boxes
from .objects import Objects
from .sources import ObjectSource, file_of_scan, no_file_of_scan

if TYPE_CHECKING:
    from ..scan.scan import Scan


@dataclass(frozen=True)
class MaskBoxes:
    """The tight boxes of a mask's labels, or of their connected pieces.

    Attributes
    ----------
    path : Path
        A mask on the scan's grid in any format (in npz files ``gts``, else ``segs``), or a folder that holds one with
        each scan's name.
    pieces : bool
        Whether each connected piece is an object of its own: 8-connected within a slice as stored, and through
        shared voxels from slice to slice.
    margin : int
        Voxels that a box grows by on each side within the image; its range of slices stays.
    """

    path: Path
    pieces: bool = False
    margin: int = 0

    def objects(self, path: Path, scan: Scan) -> Objects:
        """See `ObjectSource.objects`; objects come in the order of the labels.

        An object keeps the mask's number as its label and takes the mask's name for it; without a name it is named by
        its number. Pieces have no labels, since several are of one number; nor have objects when a number lies below 0.
        """
        file = _mask_of_scan(self.path, path)
        mask = format_of(file).read_mask(file, scan)
        tight = tight_boxes(mask.labels)
        if not tight:
            raise LiteMedSamError(f"{file}: an empty mask", "mark at least one object")
        boxes: list[list[int]] = []
        names: list[str] = []
        labels: list[int] = []
        for number, box in tight.items():
            found = self._pieces(mask.labels, number, box) if self.pieces else [box]
            boxes += found
            name = mask.names.get(number) or str(number)
            names += [f"{name}.{k}" if self.pieces else name for k in range(1, len(found) + 1)]
            labels.append(number)
            if len(boxes) > LARGEST_NUMBER:
                raise LiteMedSamError(f"{file}: more than {LARGEST_NUMBER} objects", "remove noise from the mask first")
        grown = self._grown(np.array(boxes, np.float64), mask.labels.shape, scan)
        notes = mask.notes
        if min(labels) < 0:
            notes += (f"{file}: holds the number {min(labels)}; results number the objects from 1",)
            return replace(Objects.of_boxes(str(file), grown, names), notes=notes)
        return replace(Objects.of_boxes(str(file), grown, names, labels=() if self.pieces else labels), notes=notes)

    def _pieces(self, mask: np.ndarray, number: int, box: list[int]) -> list[list[int]]:
        low, high = box[: mask.ndim], box[mask.ndim :]
        inside = tuple(slice(first, last + 1) for first, last in zip(low[::-1], high[::-1], strict=True))
        found = np.array(piece_boxes(mask[inside] == number)) + np.array(low * 2)
        return [[int(end) for end in piece] for piece in found]

    def _grown(self, boxes: np.ndarray, grid: tuple[int, ...], scan: Scan) -> np.ndarray:
        rank = len(grid)
        through = scan.view().through
        for axis in range(rank):
            if "xyz"[axis] != through:
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
        file = _mask_of_scan(self.path, path)
        strokes = format_of(file).read_mask(file, scan)
        found = self.source.objects(path, scan)
        return replace(found, stroke_mask=strokes.labels, notes=(*found.notes, *strokes.notes))


def _mask_of_scan(given: Path, scan: Path) -> Path:
    """The mask of a scan: the given file, or the one of the scan's name in a given folder.

    The mask of a folder of slices may be such a folder too: the one of the scan's name, or the given one itself.
    """
    if not given.is_dir():
        return given
    file = file_of_scan(given, scan, SUFFIXES)
    if file is not None:
        return file
    for folder in (given / stem_of(scan.name), given) if scan.is_dir() else ():
        if folder.is_dir() and holds_pictures(folder):
            return folder
    raise no_file_of_scan(given, scan, SUFFIXES)
