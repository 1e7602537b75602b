"""Points and strokes that a user puts on single slices, as prompts in the frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...errors import LiteMedSamError
from ..inference.frame import Frame
from ..inference.prompt import Correction, PromptSource, Target, UserPrompts, check_correctable, check_taken

if TYPE_CHECKING:
    from ..bundle.info import BundleInfo
    from .objects import Repair, Stroke
    from .prepare import Prepared

# So many labels are listed in a message.
_LISTED = 10


def user_prompts(prepared: Prepared, otherwise: PromptSource, info: BundleInfo) -> PromptSource:
    """The prompts of a prepared scan in the frame.

    Parameters
    ----------
    prepared : Prepared
    otherwise : PromptSource
        Makes the prompts that the user did not give.
    info : BundleInfo
        Of the model that takes them.

    Returns
    -------
    PromptSource
        `otherwise` itself when the user gave boxes only.

    Raises
    ------
    LiteMedSamError
        For points and strokes on slices that their object's box does not cover, strokes of unknown objects or over
        several slices, and prompts that the model does not take.
    """
    objects, case = prepared.objects, prepared.case
    kinds = {"points": any(prompt.points is not None for prompt in objects.prompts), "scribbles": objects.scribbled}
    if not any(kinds.values()):
        return otherwise
    check_taken(info, (kind for kind, given in kinds.items() if given), f"{case.name}: ")
    height, width = case.grid[-2:]
    frame = Frame.of(height, width, info.frame)
    return UserPrompts.in_image(_points(prepared), chain(_masked(prepared), _drawn(prepared)), frame, otherwise)


def _points(prepared: Prepared) -> dict[Target, np.ndarray]:
    """The points of each object on each slice, float64 (k, 2)."""
    points: dict[Target, np.ndarray] = {}
    for number, prompt in enumerate(prepared.objects.prompts, start=1):
        if prompt.points is None:
            continue
        given = prompt.points
        by_slice = np.rint(given[:, 2]).astype(int) if given.shape[1] == 3 else np.zeros(len(given), int)
        for z in np.unique(by_slice):
            _check_covered(prepared, number, int(z), "a point")
            points[Target(number, int(z))] = given[by_slice == z, :2]
    return points


def _check_covered(prepared: Prepared, number: int, z: int, what: str) -> None:
    case = prepared.case
    if case.is_volume and not case.boxes[number - 1, 2] <= z <= case.boxes[number - 1, 5]:
        axis, index = prepared.view.stored_slice(z)
        raise LiteMedSamError(
            f"{case.name}: object {number}: {what} on slice {axis} = {index}, which its box leaves out"
        )


def _masked(prepared: Prepared) -> Iterator[tuple[Target, np.ndarray]]:
    """The strokes of a mask, bool (H, W)."""
    strokes = prepared.objects.stroke_mask
    if strokes is None:
        return
    if strokes.shape != prepared.case.grid:
        raise LiteMedSamError(
            f"{prepared.case.name}: scribbles have shape {strokes.shape}, expected {prepared.case.grid}"
        )
    numbers = {value: number for number, value in enumerate(prepared.objects.values, start=1)}
    for z, page in enumerate(strokes if prepared.case.is_volume else strokes[None]):
        for value in np.unique(page[page > 0]).tolist():
            if value not in numbers:
                raise LiteMedSamError(
                    f"{prepared.case.name}: a scribble of object {value}, which has no box",
                    f"draw it with the object's label in the result, one of: {_listed(numbers)}",
                )
            _check_covered(prepared, numbers[value], z, "a scribble")
            yield Target(numbers[value], z), page == value


def _listed(values: Iterable[int]) -> str:
    first = list(values)[: _LISTED + 1]
    return ", ".join(map(str, first[:_LISTED])) + (", …" if len(first) > _LISTED else "")


def _drawn(prepared: Prepared) -> Iterator[tuple[Target, np.ndarray]]:
    """The strokes given as places, bool (H, W): all voxels within half the width of a line."""
    shape = prepared.case.grid[-2:]
    for number, prompt in enumerate(prepared.objects.prompts, start=1):
        lines: dict[tuple[int, float], np.ndarray] = {}
        for stroke in prompt.strokes:
            z = _one_slice(prepared, number, stroke.places)
            _check_covered(prepared, number, z, "a scribble")
            page = lines.setdefault((z, stroke.width), np.zeros(shape, np.uint8))
            page |= _line(shape, stroke)
        for (z, width), page in lines.items():
            yield Target(number, z), _widened(page, width)


def _widened(page: np.ndarray, width: float) -> np.ndarray:
    """All pixels within half the width of a line: uint8 (H, W) to bool (H, W)."""
    near: np.ndarray = cv2.distanceTransform(1 - page, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= width / 2
    return near


def user_corrections(prepared: Prepared, info: BundleInfo) -> dict[int, tuple[Correction, ...]]:
    """The corrections of a prepared scan's objects, by their labels.

    Parameters
    ----------
    prepared : Prepared
    info : BundleInfo
        Of the model that takes them.

    Raises
    ------
    LiteMedSamError
        For a correction over several slices or on a slice that its object's box leaves out, and for a model that takes
        none.
    """
    made: dict[int, tuple[Correction, ...]] = {}
    name = prepared.case.name
    for number, prompt in enumerate(prepared.objects.prompts, start=1):
        if prompt.repairs:
            check_correctable(info, f"{name}: object {number}: ")
            made[number] = tuple(_correction(prepared, number, repair) for repair in prompt.repairs)
    return made


def _correction(prepared: Prepared, number: int, repair: Repair) -> Correction:
    z = _one_slice(prepared, number, repair.places, "correction")
    _check_covered(prepared, number, z, "a correction")
    shape = prepared.case.grid[-2:]
    painted, erased = (strokes_on(shape, strokes) for strokes in (repair.add_strokes, repair.remove_strokes))
    return Correction(repair.add[:, :2], repair.remove[:, :2], painted, erased, z)


def strokes_on(shape: tuple[int, ...], strokes: Sequence[Stroke]) -> np.ndarray | None:
    """All strokes drawn on an image or slice of a shape (H, W), bool (H, W); None for no strokes."""
    if not strokes:
        return None
    drawn = np.stack([_widened(_line(shape, stroke), stroke.width) for stroke in strokes])
    return np.asarray(drawn.any(axis=0))


def _line(shape: tuple[int, ...], stroke: Stroke) -> np.ndarray:
    """The line through a stroke's places, uint8 (H, W)."""
    page = np.zeros(shape, np.uint8)
    corners = np.clip(np.rint(stroke.places[:, :2]), 0, np.array(shape[::-1]) - 1).astype(np.int32)
    # The last place comes twice, because OpenCV draws no line of one place.
    corners = np.concatenate([corners, corners[-1:]])
    cv2.polylines(page, [corners[:, None]], False, 1)
    return page


def _one_slice(prepared: Prepared, number: int, places: np.ndarray, what: str = "stroke") -> int:
    """The slice that a stroke or a correction lies on."""
    if places.shape[1] == 2:
        return 0
    ends = [int(np.rint(z)) for z in (places[:, 2].min(), places[:, 2].max())]
    if ends[0] != ends[1]:
        (axis, first), (_, last) = (prepared.view.stored_slice(z) for z in ends)
        raise LiteMedSamError(
            f"{prepared.case.name}: object {number}: a {what} over slices {axis} = {min(first, last)} to "
            f"{max(first, last)}, expected one slice",
            f"give each slice {what}s of its own",
        )
    return ends[0]
