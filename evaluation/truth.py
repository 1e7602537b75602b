"""A case's ground truth, and the interface of files that contain label maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import LiteMedSamError

if TYPE_CHECKING:
    from ..engine.scan.geometry import Geometry

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
    geometry : Geometry or None
        The place of the voxels, if the file gives it.
    """

    name: str
    labels: np.ndarray
    spacing: tuple[float, float, float] | None
    geometry: Geometry | None = None


@dataclass(frozen=True)
class Prompted:
    """The image and the boxes that a rival needs.

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


class LabelFiles(Protocol):
    """One kind of file that contains truths and masks.

    Attributes
    ----------
    suffixes : tuple of str
        In lower case; the case of a file's suffix does not matter.
    """

    suffixes: tuple[str, ...]

    def truth(self, path: Path, axes: int | None) -> Truth:
        """Read a ground truth.

        Parameters
        ----------
        path : Path
        axes : int or None
            2 or 3 if the file's name gives it.

        Raises
        ------
        LiteMedSamError
            When the file is damaged, or contains no label map of that number of axes.
        """
        ...

    def masks(self, path: Path, truth: Truth) -> np.ndarray:
        """Read the masks of a case, uint16 on the truth's grid.

        Raises
        ------
        LiteMedSamError
            When the file is damaged, or contains no label map on that grid.
        """
        ...

    def prompted(self, path: Path, shape: tuple[int, ...]) -> Prompted:
        """Read the image and the boxes that belong to a truth of this shape.

        Raises
        ------
        LiteMedSamError
            When the file does not contain them.
        """
        ...


def checked_labels(what: str, labels: np.ndarray) -> np.ndarray:
    """A label map as uint16.

    Parameters
    ----------
    what : str
        File and key, for messages.
    labels : ndarray

    Raises
    ------
    LiteMedSamError
        For other than whole numbers from 0 to 65535 of two or three axes.
    """
    if labels.ndim not in (2, 3) or labels.size == 0 or labels.dtype.kind not in "biu":
        raise LiteMedSamError(
            f"{what} is {labels.dtype} {labels.shape}, expected whole-number labels (H, W) or (D, H, W)",
            "store 0 for background and k for object k",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high > _HIGHEST_LABEL:
        raise LiteMedSamError(
            f"{what} holds labels {low} to {high}, expected 0 to {_HIGHEST_LABEL}", "number the objects from 1"
        )
    return labels.astype(np.uint16)


def on_grid(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels in a given shape, if the two differ only in a first axis of one slice; otherwise unchanged."""
    return labels.reshape(shape) if (1, *labels.shape) == shape or labels.shape == (1, *shape) else labels
