"""A scan and its objects as the model sees them, and the way back to the file's own grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from ..case import Case, checked_boxes, checked_case
from ..scan.geometry import View
from ..scan.intensity import Scaling, Window, check_finite, usual_scaling

if TYPE_CHECKING:
    from ..scan.scan import Scan
    from .objects import Objects

# A scan with this share of its pixels at one end of a window shows next to nothing.
_ONE_SIDED = 0.95


@dataclass(frozen=True)
class Prepared:
    """A scan and its objects as the model sees them.

    Attributes
    ----------
    case : Case
    view : View
        How the scan was turned; the identity for an image and for npz files.
    objects : Objects
        In indices as seen.
    boxes : ndarray
        float64 (N, 4) or (N, 6), in indices of the stored voxels.
    notes : tuple of str
        For the user.
    voxel_volume : float or None
        In cubic millimetres, None where the geometry is unknown. Of a sheared grid it is less than the product of the
        spacings.
    """

    case: Case
    view: View
    objects: Objects
    boxes: np.ndarray
    notes: tuple[str, ...] = ()
    voxel_volume: float | None = None

    def restore(self, labels: np.ndarray) -> np.ndarray:
        """A label map as seen, on the file's own grid."""
        return self.view.restore(labels)

    def found(self, boxes: np.ndarray) -> Prepared:
        """The same with the boxes (N, 4) or (N, 6), as seen, on which the objects were found."""
        if not self.case.open_ended:
            return self
        ended = [number - 1 for number in sorted(self.case.open_ended)]
        stored, notes = self.boxes.copy(), []
        stored[ended] = self.view.stored_boxes(boxes[ended])
        for k in ended:
            first, last = (self.view.stored_slice(int(z)) for z in boxes[k, [2, 5]])
            low, high = sorted((first[1], last[1]))
            notes.append(f"{self.case.name}: object {k + 1} was found on slices {first[0]} = {low} to {high}")
        case, objects = replace(self.case, boxes=boxes), self.objects.with_boxes(boxes)
        return replace(self, case=case, objects=objects, boxes=stored, notes=(*self.notes, *notes))


def _check_not_colours(scan: Scan, boxes: np.ndarray) -> None:
    """A volume may be three voxels wide; a wider box means that the last axis holds colours."""
    six = boxes.shape[1] == 6
    if six and scan.voxels.ndim == 3 and scan.voxels.shape[-1] == 3 and (boxes[:, [0, 3]] > 3).any():
        raise LiteMedSamError(
            f"{scan.name}: a box of 6 numbers for an image in colour, shape {scan.voxels.shape}", "give x0,y0,x1,y1"
        )


def _boxes_for(scan: Scan, boxes: np.ndarray) -> np.ndarray:
    """Boxes of as many numbers as the scan has axes; four numbers will do for a volume of one slice."""
    numbers = boxes.shape[1]
    if not scan.is_volume and numbers == 6:
        raise LiteMedSamError(
            f"{scan.name}: a box of 6 numbers for an image of {scan.grid[1]} × {scan.grid[0]} pixels",
            "give x0,y0,x1,y1",
        )
    if not scan.is_volume or numbers != 4:
        return boxes
    if scan.grid[0] != 1:
        raise LiteMedSamError(
            f"{scan.name}: a box of 4 numbers for a volume of {scan.grid[0]} slices",
            "give x0,y0,z0,x1,y1,z1; the range of slices may be short",
        )
    zero = np.zeros((len(boxes), 1))
    return np.hstack([boxes[:, :2], zero, boxes[:, 2:], zero])


