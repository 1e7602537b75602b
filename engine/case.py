"""A case as it comes in, checked, and as it goes out."""

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import LiteMedSamError

# Objects of one case; the label maps of most formats hold no higher number.
LARGEST_NUMBER = 65535
# Below, everything rounds to 0 or 1.
_TWO_LEVELS = 1.5
# What may have become of an object.
EMPTY, COVERED = "empty", "covered"
_PART = 1_000_000
_SMALLEST_MM, _LARGEST_MM = 1e-9, 1e9


@dataclass(frozen=True)
class Case:
    """An image or a volume with one box per object.

    Attributes
    ----------
    name : str
        Where it comes from, for messages.
    pixels : ndarray
        uint8; an image (H, W) or (H, W, 3), a volume (D, H, W) or (D, H, W, 3).
    boxes : ndarray
        float64, in pixels, all ends included: (N, 4) x_min, y_min, x_max, y_max for an image, (N, 6) x_min,
        y_min, z_min, x_max, y_max, z_max for a volume. Object k has the label k + 1.
    spacing : ndarray or None
        float64 (3,), or (2,) for an image: distance between centres in mm along x, y, z.
    open_ended : frozenset of int
        Labels of the objects whose box covers only the slice that it was drawn on; their other slices are searched.
    """

    name: str
    pixels: np.ndarray
    boxes: np.ndarray
    spacing: np.ndarray | None = None
    open_ended: frozenset[int] = frozenset()

    @property
    def is_volume(self) -> bool:
        """Whether the boxes have six numbers."""
        return bool(self.boxes.shape[1] == 6)

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the label map: (H, W) or (D, H, W)."""
        return self.pixels.shape[: 3 if self.is_volume else 2]


@dataclass(frozen=True)
class Segmentation:
    """The result of a case.

    Attributes
    ----------
    labels : ndarray
        (H, W) or (D, H, W), 0 for background and k + 1 for object k; where objects overlap, the highest. The
        smallest of uint8, uint16, uint32 that holds the number of objects.
    scores : ndarray
        float32 (N,), predicted IoU, for a volume the mean over the object's slices.
    seconds : mapping of str to float
        Time spent per stage.
    encoded : int
        How many images went through the encoder.
    areas : ndarray
        int64 (N,), pixels or voxels of each object's mask, with what others cover.
    boxes : ndarray
        float64 (N, 4) or (N, 6), those of the case; of open-ended objects with the slices that were found.
    """

    labels: np.ndarray
    scores: np.ndarray
    seconds: Mapping[str, float]
    encoded: int
    areas: np.ndarray
    boxes: np.ndarray

    @cached_property
    def voxels(self) -> list[int]:
        """Labelled pixels or voxels of each object: its mask without what others cover."""
        objects, flat = len(self.scores), self.labels.ravel()
        counts = np.zeros(objects + 1, np.int64)
        # In parts: counting widens the labels to eight bytes each.
        for start in range(0, len(flat), _PART):
            counts += np.bincount(flat[start : start + _PART], minlength=objects + 1)
        return [int(count) for count in counts[1:]]

    @property
    def states(self) -> list[str]:
        """Per object `EMPTY`, or `COVERED` where others hide its whole mask, or nothing."""
        sizes = zip(self.areas.tolist(), self.voxels, strict=True)
        return [EMPTY if not own else COVERED if not left else "" for own, left in sizes]


def label_dtype(objects: int) -> np.dtype:
    """The smallest unsigned integer that holds labels up to `objects`."""
    return np.min_scalar_type(objects)


def checked_pixels(name: str, pixels: np.ndarray) -> np.ndarray:
    """Pixels as uint8.

    Parameters
    ----------
    name : str
        For messages.
    pixels : ndarray
        Integers or floats in 0..255; floats are rounded to the nearest level.

    Raises
    ------
    LiteMedSamError
        For other types, an empty array, NaN, infinity, values outside 0..255, or floats scaled to 0..1.
    """
    if pixels.dtype.kind not in "uif":
        raise LiteMedSamError(f"{name}: imgs has type {pixels.dtype}, expected numbers in 0..255")
    if pixels.size == 0:
        raise LiteMedSamError(f"{name}: imgs is empty, shape {pixels.shape}")
    if pixels.dtype == np.uint8:
        return pixels
    # Both carry NaN and infinity on, without an array of flags as large as a volume.
    low, high = pixels.min(), pixels.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise LiteMedSamError(f"{name}: imgs holds NaN or infinity", "replace them before")
    check_not_unit(name, pixels.dtype, high)
    if low < 0 or high > 255:
        raise LiteMedSamError(
            f"{name}: imgs has values from {low} to {high}, expected 0..255",
            "window and scale the intensities to 0..255 first",
        )
    if pixels.dtype.kind != "f":
        return pixels.astype(np.uint8)
    # Straight into bytes: a rounded copy of a volume of doubles would be eight times as large.
    levels = np.empty(pixels.shape, np.uint8)
    np.rint(pixels, out=levels, casting="unsafe")
    return levels


def check_not_unit(name: str, dtype: np.dtype, high: float) -> None:
    """Refuse floats that would round to the levels 0 and 1 alone, as those of an image scaled to 0..1 do.

    Integers pass, because a file of labels may hold them, and so does an image that is black throughout.

    Parameters
    ----------
    name : str
        For the message.
    dtype : numpy.dtype
    high : float
        The highest value.

    Raises
    ------
    LiteMedSamError
    """
    if dtype.kind == "f" and 0 < high < _TWO_LEVELS:
        raise LiteMedSamError(
            f"{name}: the highest value is {high:g}, so the image looks scaled to 0..1; expected 0..255",
            "multiply it by 255",
        )


def number_list(values: Iterable[float]) -> str:
    """Numbers as a message shows them, such as ``(1, 2.5, 3)``."""
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


def check_box_form(name: str, boxes: np.ndarray) -> None:
    """Refuse an array that is not of shape (N, 4) or (N, 6).

    Raises
    ------
    LiteMedSamError
    """
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 6):
        raise LiteMedSamError(
            f"{name}: boxes has shape {boxes.shape}, expected (N, 4) for an image or (N, 6) for a volume"
        )


def check_box_count(name: str, boxes: Sized) -> None:
    """Refuse no boxes, and more than 65535.

    Raises
    ------
    LiteMedSamError
    """
    if len(boxes) == 0:
        raise LiteMedSamError(
            f"{name}: there are no boxes", "this model needs at least one box; it has no automatic mode"
        )
    if len(boxes) > LARGEST_NUMBER:
        raise LiteMedSamError(f"{name}: {len(boxes)} boxes, expected at most {LARGEST_NUMBER}", "split the case")


def check_corners(where: str, box: Sequence[float] | np.ndarray) -> None:
    """Refuse a box (4,) or (6,) that holds NaN or infinity, or whose smaller corner does not come first.

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
    if not np.isfinite(box).all():
        raise LiteMedSamError(f"{where}: the box {number_list(box)} holds NaN or infinity")
    rank = len(box) // 2
    for axis, low, high in zip("xyz", box[:rank], box[rank:], strict=False):
        if low > high:
            raise LiteMedSamError(
                f"{where}: {axis}_min {low:g} is greater than {axis}_max {high:g} in box {number_list(box)}",
                "give the smaller corner first",
            )


