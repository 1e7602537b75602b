"""Where the slices of a DICOM series lie, and their order."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import LiteMedSamError
from ...scan.geometry import Geometry
from .groups import functional_groups, in_group

# DICOM counts millimetres towards left, posterior, superior.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# How far a slice may be from its place in an even row, as a share of the distance between slices.
_UNEVEN = 0.05
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class Plane:
    """Where one slice lies, in millimetres towards left, posterior, superior (LPS).

    Attributes
    ----------
    position : ndarray
        float64 (3,), centre of the first voxel.
    cosines : ndarray
        float64 (2, 3), directions of growing column and row index.
    spacing : tuple of float
        Distance between columns and between rows, in mm.
    """

    position: np.ndarray
    cosines: np.ndarray
    spacing: tuple[float, float]


def plane_of(position: Any, orientation: Any, measures: Any) -> Plane | None:
    """The plane that three data sets describe; None where one is missing or makes no sense.

    Parameters
    ----------
    position, orientation, measures : pydicom.Dataset or None
        Hold ``ImagePositionPatient``, ``ImageOrientationPatient`` and ``PixelSpacing``; of a single image all three
        are the image itself.
    """
    if position is None or orientation is None or measures is None:
        return None
    values = (
        position.get("ImagePositionPatient"),
        orientation.get("ImageOrientationPatient"),
        measures.get("PixelSpacing"),
    )
    if any(not value for value in values):
        return None
    place, cosines, spacing = (np.array([float(v) for v in value]) for value in values)
    cosines = cosines.reshape(2, 3)
    if (spacing <= 0).any() or not np.allclose(np.linalg.norm(cosines, axis=1), 1, atol=0.01):
        return None
    return Plane(place, cosines, (spacing[1], spacing[0]))


def planes_of(image: Any, count: int) -> list[Plane | None]:
    """The planes of the `count` frames of a data set, None where one has no place."""
    groups = functional_groups(image)
    if groups is None:
        return [plane_of(image, image, image)] if count == 1 else [None] * count
    names = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    return [plane_of(*(in_group(groups, k, name) for name in names)) for k in range(count)]


def thickness_of(image: Any, keys: tuple[str, ...] = ("SpacingBetweenSlices", "SliceThickness")) -> float:
    """The first of some measures that an image states, in mm; 1 where it states none."""
    groups = functional_groups(image)
    where = image if groups is None else in_group(groups, 0, "PixelMeasuresSequence") or image
    for key in keys:
        if where.get(key) and float(where.get(key)) > 0:
            return float(where.get(key))
    return 1.0


def ordered(name: str, planes: list[Plane], thickness: float) -> tuple[list[int], Geometry]:
    """The order of planes along their normal, and the grid that they make.

    Parameters
    ----------
    name : str
        For messages.
    planes : list of Plane
        At least one.
    thickness : float
        Distance to the next slice in mm, used for a single plane.

    Returns
    -------
    order : list of int
        Indices of `planes`.
    geometry : Geometry

    Raises
    ------
    LiteMedSamError
        When planes differ in direction or pixel spacing, share a place, leave a gap or are not in one row.
    """
    first = planes[0]
    for plane in planes:
        if np.abs(plane.cosines - first.cosines).max() > _SAME_DIRECTION or not np.allclose(
            plane.spacing, first.spacing, rtol=1e-3
        ):
            raise LiteMedSamError(
                f"{name}: its images differ in direction or pixel spacing", "leave localizers out of the folder"
            )
    normal = np.cross(*first.cosines)
    along = np.array([plane.position @ normal for plane in planes])
    order = [int(k) for k in np.argsort(along, kind="stable")]
    positions = np.array([planes[k].position for k in order])
    step = normal * thickness
    if len(planes) > 1:
        distances = np.diff(along[order])
        usual = float(np.median(distances))
        if distances.min() <= _UNEVEN * max(usual, 1e-6):
            at = float(along[order][int(np.argmin(distances))])
            raise LiteMedSamError(
                f"{name}: two images at the same place ({at:g} mm along the normal)",
                "give one time point or acquisition only",
            )
        wide = int(np.argmax(distances))
        if distances[wide] > (1 + _UNEVEN) * usual:
            missing = round(distances[wide] / usual) - 1
            what = f"{missing} slice{'s' if missing > 1 else ''} missing" if missing else "an uneven distance"
            raise LiteMedSamError(
                f"{name}: {what} between slices {wide} and {wide + 1} ({distances[wide]:g} mm, usually {usual:g})",
                "give the whole series",
            )
        step = (positions[-1] - positions[0]) / (len(planes) - 1)
        even = positions[0] + np.arange(len(planes))[:, None] * step
        if np.abs(positions - even).max() > _UNEVEN * usual:
            raise LiteMedSamError(f"{name}: its slices do not lie in an even row", "resample the series first")
    affine = np.eye(4)
    affine[:3, 0] = first.cosines[0] * first.spacing[0]
    affine[:3, 1] = first.cosines[1] * first.spacing[1]
    affine[:3, 2] = step
    affine[:3, 3] = positions[0]
    return order, Geometry(_LPS_TO_RAS @ affine)


def flat_spacing(image: Any) -> np.ndarray | None:
    """Distance between columns and between rows of an image without a place, float64 (2,) in mm; None if unknown."""
    for key in ("PixelSpacing", "ImagerPixelSpacing"):
        values = image.get(key)
        if values and len(values) == 2 and all(float(v) > 0 for v in values):
            return np.array([float(values[1]), float(values[0])])
    return None
