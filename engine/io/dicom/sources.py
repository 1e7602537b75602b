"""Images as a DICOM SEG can refer to them: what is missing, misspelled or out of place is put right in copies."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ....errors import LiteMedSamError
from ...system.optional import needed
from .files import broken
from .groups import functional_groups, number_in
from .origin import DicomOrigin
from .planes import Plane, planes_of

if TYPE_CHECKING:
    from ...scan.scan import Scan

UTF_8 = "ISO_IR 192"
# Enhanced CT, see `_add_groups`.
_ENHANCED = "1.2.840.10008.5.1.4.1.1.2.1"
# Every image has them and may leave them empty (type 2): PS3.3, C.7.1.1, C.7.2.1 and C.7.4.1.
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_ONE_SERIES = ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
_SEXES = ("M", "F", "O", "")
# Groups of the patient, the study and what belongs to them.
_DESCRIPTIVE = (0x0008, 0x0010, 0x0012, 0x0032, 0x0038, 0x0040)
_LONGEST_LABEL = 64
_REMEDY = "use --format nifti, or png for one slice"


def checked_origin(scan: Scan) -> DicomOrigin:
    """The images of a scan, once they are known to have what a DICOM SEG needs.

    Raises
    ------
    LiteMedSamError
        Where the scan is not DICOM, or its images lack identifiers, a frame of reference or a place.
    """
    origin = scan.origin
    if not isinstance(origin, DicomOrigin):
        raise LiteMedSamError(f"{scan.name}: a DICOM SEG needs DICOM images to refer to", "use --format nifti")
    for image in origin.images:
        missing = [key for key in _NEEDED if not image.get(key)]
        if missing:
            raise _unable(scan, f"its images lack {', '.join(missing)}")
    for key in _ONE_SERIES:
        if len({str(image.get(key, "")) for image in origin.images}) > 1:
            raise _unable(scan, f"its images differ in {key}")
    first, count = origin.images[0], origin.frame_count
    if count > 1 and not first.get("FrameOfReferenceUID"):
        raise _unable(scan, f"its {count} images have no frame of reference (FrameOfReferenceUID)")
    if count > 1 and scan.geometry is None:
        raise _unable(scan, f"its {count} images do not say where they lie")
    return origin


def _unable(scan: Scan, why: str) -> LiteMedSamError:
    return LiteMedSamError(f"{scan.name}: no DICOM SEG can refer to it: {why}", _REMEDY)


def clean_sources(images: Sequence[Any], distance: float | None, part: Sequence[int] = ()) -> list[Any]:
    """Copies of images that can be referred to.

    The first one's text, which a DICOM SEG takes over, is in UTF-8 whatever it was written in. Its attributes of
    patient and study that are missing or break the rules of their type become empty where the standard allows that,
    else they go.

    Parameters
    ----------
    images : sequence of pydicom.Dataset
    distance : float or None
        Between slices in mm, for images that state no thickness.
    part : sequence of int
        The frames to keep of an image of many; all where it is empty. See `with_true_references`.
    """
    pydicom = needed("pydicom", "dicom")
    # Text that breaks its own character set goes below.
    with suppress(*broken()):
        images[0].decode()
        _spell_names(images[0])
    # Its text is decoded now, so that it may be decoded again.
    _put(images[0], "SpecificCharacterSet", UTF_8)
    copies = [pydicom.Dataset() for _ in images]
    for image, copied in zip(images, copies, strict=True):
        copied.update(image)
        _complete(copied, distance, len(images) == 1)
    _clean_text(copies[0])
    groups = functional_groups(copies[0])
    if part and groups is not None:
        _put(copies[0], "PerFrameFunctionalGroupsSequence", [groups[0][k] for k in part])
        _put(copies[0], "NumberOfFrames", len(part))
    return copies


def _clean_text(image: Any) -> None:
    datadict = needed("pydicom.datadict", "dicom")
    tags = list(image.keys())
    for tag in tags:
        if tag.group in _DESCRIPTIVE and not _is_valid(image, tag):
            del image[tag]
    for key in _MAY_BE_EMPTY:
        if key not in image or not _is_valid(image, datadict.tag_for_keyword(key)) or image[key].value is None:
            _put(image, key, "")
    if image.PatientSex not in _SEXES:
        _put(image, "PatientSex", "")


def _put(image: Any, key: str, value: Any) -> None:
    """Set an attribute by a new element, since a copied data set shares its elements with the original."""
    datadict = needed("pydicom.datadict", "dicom")
    image.add_new(datadict.tag_for_keyword(key), datadict.dictionary_VR(key), value)


def _complete(image: Any, distance: float | None, alone: bool) -> None:
    """Give an image the places of its frames, or the thickness, that highdicom requires."""
    if not image.get("FrameOfReferenceUID") and "FrameOfReferenceUID" in image:
        del image.FrameOfReferenceUID
    groups = functional_groups(image)
    if groups is not None and len(groups[0]):
        return
    count = int(image.get("NumberOfFrames") or 1)
    planes = planes_of(image, count)
    # A single image of a class for many, such as a dose of one plane, counts as one of many, too.
    if (count > 1 or (alone and "NumberOfFrames" in image)) and all(planes):
        _add_groups(image, [plane for plane in planes if plane is not None], distance)
    elif distance is not None and not _positive(image, "SliceThickness"):
        # highdicom requires it, and the standard lets a scanner leave it empty.
        _put(image, "SliceThickness", distance)


def _spell_names(image: Any) -> None:
    """Turn names of persons into text; pydicom would write their bytes as they came, in the former character set."""
    names = [element for element in image.iterall() if element.VR == "PN" and element.value]
    for element in names:
        element.value = str(element.value) if element.VM == 1 else [str(name) for name in element.value]


def _is_valid(image: Any, tag: Any) -> bool:
    """Whether an element can be written as the standard wants it."""
    datadict = needed("pydicom.datadict", "dicom")
    valuerep = needed("pydicom.valuerep", "dicom")
    config = needed("pydicom.config", "dicom")
    try:
        element = image[tag]
        if element.value is None:
            return True
        if element.VR in ("SQ", "UI"):
            return True
        if element.VM > 1 and datadict.dictionary_VM(tag) == "1":
            return False
        values = element.value if element.VM > 1 else [element.value]
        for value in values:
            text = str(value) if element.VR in valuerep.STR_VR else value
            valuerep.validate_value(element.VR, text, config.RAISE)
    except broken():
        return False
    return True


def _positive(image: Any, key: str) -> bool:
    return (number_in(image, key) or 0) > 0


def _add_groups(image: Any, planes: Sequence[Plane], distance: float | None) -> None:
    """Functional groups for an image of many frames that states one place for all.

    highdicom looks for them, and for frames at all, in images of an enhanced class only; see `with_true_references`.
    """
    pydicom = needed("pydicom", "dicom")
    spelled = pydicom.valuerep.format_number_as_ds

    def item(**values: Any) -> Any:
        dataset = pydicom.Dataset()
        for key, value in values.items():
            setattr(dataset, key, value)
        return dataset

    def numbers(values: Any) -> list[str]:
        return [spelled(float(value)) for value in values]

    _put(image, "SOPClassUID", _ENHANCED)
    first = planes[0]
    measures = item(PixelSpacing=numbers(first.spacing[::-1]), SliceThickness=spelled(distance or 1.0))
    shared = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=numbers(first.cosines.reshape(-1)))],
            PixelMeasuresSequence=[measures],
        )
    ]
    per_frame = [item(PlanePositionSequence=[item(ImagePositionPatient=numbers(plane.position))]) for plane in planes]
    _put(image, "SharedFunctionalGroupsSequence", shared)
    _put(image, "PerFrameFunctionalGroupsSequence", per_frame)


def with_true_references(segmentation: Any, image: Any, part: Sequence[int]) -> Any:
    """A segmentation that refers to its image by the image's own class and frames; the same object.

    Parameters
    ----------
    segmentation : pydicom.Dataset
        Made of an image by `clean_sources`.
    image : pydicom.Dataset
        The image itself.
    part : sequence of int
        As for `clean_sources`.
    """
    elements = {id(element): element for element in segmentation.iterall()}
    for element in elements.values():
        if element.keyword == "ReferencedSOPClassUID" and element.value == _ENHANCED:
            element.value = image.SOPClassUID
        elif element.keyword == "ReferencedFrameNumber" and part:
            element.value = part[int(element.value) - 1] + 1
    return segmentation


def clean_label(name: str, number: int) -> str:
    """A segment's label of one value without control characters, at most 64 characters, never empty (type 1)."""
    shown = "".join(
        " " if letter == "\\" or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in name
    )
    return " ".join(shown.split())[:_LONGEST_LABEL].strip() or f"Object {number}"
