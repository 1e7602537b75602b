"""Checks the arguments of sessions. Arguments of Segment Anything are refused with the call that takes their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import LiteMedSamError
from ..case import check_box_count
from ..inference.prompt import Correction

# Arguments of SAM's predictors, and what to do instead.
_FROM_SAM = {
    "box": "give boxes=[[x_min, y_min, x_max, y_max]]; several boxes may be given at once",
    "point_coords": "give points (n, k, 2), one to four on each object, together with its box in boxes",
    "point_labels": "leave it out; give points to add and to remove to correct(object, add=…, remove=…)",
    "mask_input": "leave it out; give a scribble (n, H, W) on the object instead",
    "multimask_output": "leave it out; there is one mask for each box",
    "return_logits": "leave it out; the result has logits",
    "normalize_coords": "leave it out; boxes and points count pixels of the image",
    "image_format": "leave it out; give colours in the order RGB, such as image[..., ::-1] of one in BGR",
}
# Pillow modes whose array is grey or RGB.
_MODES = ("L", "RGB", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def refuse_others(function: str, others: Mapping[str, object]) -> None:
    """Refuse arguments that a function does not have.

    Raises
    ------
    LiteMedSamError
        For an argument of Segment Anything's predictor. The remedy says what to do instead.
    TypeError
        For any other argument, as Python does.
    """
    for name in others:
        if name in _FROM_SAM:
            raise LiteMedSamError(f"{function} takes no {name}", _FROM_SAM[name])
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")


def image_array(image: Any) -> np.ndarray:
    """The array of an image or volume.

    Parameters
    ----------
    image : array_like
        Also an image of Pillow, grey or RGB.

    Raises
    ------
    LiteMedSamError
        For the name of a file, and for Pillow images whose numbers are not intensities.
    """
    if isinstance(image, str | bytes) or hasattr(image, "__fspath__"):
        raise LiteMedSamError(
            f"the image is the text {str(image)!r}, expected an array", "use litemedsam.segment for files"
        )
    mode = getattr(image, "mode", None)
    if hasattr(image, "getpalette") and mode not in _MODES:
        raise LiteMedSamError(
            f'the image is one of Pillow in mode {mode}, expected "L" or "RGB"', 'give image.convert("RGB")'
        )
    try:
        return np.asarray(image)
    except ValueError as error:
        raise LiteMedSamError("the image has rows of different lengths", "give an array (H, W) or (H, W, 3)") from error


def check_image_form(image: np.ndarray) -> None:
    """Refuse an array that is not of shape (H, W) or (H, W, 3).

    Raises
    ------
    LiteMedSamError
    """
    shape = image.shape
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3):
        return
    remedy = None
    if len(shape) == 3 and shape[0] == 3:
        remedy = "put the colours last, as in image.transpose(1, 2, 0)"
    elif len(shape) == 3 and shape[2] == 4:
        remedy = "leave the transparency out, as in image[..., :3]"
    elif len(shape) == 3 and shape[2] == 1:
        remedy = "leave the last axis out, as in image[..., 0]"
    elif len(shape) in (3, 4):
        remedy = "use open(volume, volume=True) for a volume"
    raise LiteMedSamError(f"image has shape {shape}, expected (H, W) or (H, W, 3)", remedy)


def box_array(boxes: Any, numbers: int) -> np.ndarray:
    """The array (n, numbers) of boxes; a single box may come without its first axis.

    Parameters
    ----------
    boxes : array_like
    numbers : int
        4 or 6, for messages.

    Raises
    ------
    LiteMedSamError
        For no boxes, and for boxes of different lengths.
    """
    corners = "x_min, y_min, x_max, y_max" if numbers == 4 else "x_min, y_min, z_min, x_max, y_max, z_max"
    if boxes is None:
        raise LiteMedSamError("there are no boxes; this model has no automatic mode", f"give boxes=[[{corners}]]")
    try:
        array = np.atleast_2d(np.asarray(boxes))
    except ValueError as error:
        raise LiteMedSamError("boxes differ in length", f"give each as [{corners}]") from error
    if array.size == 0:
        check_box_count("boxes", ())
    return array


def one_box(box: Any, numbers: int, function: str = "begin") -> np.ndarray:
    """The array (1, numbers) of a single box; raises as `box_array`, and for other boxes, naming the function."""
    array = box_array(box, numbers)
    if len(array) != 1:
        raise LiteMedSamError(f"{function} takes one box, not {len(array)}", f"call {function} once for each object")
    if array.shape != (1, numbers):
        raise LiteMedSamError(f"{function} takes a box of {numbers} numbers, not one of shape {array.shape[1:]}")
    return array


def correction(
    shape: tuple[int, int], add: Any, remove: Any, add_stroke: Any, remove_stroke: Any, slice_index: int = 0
) -> Correction:
    """Check a user's correction of an image or slice of shape (H, W).

    Parameters
    ----------
    shape : tuple of int
    add, remove : array_like or None
        (k, 2) or (2,), x, y in pixels.
    add_stroke, remove_stroke : array_like or None
        bool (H, W), or integers that are greater than 0 along the strokes.
    slice_index : int

    Raises
    ------
    LiteMedSamError
        When nothing is given, a point lies outside, or a stroke has another shape.
    """
    points = [_correcting_points(name, given, shape) for name, given in (("add", add), ("remove", remove))]
    strokes = [
        _correcting_stroke(name, given, shape)
        for name, given in (("add_stroke", add_stroke), ("remove_stroke", remove_stroke))
    ]
    if not any(map(len, points)) and not any(stroke is not None and stroke.any() for stroke in strokes):
        raise LiteMedSamError("a correction without points and strokes", "give add, remove or a stroke")
    return Correction(points[0], points[1], strokes[0], strokes[1], slice_index)


def _correcting_points(name: str, given: Any, shape: tuple[int, int]) -> np.ndarray:
    if given is None:
        return np.zeros((0, 2))
    try:
        points = np.atleast_2d(np.asarray(given))
    except ValueError as error:
        raise LiteMedSamError(f"{name} has points of different lengths", "give each as [x, y]") from error
    if points.size == 0:
        return np.zeros((0, 2))
    if points.dtype.kind not in "uif" or points.ndim != 2 or points.shape[1] != 2:
        raise LiteMedSamError(
            f"{name} has shape {points.shape} and type {points.dtype}, expected numbers (k, 2)", "give each as [x, y]"
        )
    height, width = shape
    inside = (points >= -0.5) & (points <= [width - 0.5, height - 0.5])
    if not inside.all():
        x, y = points[int(np.flatnonzero(~inside.all(axis=1))[0])]
        raise LiteMedSamError(f"{name}: the point {x:g}, {y:g} lies outside the image of {width} × {height} pixels")
    return points.astype(float)


def _correcting_stroke(name: str, given: Any, shape: tuple[int, int]) -> np.ndarray | None:
    if given is None:
        return None
    stroke: np.ndarray = np.asarray(given)
    if stroke.dtype.kind not in "bui" or stroke.shape != shape:
        raise LiteMedSamError(
            f"{name} has shape {stroke.shape} and type {stroke.dtype}, expected bool {shape}",
            "mark the pixels of the stroke in an array of the image's shape",
        )
    marked: np.ndarray = stroke > 0
    return marked


def point_array(points: Any, count: int) -> Any:
    """Points (n, k, 2); for a single object, (k, 2) is allowed."""
    if points is None or count != 1:
        return points
    try:
        array = np.asarray(points)
    except ValueError:
        # The check of points refuses it.
        return points
    return array[None] if array.ndim == 2 else array
