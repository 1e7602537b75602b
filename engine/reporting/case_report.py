"""The report on one case of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..case import Segmentation
    from ..objects.prepare import Prepared


@dataclass(frozen=True)
class CaseReport:
    """One case of a run.

    Attributes
    ----------
    case, output : str
        Paths; `output` is empty for a failed case.
    error : str
        Empty unless the case failed.
    shape : list of int
    objects : int
    encoded : int
        The number of images or slices that were encoded.
    scores : list of float
        Predicted IoU per object.
    voxels : list of int
        Labelled pixels or voxels per object.
    names : list of str
        Per object, empty if it has none.
    labels : list of int
        Per object, its number in the label map.
    states : list of str
        Per object, ``empty``; ``covered`` if others hide its whole mask in the label map; otherwise an empty text.
    volumes_ml : list of float
        Per object of a volume whose spacing is known; otherwise empty.
    areas_mm2 : list of float
        Per object of an image whose spacing is known; otherwise empty.
    boxes : list of list of float
        Per object, in indices of the file's own axes; see `Case`.
    notes : list of str
        For the user.
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
    labels: list[int] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    volumes_ml: list[float] = field(default_factory=list)
    areas_mm2: list[float] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        """`labels`, or 1, 2, … for an older report without labels."""
        return self.labels or list(range(1, self.objects + 1))

    @property
    def tally(self) -> str:
        """The number of objects, and of those that the label map does not show, such as ``3 objects, 1 empty``."""
        parts = [f"{self.objects} object{'s' if self.objects != 1 else ''}"]
        parts += [f"{self.states.count(state)} {state}" for state in ("empty", "covered") if state in self.states]
        return ", ".join(parts)

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        result: Segmentation,
        output: Path,
        seconds: Mapping[str, float],
        labels: Sequence[int],
        notes: Sequence[str],
    ) -> CaseReport:
        """The report of a segmented case.

        Parameters
        ----------
        prepared : Prepared
        result : Segmentation
        output : Path
        seconds : mapping of str to float
            Of the stages around the segmentation.
        labels : sequence of int
            Per object, its number in the label map.
        notes : sequence of str
        """
        case = prepared.case
        voxels = result.voxels
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
            objects=len(case.boxes),
            encoded=result.encoded,
            scores=[round(float(score), 4) for score in result.scores],
            voxels=voxels,
            names=list(prepared.objects.names),
            labels=list(labels),
            states=result.states,
            volumes_ml=volumes,
            areas_mm2=areas,
            boxes=prepared.boxes.tolist(),
            notes=list(notes),
            seconds={name: round(value, 4) for name, value in {**result.seconds, **seconds}.items()},
        )


def _rounded(size: float) -> float:
    """A size rounded to four decimals, or to three digits if it is tiny."""
    return round(size, 4 if size <= 0 else max(4, 2 - math.floor(math.log10(size))))
