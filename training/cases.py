"""Folders of challenge-format cases as training samples."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..archive import open_archive
from ..challenge import CaseName, place_of
from ..errors import LiteMedSamError
from .samples import Sample

_FORMS = ("2DBox", "3DBox")
# Larger images are shrunk once, here: the frame is smaller, and shrinking in every step would cost time.
_LARGEST_SIDE = 640
_MIN_PIXELS = 10
_MAX_SLICES = 24


@dataclass(frozen=True)
class Case:
    """The samples of one file, with the names of its dataset and patient.

    Attributes
    ----------
    name : str
        The file's name without its ending.
    group : str
        The dataset, from the file's name: ``2DBox_US_HC18-fetalhead_004`` belongs to ``2DBox_US_HC18-fetalhead``. Files
        with other names form one group.
    source : str
        The patient or specimen; files of one source are held out together.
    samples : tuple of Sample
        One for an image; for a volume, up to 24 slices with objects, evenly spaced.
    """

    name: str
    group: str
    source: str
    samples: tuple[Sample, ...]


def _named(stem: str, subjects: tuple[str, ...]) -> tuple[str, str]:
    name = CaseName.of(stem)
    if name is None or not name.dataset or name.form not in _FORMS:
        return "cases", stem
    found = next(filter(None, (re.search(pattern, stem) for pattern in subjects)), None)
    return f"{name.form}_{name.modality}_{name.dataset}", name.patient if found is None else found[1]


def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_archive(path) as stored:
        missing = [key for key in ("imgs", "gts") if key not in stored.keys]
        if missing:
            raise LiteMedSamError(
                f"{path}: has no {' and no '.join(missing)}, only {', '.join(stored.keys)}",
                "training needs challenge-format files with the images and the marks",
            )
        return stored.read("imgs"), stored.read("gts")


def _checked(path: Path, images: np.ndarray, marks: np.ndarray) -> None:
    if images.dtype != np.uint8:
        raise LiteMedSamError(f"{path}: imgs are {images.dtype}, expected uint8", "window and scale them to 0 to 255")
    if not np.issubdtype(marks.dtype, np.integer):
        raise LiteMedSamError(f"{path}: gts are {marks.dtype}, expected whole numbers", "store labels 0, 1, 2, …")
    colour = images.ndim == 3 and images.shape[-1] == 3 and marks.ndim == 2
    fits = images.shape[: marks.ndim] == marks.shape and (colour or images.ndim == marks.ndim)
    if not fits or marks.ndim not in (2, 3) or min(marks.shape) < 1:
        raise LiteMedSamError(
            f"{path}: imgs {images.shape} and gts {marks.shape} do not belong together, expected (H, W[, 3]) with "
            "(H, W) or (D, H, W) with (D, H, W)",
            "store them as the challenge does",
        )


def _sample(image: np.ndarray, marks: np.ndarray) -> Sample | None:
    labels, counts = np.unique(marks[marks > 0], return_counts=True)
    labels = labels[counts >= _MIN_PIXELS]
    if len(labels) == 0:
        return None
    factor = _LARGEST_SIDE / max(image.shape[:2])
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        marks = cv2.resize(marks.astype(np.int32), size, interpolation=cv2.INTER_NEAREST)
    masks = np.stack([marks == label for label in labels])
    masks = masks[masks.any(axis=(1, 2))]
    return Sample(np.ascontiguousarray(image), masks) if len(masks) else None


def read_case(path: str | Path, subjects: tuple[str, ...] = ()) -> Case:
    """Read one file of the challenge's format.

    Parameters
    ----------
    path : path
        An npz file with ``imgs`` uint8 (H, W), (H, W, 3) or (D, H, W) and ``gts``, whole numbers (H, W) or (D, H, W), 0
        for the background and one number for each object.
    subjects : tuple of str
        As in `TrainingConfig`.

    Returns
    -------
    Case
        Without samples if no object has ten pixels.

    Raises
    ------
    LiteMedSamError
        When the file cannot be read or has another form.
    """
    path = Path(path)
    images, marks = _load(path)
    _checked(path, images, marks)
    if marks.ndim == 2:
        found = [_sample(images, marks)]
    else:
        bearing = np.flatnonzero((marks > 0).sum(axis=(1, 2)) >= _MIN_PIXELS)
        if len(bearing) > _MAX_SLICES:
            bearing = bearing[np.linspace(0, len(bearing) - 1, _MAX_SLICES).round().astype(int)]
        found = [_sample(images[z], marks[z]) for z in bearing]
    return Case(path.stem, *_named(path.stem, subjects), tuple(sample for sample in found if sample is not None))


def read_folders(folders: tuple[str | Path, ...], subjects: tuple[str, ...] = ()) -> list[Case]:
    """Read all ``*.npz`` files of some folders, sorted by name. Files without objects are left out.

    Raises
    ------
    LiteMedSamError
        When a folder is absent or none of its files contains an object, and as `read_case`.
    """
    cases = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise LiteMedSamError(f"{folder}: no such folder", "give a folder of challenge-format npz files")
        found = [case for case in (read_case(path, subjects) for path in sorted(folder.glob("*.npz"))) if case.samples]
        if not found:
            raise LiteMedSamError(
                f"{folder}: contains no npz file with marked objects", "give a folder of challenge-format npz files"
            )
        cases += found
    return cases


def split(cases: list[Case], held_out: float, apart: tuple[str, ...] = ()) -> tuple[list[Case], list[Case]]:
    """Split the cases by source, the same way on every machine and for every seed.

    Parameters
    ----------
    cases : list of Case
    held_out : float
        Share of the sources, in [0, 1).
    apart : tuple of str
        File names that begin with one of these are also measured.

    Returns
    -------
    learnt, measured : list of Case
    """
    learnt: list[Case] = []
    measured: list[Case] = []
    for case in cases:
        apart_from_training = place_of(case.source) < held_out or case.name.startswith(apart)
        (measured if apart_from_training else learnt).append(case)
    return learnt, measured
