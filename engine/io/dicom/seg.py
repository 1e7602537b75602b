"""DICOM SEG: label maps as segments that refer to the images they belong to."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .... import __version__
from ....errors import LiteMedSamError
from ...case import LARGEST_NUMBER
from ...scan.colours import colour
from ...system.optional import needed
from .codes import codes_of
from .files import broken, short_reason
from .groups import number_in
from .origin import DicomOrigin
from .planes import thickness_of
from .sources import checked_origin, clean_label, clean_sources, with_true_references

if TYPE_CHECKING:
    from ...scan.geometry import Geometry
    from ...scan.scan import Scan

# Numbers of series have 32 bits with sign.
_LARGEST_SERIES = 2**31 - 1001


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
    with _referable(scan):
        origin = checked_origin(scan)
    _check_count(path, labels.dtype.itemsize > 2)
    pages = labels if labels.ndim == 3 else labels[None]
    if origin.frames and not origin.part:
        # The standard's order is that of the frames in the file.
        pages = pages[np.argsort(origin.frames)]
    content = io.BytesIO()
    with _referable(scan):
        _built(origin, np.ascontiguousarray(pages), names, scan.geometry).save_as(content)
    return content.getvalue()


def check_referable(path: Path, scan: Scan, names: Sequence[str]) -> None:
    """Refuse a scan that no DICOM SEG can refer to, by trying it with one voxel.

    Parameters
    ----------
    path : Path
        Of the result, for messages.
    scan : Scan
    names : sequence of str
        One per object.

    Raises
    ------
    LiteMedSamError
        As `segmentation_bytes`.
    """
    with _referable(scan):
        origin = checked_origin(scan)
    _check_count(path, len(names) > LARGEST_NUMBER)
    if not origin.frames:
        origin = DicomOrigin((origin.images[0], origin.images[-1])[: len(origin.images)])
    pages = np.zeros((len(origin.frames or origin.images), *scan.grid[-2:]), np.uint8)
    pages[0, 0, 0] = 1
    with _referable(scan):
        _built(origin, pages, names[:1], scan.geometry).save_as(io.BytesIO())


def _check_count(path: Path, too_many: bool) -> None:
    if too_many:
        raise LiteMedSamError(f"{path}: a DICOM SEG holds at most 65535 segments", "use --format nifti")


@contextmanager
def _referable(scan: Scan) -> Iterator[None]:
    """A context that turns the writer's exceptions into a `LiteMedSamError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except broken() as error:
        raise LiteMedSamError(
            f"{scan.name}: no DICOM SEG can refer to it ({short_reason(error)})",
            "use --format nifti, or png for one slice",
        ) from error


def _built(origin: DicomOrigin, pages: np.ndarray, names: Sequence[str], geometry: Geometry | None) -> Any:
    highdicom = needed("highdicom", "dicom")
    measures = None if geometry is None else _measures(highdicom, origin.images, geometry)
    distance = None if measures is None else float(measures[0].SpacingBetweenSlices)
    sources = clean_sources(origin.images, distance, origin.part)
    segmentation = _segmentation(highdicom, sources, pages, names, measures, origin.part)
    return with_true_references(segmentation, origin.images[0], origin.part)


def _unique(*parts: bytes) -> str:
    digest = hashlib.sha256(b"\0".join(parts)).digest()
    # A UUID as an identifier: DICOM PS3.5, annex B.2.
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _segment(highdicom: Any, number: int, name: str, algorithm: Any) -> Any:
    found = codes_of(name)
    segment = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=clean_label(name, number),
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


def _measures(highdicom: Any, images: Sequence[Any], geometry: Geometry) -> Any:
    """Spacing, with the distance between slices: slices without objects are not stored, readers fill the gaps by it."""
    x, y, _ = (float(f"{v:.10g}") for v in geometry.spacing)
    across, down, through = geometry.affine[:3, :3].T
    normal = np.cross(across, down)
    distance = float(f"{abs(through @ normal) / np.linalg.norm(normal):.10g}")
    thickness = thickness_of(images[0], ("SliceThickness", "SpacingBetweenSlices"))
    return highdicom.PixelMeasuresSequence((y, x), thickness, distance)


def _number_after(image: Any) -> int:
    """Number of the result's series: the images' and 1000, or 1000 where they have none that fits."""
    number = int(number_in(image, "SeriesNumber") or 0)
    return number + 1000 if 0 <= number <= _LARGEST_SERIES else 1000


def _segmentation(
    highdicom: Any, images: Sequence[Any], pages: np.ndarray, names: Sequence[str], measures: Any, part: Sequence[int]
) -> Any:
    codes = needed("pydicom.sr.codedict", "dicom").codes
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="litemedsam", version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    segments = [_segment(highdicom, number, name, algorithm) for number, name in enumerate(names, start=1)]
    seed = [str(image.SOPInstanceUID).encode() for image in images]
    seed += [
        str(pages.shape).encode(),
        pages.tobytes(),
        "\n".join(names).encode(errors="surrogatepass"),
        __version__.encode(),
    ]
    seed += [str(part).encode()] if part else []
    segmentation = highdicom.seg.Segmentation(
        source_images=images,
        pixel_array=pages,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        pixel_measures=measures,
        series_instance_uid=_unique(b"series", *seed),
        series_number=_number_after(images[0]),
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
