"""Reads truths and masks from npz files of the challenge's form. Pickled arrays are never read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..archive import Archive, open_archive
from ..errors import LiteMedSamError
from .truth import Prompted, Truth, checked_labels, on_grid


class NpzFiles:
    """Arrays by key: ``gts`` and a volume's ``spacing``; ``segs``; for rivals, ``imgs`` and ``boxes``.

    See `litemedsam.evaluation.truth.LabelFiles`.
    """

    suffixes: tuple[str, ...] = (".npz",)

    def truth(self, path: Path, axes: int | None) -> Truth:
        """See `LabelFiles.truth`."""
        with _opened(path) as arrays:
            labels = _labels(arrays, "gts", path)
            if axes not in (None, labels.ndim):
                raise LiteMedSamError(
                    f"{path}: gts has {labels.ndim} axes, the name says {axes}D",
                    f"begin the name with {labels.ndim}D, or store gts with {axes} axes",
                )
            return Truth(path.name, labels, _spacing(arrays, path) if labels.ndim == 3 else None)

    def masks(self, path: Path, truth: Truth) -> np.ndarray:
        """See `LabelFiles.masks`."""
        with _opened(path) as arrays:
            labels = on_grid(_labels(arrays, "segs", path), truth.labels.shape)
        if labels.shape != truth.labels.shape:
            raise LiteMedSamError(
                f"{path}: segs has shape {labels.shape}, the ground truth {truth.labels.shape}",
                "segment the same image at its own size",
            )
        return labels

    def prompted(self, path: Path, shape: tuple[int, ...]) -> Prompted:
        """See `LabelFiles.prompted`."""
        with _opened(path) as arrays:
            image, boxes = _array(arrays, "imgs"), _array(arrays, "boxes")
        if image.dtype != np.uint8 or image.shape[: len(shape)] != shape or image.shape[len(shape) :] not in ((), (3,)):
            raise LiteMedSamError(
                f"{path}: imgs is {image.dtype} {image.shape}, expected uint8 {shape} or {(*shape, 3)}",
                "store the image beside its own ground truth",
            )
        numbers = 2 * len(shape)
        formed = boxes.ndim == 2 and boxes.shape[1] == numbers and boxes.dtype.kind in "iuf"
        if not formed or not np.isfinite(boxes).all():
            raise LiteMedSamError(
                f"{path}: boxes is {boxes.dtype} {boxes.shape}, expected numbers (n, {numbers})",
                "store one box per object",
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
    return checked_labels(f"{path}: {key}", _array(arrays, key))


def _spacing(arrays: Archive, path: Path) -> tuple[float, float, float]:
    spacing = _array(arrays, "spacing")
    if spacing.shape != (3,) or spacing.dtype.kind not in "iuf" or not ((spacing > 0) & np.isfinite(spacing)).all():
        raise LiteMedSamError(
            f"{path}: spacing is {np.array2string(spacing, threshold=3)}, expected three numbers above 0",
            "store (x, y, z) in mm",
        )
    x, y, z = (float(s) for s in spacing)
    return x, y, z