def checked_boxes(name: str, boxes: np.ndarray, grid: tuple[int, ...], whole: str = "z") -> np.ndarray:
    """Boxes as float64 (N, 2 · rank).

    Parameters
    ----------
    name : str
        For messages.
    boxes : ndarray
        (N, 4) or (N, 6), see `Case`; an end may lie on the image's far edge (x = W, y = H).
    grid : tuple of int
        (H, W) or (D, H, W).
    whole : str
        Axes along which a box counts slices: whole numbers only, and none on the far edge.

    Raises
    ------
    LiteMedSamError
        For wrong shapes or types, no boxes or more than 65535, NaN or infinity, swapped or outside corners; names
        the object.
    """
    rank = len(grid)
    if boxes.dtype.kind not in "uif" or boxes.ndim != 2 or boxes.shape[1] != 2 * rank:
        raise LiteMedSamError(
            f"{name}: boxes has shape {boxes.shape} and type {boxes.dtype}, expected numbers of shape (N, {2 * rank})"
        )
    check_box_count(name, boxes)
    boxes = boxes.astype(np.float64)
    axes, sizes = "xyz"[:rank], grid[::-1]
    for number, box in enumerate(boxes, start=1):
        where = f"{name}: object {number}"
        check_corners(where, box)
        for axis, size, low, high in zip(axes, sizes, box[:rank], box[rank:], strict=True):
            edge = size - 1 if axis in whole else size
            if low < 0 or low > size - 1 or high > edge:
                raise LiteMedSamError(
                    f"{where}: {axis} from {low:g} to {high:g} in box {number_list(box)} is outside the image, "
                    f"expected 0 to {size - 1}"
                )
            if axis in whole and (low != int(low) or high != int(high)):
                raise LiteMedSamError(f"{where}: {axis} from {low:g} to {high:g}, expected whole slice numbers")
    return boxes


def checked_spacing(name: str, spacing: np.ndarray | Sequence[float], axes: int) -> np.ndarray:
    """A spacing as float64 (axes,).

    Parameters
    ----------
    name : str
        For messages.
    spacing : array_like
        In mm.
    axes : int

    Raises
    ------
    LiteMedSamError
        For wrong shapes or types, NaN, infinity, or numbers that are not positive.
    """
    spacing = np.asarray(spacing)
    if spacing.dtype.kind not in "uif" or spacing.shape != (axes,):
        raise LiteMedSamError(
            f"{name}: spacing has shape {spacing.shape} and type {spacing.dtype}, expected ({axes},) in mm"
        )
    spacing = spacing.astype(np.float64)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise LiteMedSamError(f"{name}: spacing is {number_list(spacing)}, expected positive numbers in mm")
    # Beyond these, volumes overflow or vanish.
    if spacing.min() < _SMALLEST_MM or spacing.max() > _LARGEST_MM:
        raise LiteMedSamError(
            f"{name}: spacing is {number_list(spacing)}, expected {_SMALLEST_MM:g} to {_LARGEST_MM:g} mm"
        )
    return spacing


def checked_case(name: str, pixels: np.ndarray, boxes: np.ndarray, spacing: np.ndarray | None = None) -> Case:
    """A case of arrays as a file holds them; whether it is a volume is decided by the boxes.

    Raises
    ------
    LiteMedSamError
        See `checked_pixels` and `checked_boxes`; also for wrong ranks, channel counts and spacings.
    """
    check_box_form(name, boxes)
    rank = boxes.shape[1] // 2
    coloured = pixels.ndim == rank + 1
    if pixels.ndim not in (rank, rank + 1) or (coloured and pixels.shape[-1] != 3):
        kind = "an image (H, W) or (H, W, 3)" if rank == 2 else "a volume (D, H, W) or (D, H, W, 3)"
        raise LiteMedSamError(f"{name}: imgs has shape {pixels.shape}, expected {kind} for boxes of {2 * rank} numbers")
    if spacing is not None:
        spacing = checked_spacing(name, spacing, 3)
    pixels = checked_pixels(name, pixels)
    return Case(name, pixels, checked_boxes(name, boxes, pixels.shape[:rank]), spacing)
