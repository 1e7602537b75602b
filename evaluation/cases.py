"""Ground truths and masks from npz files of the challenge's form; nothing pickled is ever read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..archive import Archive, open_archive
from ..errors import LiteMedSamError
from .groups import axes_of

_HIGHEST_LABEL = 65535


@dataclass(frozen=True)
class Truth:
    """A case's ground truth.

    Attributes
    ----------
    name : str
        The file's name.
    labels : ndarray
        uint16 (H, W) or (D, H, W), 0 is background.
    spacing : tuple of float or None
        (3,), (x, y, z) in mm as stored; None for a single image.
    """

    name: str
    labels: np.ndarray
    spacing: tuple[float, float, float] | None


@dataclass(frozen=True)
class Prompted:
    """What a rival needs of a case.

    Attributes
    ----------
    image : ndarray
        uint8 (H, W), (H, W, 3), (D, H, W) or (D, H, W, 3).
    boxes : ndarray
        int64 (n, 4) x_min, y_min, x_max, y_max or (n, 6) x_min, y_min, z_min, x_max, y_max, z_max; the maxima are
        inclusive. Box i belongs to label i + 1.
    """

    image: np.ndarray
    boxes: np.ndarray


def read_truth(path: Path) -> Truth:
    """Read `gts`, and `spacing` for a volume.

    Parameters
    ----------
    path : Path
        An npz file; single image or volume by the axes of `gts`.

    Returns
    -------
    Truth

    Raises
    ------
    LiteMedSamError
        The file or a key is missing, broken or pickled; `gts` is not a label map, or not of the number of axes that
        the name says; `spacing` is not three numbers above 0.
    """
    with _opened(path) as arrays:
        labels = _labels(arrays, "gts", path)
        said = axes_of(path.name)
        if said not in (None, labels.ndim):
            raise LiteMedSamError(
                f"{path}: gts has {labels.ndim} axes, the name says {said}D", "rename the file or mend its array"
            )
        return Truth(path.name, labels, _spacing(arrays, path) if labels.ndim == 3 else None)


def read_masks(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read `segs`.

    Parameters
    ----------
    path : Path
        An npz file.
    shape : tuple of int
        The shape of the ground truth.

    Returns
    -------
    ndarray
        uint16, of that shape.

    Raises
    ------
    LiteMedSamError
        The file or the key is missing, broken or pickled; not a label map, or of another shape.
    """
    with _opened(path) as arrays:
        labels = _labels(arrays, "segs", path)
    if labels.shape != shape:
        raise LiteMedSamError(
            f"{path}: segs has shape {labels.shape}, the ground truth {shape}", "segment the same image at its own size"
        )
    return labels


def read_prompted(path: Path, shape: tuple[int, ...]) -> Prompted:
    """Read `imgs` and `boxes`.

    Parameters
    ----------
    path : Path
        An npz file.
    shape : tuple of int
        The shape of the ground truth.

    Returns
    -------
    Prompted

    Raises
    ------
    LiteMedSamError
        The file or a key is missing, broken or pickled; an image of another size or not uint8; boxes of another form.
    """
    with _opened(path) as arrays:
        image, boxes = _array(arrays, "imgs"), _array(arrays, "boxes")
    if image.dtype != np.uint8 or image.shape[: len(shape)] != shape or image.shape[len(shape) :] not in ((), (3,)):
        raise LiteMedSamError(
            f"{path}: imgs is {image.dtype} {image.shape}, expected uint8 {shape} or {(*shape, 3)}",
            "store the image beside its own ground truth",
        )
    numbers = 2 * len(shape)
    if boxes.ndim != 2 or boxes.shape[1] != numbers or boxes.dtype.kind not in "iuf" or not np.isfinite(boxes).all():
        raise LiteMedSamError(
            f"{path}: boxes is {boxes.dtype} {boxes.shape}, expected numbers (n, {numbers})", "store one box per object"
        )
    return Prompted(image, np.rint(boxes).astype(np.int64))


@contextmanager
def _opened(path: Path) -> Iterator[Archive]:
    if not path.is_file():
        raise LiteMedSamError(f"{path}: no such file", "every ground truth needs masks of the same file name")
    with open_archive(path) as arrays:
        yield arrays


def _array(arrays: Archive, key: str) -> np.ndarray:
    if key not in arrays.keys:
        raise LiteMedSamError(
            f"{arrays.path}: no key {key!r}, found {sorted(arrays.keys)}", f"store the array as {key!r}"
        )
    return arrays.read(key)


def _labels(arrays: Archive, key: str, path: Path) -> np.ndarray:
    labels = _array(arrays, key)
    if labels.ndim not in (2, 3) or labels.size == 0 or labels.dtype.kind not in "biu":
        raise LiteMedSamError(
            f"{path}: {key} is {labels.dtype} {labels.shape}, expected whole-number labels (H, W) or (D, H, W)",
            "store 0 for background and k for object k",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > _HIGHEST_LABEL:
        raise LiteMedSamError(
            f"{path}: {key} holds labels {low} to {high}, expected 0 to {_HIGHEST_LABEL}", "number the objects from 1"
        )
    return labels.astype(np.uint16)


def _spacing(arrays: Archive, path: Path) -> tuple[float, float, float]:
    spacing = _array(arrays, "spacing")
    if spacing.shape != (3,) or spacing.dtype.kind not in "iuf" or not ((spacing > 0) & np.isfinite(spacing)).all():
        raise LiteMedSamError(
            f"{path}: spacing is {np.array2string(spacing, threshold=3)}, expected three numbers above 0",
            "store (x, y, z) in mm",
        )
    x, y, z = (float(s) for s in spacing)
    return x, y, z
