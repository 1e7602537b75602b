"""Points and scribbles that a user puts on single slices."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np

from ...errors import LiteMedSamError
from ..bundle.info import BundleInfo
from ..inference.frame import Frame
from ..inference.prompt import POINTS, Prompt, PromptSource, Target
from ..scan.scan import Prepared


@dataclass(frozen=True)
class PlacedPrompts:
    """A user's points and scribbles by object and slice; what is missing comes from another source.

    Attributes
    ----------
    points : mapping of Target to ndarray
        float32 (4, 2) in pixels of the frame.
    scribbles : mapping of Target to ndarray
        bool (S, S) in the frame.
    otherwise : PromptSource
    """

    points: Mapping[Target, np.ndarray]
    scribbles: Mapping[Target, np.ndarray]
    otherwise: PromptSource

    def prompt(self, target: Target, box: np.ndarray, foreground: np.ndarray) -> Prompt:
        """See `PromptSource.prompt`."""
        made = self.otherwise.prompt(target, box, foreground)
        return Prompt(made.box, self.points.get(target, made.points), self.scribbles.get(target, made.scribble))


def placed_prompts(prepared: Prepared, otherwise: PromptSource, info: BundleInfo) -> PromptSource:
    """The prompts of a prepared scan in the frame.

    Parameters
    ----------
    prepared : Prepared
    otherwise : PromptSource
        Where all that the user did not give comes from.
    info : BundleInfo
        Of the model that takes them.

    Returns
    -------
    PromptSource
        `otherwise` itself when the user gave boxes only. Of one to three points on a slice, the first ones count
        again until there are four.

    Raises
    ------
    LiteMedSamError
        For points and strokes on slices that their object's box does not cover, strokes of unknown objects or over
        several slices, and prompts that the model does not take.
    """
    objects, case = prepared.objects, prepared.case
    scribbled = objects.scribbles is not None or bool(objects.drawn)
    if not objects.points and not scribbled:
        return otherwise
    for kind, given in (("points", bool(objects.points)), ("scribbles", scribbled)):
        if given and kind not in info.prompts:
            raise LiteMedSamError(
                f"{case.name}: the model {info.model} takes no {kind}, only: {', '.join(info.prompts)}",
                f"leave out the {kind}",
            )
    frame = Frame.of(*(case.pixels.shape[1:3] if case.is_volume else case.pixels.shape[:2]), info.frame)
    points: dict[Target, np.ndarray] = {}
    for number, given in objects.points.items():
        by_slice = np.rint(given[:, 2]).astype(int) if given.shape[1] == 3 else np.zeros(len(given), int)
        for z in np.unique(by_slice):
            _check_covered(prepared, number, int(z), "a point")
            here = given[by_slice == z, :2] * frame.scale
            points[Target(number, int(z))] = np.resize(here, (POINTS, 2)).astype(np.float32)
    scribbles: dict[Target, np.ndarray] = {}
    for target, page in chain(_masked(prepared), _drawn(prepared)):
        framed = _in_frame(page, frame)
        scribbles[target] = framed | scribbles[target] if target in scribbles else framed
    return PlacedPrompts(points, scribbles, otherwise)


def _check_covered(prepared: Prepared, number: int, z: int, what: str) -> None:
    case = prepared.case
    if not 1 <= number <= len(case.boxes):
        raise LiteMedSamError(f"{case.name}: {what} of object {number}, of which there is no box")
    if case.is_volume and not case.boxes[number - 1, 2] <= z <= case.boxes[number - 1, 5]:
        axis, index = prepared.view.stored_slice(z) if prepared.view else ("z", z)
        raise LiteMedSamError(
            f"{case.name}: object {number}: {what} on slice {axis} = {index}, which its box leaves out"
        )


def _masked(prepared: Prepared) -> Iterator[tuple[Target, np.ndarray]]:
    """The strokes of a mask, bool (H, W)."""
    strokes = prepared.objects.scribbles
    if strokes is None:
        return
    if strokes.shape != prepared.case.grid:
        raise LiteMedSamError(
            f"{prepared.case.name}: scribbles have shape {strokes.shape}, expected {prepared.case.grid}"
        )
    for z, page in enumerate(strokes if prepared.case.is_volume else strokes[None]):
        for number in np.unique(page[page > 0]):
            _check_covered(prepared, int(number), z, "a scribble")
            yield Target(int(number), z), page == number


def _drawn(prepared: Prepared) -> Iterator[tuple[Target, np.ndarray]]:
    """The strokes that are given by their places, bool (H, W): all voxels within half the width of a line."""
    shape = prepared.case.grid[-2:]
    for number, scribble in prepared.objects.drawn.items():
        lines: dict[int, np.ndarray] = {}
        for stroke in scribble.strokes:
            z = _one_slice(prepared, number, stroke)
            _check_covered(prepared, number, z, "a scribble")
            corners = np.clip(np.rint(stroke[:, :2]), 0, np.array(shape[::-1]) - 1).astype(np.int32)
            # The last place comes twice: OpenCV draws nothing of a line of one place.
            corners = np.concatenate([corners, corners[-1:]])
            cv2.polylines(lines.setdefault(z, np.zeros(shape, np.uint8)), [corners[:, None]], False, 1)
        for z, page in lines.items():
            away = cv2.distanceTransform(1 - page, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            yield Target(number, z), away <= scribble.width / 2


def _one_slice(prepared: Prepared, number: int, stroke: np.ndarray) -> int:
    """The slice that a stroke lies on."""
    if stroke.shape[1] == 2:
        return 0
    ends = [int(np.rint(z)) for z in (stroke[:, 2].min(), stroke[:, 2].max())]
    if ends[0] != ends[1]:
        (axis, first), (_, last) = (prepared.view.stored_slice(z) if prepared.view else ("z", z) for z in ends)
        raise LiteMedSamError(
            f"{prepared.case.name}: object {number}: a stroke over slices {axis} = {min(first, last)} to "
            f"{max(first, last)}, expected one slice",
            "give each slice strokes of its own",
        )
    return ends[0]


def _in_frame(page: np.ndarray, frame: Frame) -> np.ndarray:
    # Any touch counts, so that a thin stroke survives shrinking.
    size = frame.scaled_width, frame.scaled_height
    touched = cv2.resize(page.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    whole = np.zeros((frame.size, frame.size), bool)
    whole[: frame.scaled_height, : frame.scaled_width] = touched
    return whole
