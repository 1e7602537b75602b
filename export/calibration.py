"""Splits a folder of challenge-format cases into calibrating cases and measuring cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..challenge import CaseName, place_of
from ..engine.io.npz import read_case
from ..errors import LiteMedSamError

_MOST_OBJECTS = 4


@dataclass(frozen=True)
class View:
    """An image of a case with boxes on it.

    Attributes
    ----------
    image : ndarray
        uint8 (H, W) or (H, W, 3). For a volume, it is the middle slice of an object.
    boxes : ndarray
        float64 (n, 4), x_min, y_min, x_max, y_max in pixels, ends included; n is 1 to 4.
    """

    image: np.ndarray
    boxes: np.ndarray


@dataclass(frozen=True)
class NamedCase:
    """A case's file, and the modality and source that its name gives.

    Attributes
    ----------
    path : Path
    modality : str
        ``other`` for names of another form.
    source : str
        The patient or specimen. Cases of one source always stay together.
    """

    path: Path
    modality: str
    source: str

    @classmethod
    def of(cls, path: Path) -> NamedCase:
        """Take a file's name apart."""
        name = CaseName.of(path.stem)
        if name is None or not name.dataset:
            return cls(path, "other", path.stem)
        return cls(path, name.modality, f"{name.dataset}_{name.patient}")

    @property
    def place(self) -> float:
        """A number in [0, 1) that depends only on the source; see `place_of`."""
        return place_of(self.source)

    def views(self) -> list[View]:
        """The views of a case: an image as it is, or one view for each object of a volume.

        Raises
        ------
        LiteMedSamError
            See `litemedsam.engine.io.npz.read_case`.
        """
        case = read_case(self.path)
        boxes = case.boxes[:_MOST_OBJECTS]
        if not case.is_volume:
            return [View(case.pixels, boxes)]
        return [View(case.pixels[int(box[2] + box[5]) // 2], box[None, [0, 1, 3, 4]]) for box in boxes]


@dataclass(frozen=True)
class Parted:
    """The calibrating and the measuring cases; no source is in both.

    Attributes
    ----------
    calibrating, measuring : list of NamedCase
    """

    calibrating: list[NamedCase]
    measuring: list[NamedCase]


def _spread(cases: list[NamedCase], most: int) -> list[NamedCase]:
    """Take at most `most` cases, the modalities in turn, each modality in the order of `NamedCase.place`."""
    by_modality: dict[str, list[NamedCase]] = {}
    for case in sorted(cases, key=lambda case: (case.place, case.path.name)):
        by_modality.setdefault(case.modality, []).append(case)
    queues = [by_modality[modality] for modality in sorted(by_modality)]
    turns = [queue[k] for k in range(max(map(len, queues), default=0)) for queue in queues if k < len(queue)]
    return turns[:most]


def part(folder: Path, calibrating: int, measuring: int) -> Parted:
    """Choose cases from a folder, the same cases on every machine.

    A third of the sources measures, and never fewer than one source of each modality.

    Parameters
    ----------
    folder : Path
        Of challenge-format npz files.
    calibrating, measuring : int
        The most cases of each kind; modalities get equal shares as far as their cases go.

    Returns
    -------
    Parted

    Raises
    ------
    LiteMedSamError
        When the folder has too few npz files.
    """
    if not folder.is_dir():
        raise LiteMedSamError(f"{folder}: no such folder", "give a folder of challenge-format npz files")
    cases = [NamedCase.of(path) for path in sorted(folder.glob("*.npz"))]
    kept = {case.source for case in cases if case.place < 1 / 3}
    for modality in {case.modality for case in cases}:
        kept.add(min((case for case in cases if case.modality == modality), key=lambda case: case.place).source)
    measured = [case for case in cases if case.source in kept]
    rest = [case for case in cases if case.source not in kept]
    if not measured or not rest:
        raise LiteMedSamError(
            f"{folder}: has npz files of {len({case.source for case in cases})} patients or specimens, expected two "
            "or more",
            "add cases of others, because some calibrate and others measure",
        )
    return Parted(_spread(rest, calibrating), _spread(measured, measuring))
