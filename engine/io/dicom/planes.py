"""Where the images and frames of DICOM files lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from .groups import functional_groups, in_group, in_own_group, number_in

# Keywords of frames that follow each other in time: they are no slices.
_IN_TIME = ("FrameTime", "FrameTimeVector")
_CENTIMETRES = 3
_TISSUE_2D = 1


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
    rounding : ndarray
        float64 (3,), how far the position may be from the true one by the decimals that the file keeps, in mm.
    """

    position: np.ndarray
    cosines: np.ndarray
    spacing: tuple[float, float]
    rounding: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """float64 (3,), row direction × column direction."""
        return np.cross(*self.cosines)

    def moved(self, distance: float) -> Plane:
        """The plane at a distance along the normal, in mm."""
        return replace(self, position=self.position + distance * self.normal)


def plane_of(position: Any, orientation: Any, measures: Any) -> Plane | None:
    """The plane that three data sets describe; None where one is missing or makes no sense.

    Parameters
    ----------
    position, orientation, measures : pydicom.Dataset or None
        Contain ``ImagePositionPatient``, ``ImageOrientationPatient`` and ``PixelSpacing``; of a single image all three
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
    if (place.size, cosines.size, spacing.size) != (3, 6, 2) or not np.isfinite(place).all():
        return None
    cosines = cosines.reshape(2, 3)
    if not (spacing > 0).all() or not np.allclose(np.linalg.norm(cosines, axis=1), 1, atol=0.01):
        return None
    return Plane(place, cosines, (spacing[1], spacing[0]), np.array([_rounding(value) for value in values[0]]))


def _rounding(value: Any) -> float:
    """Half a unit of the last decimal that a file keeps of a number, at most 0.5."""
    exponent = Decimal(str(getattr(value, "original_string", None) or value).strip()).as_tuple().exponent
    return 0.5 * 10.0 ** min(int(exponent), 0)


def planes_of(image: Any, count: int) -> list[Plane | None]:
    """The planes of the `count` frames of a data set, None where one has no place.

    A place comes from the frame's functional groups, the shared ones, the data set itself or its first detector
    (nuclear medicine). Where all frames share one, they follow it along the normal.
    """
    groups = functional_groups(image)
    if groups is None:
        first = plane_of(*(_holder(image, None, 0, *names) for names in _KEYS))
        planes = [first] * count
        own = [count == 1] * count
    else:
        planes = [plane_of(*(_holder(image, groups, k, *names) for names in _KEYS)) for k in range(count)]
        own = [count == 1 or in_own_group(groups, k, "PlanePositionSequence") is not None for k in range(count)]
    if all(own):
        return planes
    distances = _distances(image, count)
    if distances is None:
        return [plane if mine else None for plane, mine in zip(planes, own, strict=True)]
    return [
        plane if plane is None or mine else plane.moved(distance)
        for plane, mine, distance in zip(planes, own, distances, strict=True)
    ]


_KEYS = (
    ("PlanePositionSequence", "ImagePositionPatient"),
    ("PlaneOrientationSequence", "ImageOrientationPatient"),
    ("PixelMeasuresSequence", "PixelSpacing"),
)


def _holder(image: Any, groups: tuple[Any, Any] | None, frame: int, sequence: str, key: str) -> Any:
    """The data set that holds a key for a frame; None where there is none."""
    group = None if groups is None else in_group(groups, frame, sequence)
    detectors = image.get("DetectorInformationSequence") or ()
    found = [where for where in (group, image, *detectors[:1]) if where is not None and where.get(key)]
    return found[0] if found else None


def _distances(image: Any, count: int) -> list[float] | None:
    """How far each frame lies from the first along the normal, in mm; None where the data set does not say."""
    offsets = image.get("GridFrameOffsetVector")
    if offsets is not None and not isinstance(offsets, float | int) and len(offsets) == count:
        return [float(offset) - float(offsets[0]) for offset in offsets]
    pointer = str(image.get("FrameIncrementPointer") or "")
    if any(image.get(key) for key in _IN_TIME) and "SliceVector" not in pointer:
        return None
    step = _first_number(image, ("SpacingBetweenSlices", "SliceThickness"))
    if step is None:
        return None
    numbers = image.get("SliceVector")
    numbers = numbers if numbers is not None and np.size(numbers) == count else range(count)
    return [(int(number) - int(numbers[0])) * step for number in numbers]


def _first_number(where: Any, keys: tuple[str, ...]) -> float | None:
    """The first of some measures that a data set states other than 0; only spacing may be negative."""
    for key in keys:
        number = number_in(where, key)
        if number and (number > 0 or key == "SpacingBetweenSlices"):
            return number
    return None


def thickness_of(image: Any, keys: tuple[str, ...] = ("SpacingBetweenSlices", "SliceThickness")) -> float:
    """The first of some measures that an image states, in mm; 1 where it states none."""
    groups = functional_groups(image)
    where = image if groups is None else in_group(groups, 0, "PixelMeasuresSequence") or image
    number = _first_number(where, keys)
    return 1.0 if number is None else abs(number)


def flat_spacing(image: Any) -> np.ndarray | None:
    """Distance between columns and between rows of an image without a place, float64 (2,) in mm; None if unknown."""
    for key in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        values = image.get(key)
        if values and len(values) == 2 and all(float(v) > 0 for v in values):
            return np.array([float(values[1]), float(values[0])])
    return _ultrasound_spacing(image.get("SequenceOfUltrasoundRegions") or ())


def _ultrasound_spacing(regions: Any) -> np.ndarray | None:
    """The spacing that all regions of tissue share, float64 (2,) in mm; None where there is none or they differ."""
    found = []
    for region in regions:
        if number_in(region, "RegionSpatialFormat") != _TISSUE_2D:
            continue
        units = [number_in(region, f"PhysicalUnits{axis}Direction") for axis in "XY"]
        if units != [_CENTIMETRES] * 2:
            return None
        found.append([abs(number_in(region, f"PhysicalDelta{axis}") or 0) * 10 for axis in "XY"])
    spacings = np.array(found)
    if not found or (spacings <= 0).any():
        return None
    return spacings[0] if np.allclose(spacings, spacings[0], rtol=1e-3) else None