def _open_ended(name: str, seen: Objects, view: View) -> frozenset[int]:
    """The labels of the objects that are open-ended; refuses those whose box, as seen, is not on one slice."""
    found = [number for number, prompt in enumerate(seen.prompts, start=1) if prompt.open_ended]
    for number in found:
        box = seen.prompts[number - 1].box
        if len(box) == 4:
            raise LiteMedSamError(
                f"{name}: object {number}: an image has no further slices", "leave the search for slices out"
            )
        if box[2] != box[5]:
            (axis, first), (_, last) = (view.stored_slice(int(z)) for z in box[[2, 5]])
            raise LiteMedSamError(
                f"{name}: object {number}: its box covers slices {axis} = {min(first, last)} to {max(first, last)}, "
                "expected one slice to search from",
                f"give a box with one {axis}, or leave the search for slices out",
            )
    return frozenset(found)


def _pixels(scan: Scan, scaling: Scaling | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The pixels of a scan, uint8 unless it is ready, and notes for the user."""
    if scan.ready:
        return scan.voxels, ()
    if scan.coloured and scan.voxels.dtype == np.uint8:
        return 255 - scan.voxels if scan.inverted else scan.voxels, ()
    notes: tuple[str, ...] = ()
    check_finite(scan.name, scan.voxels)
    values = scan.voxels if scan.padding is None else scan.voxels[~scan.padding]
    if scaling is None:
        scaling, guessed = usual_scaling(values, scan.modality)
        if guessed:
            notes = (f"{scan.name}: raw Hounsfield units, {scaling.text}; choose another with --window",)
    pixels = scaling.pixels(scan.name, values)
    if isinstance(scaling, Window):
        notes += _one_sided(scan.name, values, pixels, scaling)
    if scan.inverted:
        pixels = 255 - pixels
    if scan.padding is not None:
        shown = np.zeros(scan.voxels.shape, np.uint8)
        shown[~scan.padding] = pixels
        pixels = shown
    return pixels, notes


def _one_sided(name: str, values: np.ndarray, pixels: np.ndarray, window: Window) -> tuple[str, ...]:
    """A note where nearly all pixels come to one end of a window, as when values are not what it is made for."""
    for end, where in ((0, "below"), (255, "above")):
        share = np.count_nonzero(pixels == end) / max(pixels.size, 1)
        if share > _ONE_SIDED:
            return (
                f"{name}: {share:.1%} of the voxels lie {where} the {window.text}: values from {values.min():g} to "
                f"{values.max():g} may lack their offset in Hounsfield units; try --window percentiles",
            )
    return ()


def prepare(scan: Scan, objects: Objects, scaling: Scaling | None = None) -> Prepared:
    """Turn, scale and check a scan and its objects.

    Parameters
    ----------
    scan : Scan
    objects : Objects
        In indices of the stored voxels.
    scaling : Scaling, optional
        The usual scaling of the scan when absent; see `usual_scaling`. Ready pixels and colours of 8 bits stay as they
        are; deeper colours are spread together, which keeps their hues.

    Raises
    ------
    LiteMedSamError
        For NaN, and for boxes that do not fit; see `checked_case`.
    """
    pixels, decided = _pixels(scan, scaling)
    notes = (*scan.notes, *objects.notes, *decided)
    if scan.is_volume is None:
        _check_not_colours(scan, objects.boxes)
        case = checked_case(scan.name, pixels, objects.boxes, scan.spacing)
        view = View.identity(case.grid)
        case = replace(case, open_ended=_open_ended(scan.name, objects, view))
        return Prepared(case, view, objects, case.boxes, notes)
    view = scan.view()
    # Checked as the user gave them, so that messages show the user's own numbers.
    boxes = checked_boxes(scan.name, _boxes_for(scan, objects.boxes), scan.grid, whole=view.through)
    seen = objects.with_boxes(boxes).seen(view)
    spacing = None if scan.spacing is None else view.see_spacing(scan.spacing)
    volume = None if scan.geometry is None else scan.geometry.voxel_volume
    case = Case(scan.name, view.see(pixels), seen.boxes, spacing, _open_ended(scan.name, seen, view))
    return Prepared(case, view, seen, boxes, notes, volume)
