"""What is kept of one case of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..case import Segmentation
    from ..objects.prepare import Prepared

_PART = 1_000_000


@dataclass(frozen=True)
class CaseReport:
    """One case of a run.

    Attributes
    ----------
    case, output : str
        Files; `output` is empty for a failed case.
    error : str
        Empty for a case that went well.
    shape : list of int
    objects : int
    encoded : int
        How many images or slices went through the encoder.
    scores : list of float
        Predicted IoU per object.
    voxels : list of int
        Labelled pixels or voxels per object.
    names : list of str
        Per object, empty where it has none.
    volumes_ml : list of float
        Per object of a volume whose spacing is known, else empty.
    areas_mm2 : list of float
        Per object of an image whose spacing is known, else empty.
    boxes : list of list of float
        Per object, in indices of the file's own axes; see `Case`.
    notes : list of str
        What the user should know.
    seconds : dict of str to float
        Per stage; ``total`` from reading to writing.
    """

    case: str
    output: str = ""
    error: str = ""
    shape: list[int] = field(default_factory=list)
    objects: int = 0
    encoded: int = 0
    scores: list[float] = field(default_factory=list)
    voxels: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    volumes_ml: list[float] = field(default_factory=list)
    areas_mm2: list[float] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, prepared: Prepared, result: Segmentation, output: Path, seconds: dict[str, float]) -> CaseReport:
        """The report of a segmented case; `seconds` holds the stages around the segmentation."""
        case = prepared.case
        objects = len(case.boxes)
        voxels = _voxels(result.labels, objects)
        volumes, areas = [], []
        if case.spacing is not None and case.is_volume:
            cubic_mm = prepared.voxel_volume or float(np.prod(case.spacing))
            volumes = [_rounded(float(count) * cubic_mm / 1000) for count in voxels]
        elif case.spacing is not None:
            areas = [_rounded(float(count * case.spacing[0] * case.spacing[1])) for count in voxels]
        return cls(
            case=case.name,
            output=str(output),
            shape=list(case.pixels.shape),
            objects=objects,
            encoded=result.encoded,
            scores=[round(float(score), 4) for score in result.scores],
            voxels=voxels,
            names=list(prepared.objects.names),
            volumes_ml=volumes,
            areas_mm2=areas,
            boxes=prepared.boxes.tolist(),
            notes=list(prepared.notes),
            seconds={name: round(value, 4) for name, value in {**result.seconds, **seconds}.items()},
        )


def _rounded(size: float) -> float:
    """A size with four decimals, or of a tiny one with three digits."""
    return round(size, 4 if size <= 0 else max(4, 2 - math.floor(math.log10(size))))


def _voxels(labels: np.ndarray, objects: int) -> list[int]:
    flat = labels.ravel()
    counts = np.zeros(objects + 1, np.int64)
    # In parts: counting widens the labels to eight bytes each.
    for start in range(0, len(flat), _PART):
        counts += np.bincount(flat[start : start + _PART], minlength=objects + 1)
    return counts[1:].tolist()
