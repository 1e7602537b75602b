"""The order of slices along their normal, and the grid that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....errors import LiteMedSamError
from ...scan.geometry import Geometry

if TYPE_CHECKING:
    from .planes import Plane

# DICOM counts millimetres towards left, posterior, superior.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# How far a slice may be from its place in an even row, as a share of the distance between slices.
_UNEVEN = 0.05
# The most that rounding may explain, as such a share: a lost slice moves others by half a distance.
_LARGEST_ROUNDING = 0.3
# Distances that differ more, as the largest to the smallest, are those of a lost slice.
_LARGEST_RATIO = 1.75
# A straight line through rounded places may miss them by a little more than the rounding.
_FIT = 1.25
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class Row:
    """Slices in a row.

    Attributes
    ----------
    order : list of int
        Indices of the planes along the normal.
    geometry : Geometry
    notes : tuple of str
        For the user.
    """

    order: list[int]
    geometry: Geometry
    notes: tuple[str, ...] = ()


def check_directions(name: str, planes: list[Plane]) -> None:
    """Refuse planes that differ in direction or pixel spacing.

    Raises
    ------
    LiteMedSamError
    """
    first = planes[0]
    for plane in planes:
        if np.abs(plane.cosines - first.cosines).max() > _SAME_DIRECTION or not np.allclose(
            plane.spacing, first.spacing, rtol=1e-3
        ):
            raise LiteMedSamError(
                f"{name}: its images differ in direction or pixel spacing",
                "put those of one direction into a folder of their own",
            )


def ordered(name: str, planes: list[Plane], thickness: float, uneven: bool = False) -> Row:
    """The order of planes along their normal, and the grid that they make.

    Parameters
    ----------
    name : str
        For messages.
    planes : list of Plane
        At least one.
    thickness : float
        Distance to the next slice in mm, used for a single plane.
    uneven : bool
        Whether to accept slices at uneven distances; the grid then counts their median distance for all.

    Raises
    ------
    LiteMedSamError
        When planes differ in direction or pixel spacing, share a place, leave a gap or are not in one row.
    """
    check_directions(name, planes)
    first = planes[0]
    along = np.array([plane.position @ first.normal for plane in planes])
    order = [int(k) for k in np.argsort(along, kind="stable")]
    positions = np.array([planes[k].position for k in order])
    start, step = positions[0], first.normal * thickness
    notes: tuple[str, ...] = ()
    if len(planes) > 1:
        distances = np.diff(along[order])
        _check_apart(name, distances, along[order])
        rounding = np.min([plane.rounding for plane in planes], axis=0)
        line = _even_row(positions, distances, rounding)
        if line is not None:
            start, step = line
        else:
            problem, remedy = _problem(distances)
            if not uneven:
                raise LiteMedSamError(f"{name}: {problem}", f"{remedy}, or add --allow-uneven")
            step = np.median(np.diff(positions, axis=0), axis=0)
            notes = (
                f"{name}: {problem}: {np.linalg.norm(step):g} mm are counted for each slice, so places and volumes in "
                "mm are not exact",
            )
    affine = np.eye(4)
    affine[:3, 0] = first.cosines[0] * first.spacing[0]
    affine[:3, 1] = first.cosines[1] * first.spacing[1]
    affine[:3, 2] = step
    affine[:3, 3] = start
    return Row(order, Geometry(_LPS_TO_RAS @ affine), notes)


def _check_apart(name: str, distances: np.ndarray, along: np.ndarray) -> None:
    if distances.min() <= _UNEVEN * np.median(distances) or np.median(distances) <= 0:
        at = float(along[int(np.argmin(distances))])
        raise LiteMedSamError(
            f"{name}: two images at the same place ({at:g} mm along the normal) that are not the same",
            "give one time point or acquisition only",
        )


def _even_row(
    positions: np.ndarray, distances: np.ndarray, rounding: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """First place and step of an even row that slices lie in, up to the rounding of their places; None if in none."""
    usual = float(np.median(distances))
    numbers = np.arange(len(positions))[:, None]
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    if np.abs(positions - (positions[0] + numbers * step)).max() <= _UNEVEN * usual:
        return positions[0], step
    if distances.max() > _LARGEST_RATIO * distances.min():
        return None
    centred = numbers - numbers.mean()
    step = (centred * positions).sum(axis=0) / (centred**2).sum()
    rest = positions - numbers * step
    start = (rest.min(axis=0) + rest.max(axis=0)) / 2
    allowed = np.maximum(_UNEVEN * usual, np.minimum(_FIT * rounding, _LARGEST_ROUNDING * usual))
    return (start, step) if (np.abs(rest - start) <= allowed).all() else None


def _problem(distances: np.ndarray) -> tuple[str, str]:
    """What is wrong with slices that lie in no even row, and the remedy."""
    usual = float(np.median(distances))
    wide = int(np.argmax(distances))
    if distances[wide] > (1 + _UNEVEN) * usual:
        missing = round(distances[wide] / usual) - 1
        what = f"{missing} slice{'s' if missing > 1 else ''} missing" if missing else "an uneven distance"
        between = f"between slices {wide} and {wide + 1} ({distances[wide]:g} mm, usually {usual:g})"
        return f"{what} {between}", "give the whole series"
    return "its slices do not lie in an even row", "resample the series first"
