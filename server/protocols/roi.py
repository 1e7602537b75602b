"""Prompts as MONAI Label's clients send them, in the voxels of the uploaded file, to prompts as seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import LiteMedSamError
from ..sessions.objects import Correction

if TYPE_CHECKING:
    from ..sessions.objects import Box
    from ..sessions.open_scan import OpenScan

_LARGEST = 1e9


def box_of(opened: OpenScan, roi: Any) -> Box:
    """The box that a region of interest asks for, cut at the scan's edges.

    Parameters
    ----------
    opened : OpenScan
    roi : object
        Four numbers x0, y0, x1, y1 for an image, or six i0, i1, j0, j1, k0, k1 for a volume, each pair in any order,
        ends included: indices along the axes of the file.

    Raises
    ------
    LiteMedSamError
        For anything else, and for a region outside the scan.
    """
    rank = len(opened.grid)
    if not roi:
        raise LiteMedSamError("there is no box", "place the ROI box around the object first, then run again")
    numbers = _numbers("roi", roi, 2 * rank)
    pairs = numbers.reshape(2, 2).T if rank == 2 else numbers.reshape(3, 2)
    low, high = np.rint(pairs.min(axis=1)), np.rint(pairs.max(axis=1))
    sizes = np.array(opened.prepared.view.shape[::-1])
    if (high < 0).any() or (low > sizes - 1).any():
        raise LiteMedSamError(f"roi {numbers.tolist()} lies outside the scan", "place the ROI box on the image")
    stored = np.concatenate([np.maximum(low, 0), np.minimum(high, sizes - 1)])
    seen = opened.prepared.view.see_boxes(stored[None])[0]
    return tuple(int(value) for value in seen)


@dataclass(frozen=True)
class Clicks:
    """Clicks in the form that a model takes; without any, both are empty.

    Attributes
    ----------
    points : ndarray or None
        float64 (k, 2) or (k, 3) on the object, as seen, of a model that takes no corrections.
    corrections : tuple of Correction
        Those on the object, then those beside it.
    """

    points: np.ndarray | None = None
    corrections: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, opened: OpenScan, parameters: dict[str, Any]) -> Clicks:
        """The clicks of a request.

        Raises
        ------
        LiteMedSamError
            For clicks outside the scan, and for clicks beside the object where the model takes no corrections.
        """
        if opened.predictor.network.info.takes_corrections:
            return cls(corrections=_corrections(opened, parameters))
        return cls(_points(opened, parameters))


def _points(opened: OpenScan, parameters: dict[str, Any]) -> np.ndarray | None:
    if parameters.get("background"):
        raise LiteMedSamError("the model takes no background clicks", "remove them, or make the ROI box smaller")
    return _clicks(opened, parameters, "foreground")


def _corrections(opened: OpenScan, parameters: dict[str, Any]) -> tuple[Correction, ...]:
    made = []
    for name, adds in (("foreground", True), ("background", False)):
        clicks = _clicks(opened, parameters, name)
        places = [] if clicks is None else np.rint(clicks).astype(int).tolist()
        made += [Correction(adds, (tuple(place),)) for place in places]
    return tuple(made)


def _clicks(opened: OpenScan, parameters: dict[str, Any], name: str) -> np.ndarray | None:
    """Clicks float64 (k, 2) or (k, 3) as seen; None without any."""
    clicks = parameters.get(name)
    if not clicks:
        return None
    if not isinstance(clicks, list):
        raise LiteMedSamError(f"{name} is no list, expected a list of clicks")
    rank = len(opened.grid)
    points = np.stack([_numbers("click", click, rank) for click in clicks])
    if (points < -0.5).any() or (points > np.array(opened.prepared.view.shape[::-1]) - 0.5).any():
        raise LiteMedSamError("a click lies outside the scan", "remove it")
    return np.asarray(opened.prepared.view.see_points(points))


def _numbers(what: str, values: Any, count: int) -> np.ndarray:
    good = isinstance(values, list) and len(values) == count
    good = good and all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= _LARGEST for v in values)
    if not good:
        raise LiteMedSamError(f"{what} is {str(values)[:60]}, expected {count} numbers")
    return np.array(values, np.float64)
