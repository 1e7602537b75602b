"""DICOM SEG: label maps as segments that refer to the images they belong to."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .... import __version__
from ....archive import BROKEN, check_unpacked
from ....errors import LiteMedSamError
from ...scan.colours import colour
from ...scan.mask import Mask
from ...system.optional import needed
from .codes import codes_of
from .files import load, short_reason
from .groups import functional_groups, in_group
from .pixels import declared_bytes, decoded
from .planes import planes_of, thickness_of

if TYPE_CHECKING:
    from ...scan.geometry import Geometry
    from ...scan.scan import Scan

SEGMENTATION = "SEG"


@dataclass(frozen=True)
class DicomOrigin:
    """The images that a DICOM SEG refers to.

    Attributes
    ----------
    images : tuple of pydicom.Dataset
        The series without its pixels: one per slice, in the order of the slices, or one of many frames.
    frames : tuple of int
        For one dataset of many frames, the frame of each slice.
    """

    images: tuple[Any, ...]
    frames: tuple[int, ...] = ()


def segmentation_bytes(path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> bytes:
    """A label map as a binary DICOM SEG file, one segment per object.

    Its identifiers are made of the images' and of the labels, and its dates are the images', so that the same result
    has the same bytes.

    Parameters
    ----------
    path : Path
        For messages.
    labels : ndarray
        uint8 or uint16 (H, W) or (D, H, W), as stored in the scan.
    scan : Scan
        Whose `origin` is a `DicomOrigin`.
    names : sequence of str
        One per object, empty where it has none.

    Raises
    ------
    LiteMedSamError
        When the scan is not DICOM, there are more than 65535 objects, or its images lack what a DICOM SEG needs.
    """
    if not isinstance(scan.origin, DicomOrigin):
        raise LiteMedSamError(f"{path}: a DICOM SEG needs DICOM images to refer to", "use --format nifti")
    highdicom = needed("highdicom", "dicom")
    if labels.dtype.itemsize > 2:
        raise LiteMedSamError(f"{path}: a DICOM SEG holds at most 65535 segments", "use --format nifti")
    pages = labels if labels.ndim == 3 else labels[None]
    images = scan.origin.images
    if scan.origin.frames:
        # The standard's order is that of the frames in the file, none left out.
        whole = np.zeros((int(images[0].get("NumberOfFrames", 1) or 1), *pages.shape[1:]), labels.dtype)
        whole[list(scan.origin.frames)] = pages
        pages = whole
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            measures = None if scan.geometry is None else _measures(highdicom, images, scan.geometry)
            sources = [_with_thickness(image, measures) for image in images]
            segmentation = _segmentation(highdicom, sources, np.ascontiguousarray(pages), names, measures)
            content = io.BytesIO()
            segmentation.save_as(content)
    except BROKEN as error:
        raise LiteMedSamError(
            f"{path}: no DICOM SEG can refer to {scan.name} ({short_reason(error)})",
            "use --format nifti, or png for one slice",
        ) from error
    return content.getvalue()


def read_segmentation(path: Path, scan: Scan) -> Mask:
    """The segments of a DICOM SEG on the grid of a scan, named by their labels.

    Parameters
    ----------
    path : Path
    scan : Scan
        Whose geometry is known.

    Returns
    -------
    Mask
        Of uint16 (D, H, W); where segments overlap, the highest.

    Raises
    ------
    LiteMedSamError
        When it is no segmentation or lies on another grid.
    """
    image = load(path)
    groups = functional_groups(image)
    if image.get("Modality") != SEGMENTATION or groups is None:
        raise LiteMedSamError(f"{path}: not a DICOM SEG")
    if scan.geometry is None or len(scan.grid) != 3:
        raise LiteMedSamError(f"{path}: the scan {scan.name} does not say where it lies")
    check_unpacked(str(path), declared_bytes(image), path.stat().st_size)
    frames = decoded(path, image)
    labels = np.zeros(scan.grid, np.uint16)
    for k, (plane, frame) in enumerate(zip(planes_of(image, len(frames)), frames, strict=True)):
        segment = in_group(groups, k, "SegmentIdentificationSequence")
        if plane is None or segment is None or frame.shape != labels.shape[1:]:
            raise LiteMedSamError(f"{path}: its frames are not slices of the scan {scan.name}")
        ras = plane.position * [-1, -1, 1]
        x, y, z = scan.geometry.to_indices(ras[None])[0]
        if max(abs(x), abs(y), abs(z - round(z))) > 0.1 or not 0 <= round(z) < len(labels):
            raise LiteMedSamError(
                f"{path}: lies on another grid than the scan {scan.name}", "resample the mask onto the scan"
            )
        page = labels[round(z)]
        np.maximum(page, (frame > 0) * np.uint16(segment.ReferencedSegmentNumber), out=page)
    segments = image.get("SegmentSequence") or []
    return Mask(labels, {int(segment.SegmentNumber): str(segment.get("SegmentLabel", "")) for segment in segments})


def _unique(*parts: bytes) -> str:
    digest = hashlib.sha256(b"\0".join(parts)).digest()
    # A UUID as an identifier: DICOM PS3.5, annex B.2.
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _segment(highdicom: Any, number: int, name: str, algorithm: Any) -> Any:
    found = codes_of(name)
    segment = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=(name or f"Object {number}")[:64],
        segmented_property_category=found.category,
        segmented_property_type=found.type,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=algorithm,
        display_color=highdicom.color.CIELabColor.from_rgb(*colour(number)),
    )
    if found.side is not None:
        side = highdicom.sr.CodedConcept.from_code(found.side)
        segment.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [side]
    return segment


def _measures(highdicom: Any, images: tuple[Any, ...], geometry: Geometry) -> Any:
    """Spacing, with the distance between slices: slices without objects are not stored, readers fill the gaps by it."""
    x, y, _ = (float(f"{v:.10g}") for v in geometry.spacing)
    across, down, through = geometry.affine[:3, :3].T
    normal = np.cross(across, down)
    distance = float(f"{abs(through @ normal) / np.linalg.norm(normal):.10g}")
    thickness = thickness_of(images[0], ("SliceThickness", "SpacingBetweenSlices"))
    return highdicom.PixelMeasuresSequence((y, x), thickness, distance)


def _with_thickness(image: Any, measures: Any) -> Any:
    """An image with a slice thickness, which highdicom requires and the standard lets a scanner leave empty."""
    if measures is None or image.get("SliceThickness") or functional_groups(image) is not None:
        return image
    image = copy(image)
    image.SliceThickness = measures[0].SpacingBetweenSlices
    return image


def _segmentation(highdicom: Any, images: Sequence[Any], pages: np.ndarray, names: Sequence[str], measures: Any) -> Any:
    codes = needed("pydicom.sr.codedict", "dicom").codes
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="litemedsam", version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    segments = [_segment(highdicom, number, name, algorithm) for number, name in enumerate(names, start=1)]
    seed = [str(image.SOPInstanceUID).encode() for image in images]
    seed += [str(pages.shape).encode(), pages.tobytes(), "\n".join(names).encode(), __version__.encode()]
    segmentation = highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=pages,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        pixel_measures=measures,
        series_instance_uid=_unique(b"series", *seed),
        series_number=int(images[0].get("SeriesNumber") or 0) + 1000,
        sop_instance_uid=_unique(b"instance", *seed),
        instance_number=1,
        manufacturer="litemedsam",
        manufacturer_model_name="litemedsam",
        software_versions=__version__,
        device_serial_number="0",
        content_label="SEGMENTATION",
        # An empty result keeps all its frames, without a warning.
        omit_empty_frames=bool(pages.any()),
        series_description="litemedsam",
    )
    dimension = _unique(b"dimension", *seed)
    for sequence in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in segmentation.get(sequence, []):
            item.DimensionOrganizationUID = dimension
    for what in ("Date", "Time"):
        given = (images[0].get(f"{key}{what}") for key in ("Content", "Acquisition", "Series", "Study"))
        value = next((value for value in given if value), "19000101" if what == "Date" else "000000")
        for key in ("Content", "InstanceCreation", "Series"):
            if f"{key}{what}" in segmentation:
                setattr(segmentation, f"{key}{what}", value)
    for item in segmentation.get("ContributingEquipmentSequence", []):
        item.ContributionDateTime = f"{segmentation.ContentDate}{segmentation.ContentTime}"
    return segmentation
