"""DICOM series in, DICOM SEG out."""

import hashlib
import io
import math
import mmap
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .... import __version__
from ....archive import BROKEN, LARGEST_RATIO, LARGEST_UNPACKED, BoundedReader, check_unpacked
from ....atomic import write_atomically
from ....errors import LiteMedSamError
from ...scan.colours import colour
from ...scan.geometry import Geometry
from ...scan.scan import Mask, Scan
from ...system.optional import needed
from ...system.resources import require_memory
from .codes import codes_of

_PREAMBLE = 128
_META = 0x0002
_INDEX = "DICOMDIR"
_SEGMENTATION = "SEG"
# DICOM counts millimetres towards left, posterior, superior.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# How far a slice may be from its place in an even row, as a share of the distance between slices.
_UNEVEN = 0.05
_SAME_DIRECTION = 1e-3
_LONGEST_REASON = 160
_PART = 1_000_000


@dataclass(frozen=True)
class DicomOrigin:
    """What a DICOM SEG refers to.

    Attributes
    ----------
    images : tuple of pydicom.Dataset
        The series without its pixels: one per slice, in the order of the slices, or one of many frames.
    frames : tuple of int
        For one dataset of many frames, the frame of each slice.
    """

    images: tuple[Any, ...]
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Plane:
    """One slice: where its first voxel is, its direction cosines, its spacing along rows' and columns' indices."""

    position: np.ndarray
    cosines: np.ndarray
    spacing: tuple[float, float]


def _is_dicom(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(_PREAMBLE + 4)
    except OSError:
        return False
    return _looks_like_dicom(head) or path.name.lower().endswith(".dcm")


def _looks_like_dicom(head: bytes) -> bool:
    return head[_PREAMBLE : _PREAMBLE + 4] == b"DICM"


def _files(folder: Path) -> list[Path]:
    entries = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name.upper() != _INDEX)
    return sorted(path for path in entries if path.is_file())


def holds_dicom(folder: Path) -> bool:
    """Whether a folder itself, not those below, holds a DICOM file other than an index."""
    return any(_is_dicom(path) for path in _files(folder))


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Within, what reading raises for a damaged file becomes a message."""
    errors = needed("pydicom.errors", "dicom")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (*BROKEN, errors.InvalidDicomError, errors.BytesLengthException) as error:
        raise LiteMedSamError(f"{path}: not a DICOM file, or a damaged one ({_short(error)})") from error


def _short(error: Exception) -> str:
    # Some messages of pydicom quote the bytes that they complain of.
    text = str(error)
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} …"


def _load(path: Path):
    pydicom = needed("pydicom", "dicom")
    with _whole(path):
        _check_deflated(path, pydicom)
        with BoundedReader(path) as file:
            return pydicom.dcmread(file, force=True)


def _check_deflated(path: Path, pydicom) -> None:
    """Refuse a file whose whole data set is packed, and unpacks to too much."""
    size = path.stat().st_size
    if size == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(pydicom.uid.DeflatedExplicitVRLittleEndian.encode()) < 0:
            return
        with BoundedReader(path) as reader:
            pydicom.filereader.read_preamble(reader, force=True)
            meta = pydicom.filereader.read_dataset(reader, False, True, stop_when=lambda tag, *_: tag.group != _META)
            if meta.get("TransferSyntaxUID") != pydicom.uid.DeflatedExplicitVRLittleEndian:
                return
            packed = content[reader.tell() :]
    limit = max(LARGEST_UNPACKED, LARGEST_RATIO * size)
    unpacked = len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit + 1))
    check_unpacked(str(path), unpacked, size)


def _declared(image) -> int:
    """How many bytes the pixels take in the forms that they go through, as the data set declares."""
    sides = [int(image.get(key) or 0) for key in ("Rows", "Columns")]
    counts = [int(image.get(key) or 1) for key in ("NumberOfFrames", "SamplesPerPixel")]
    if min(*sides, *counts) < 0:
        raise ValueError("a negative size")
    return math.prod((*sides, *counts)) * max(int(image.get("BitsAllocated") or 8) // 8, 4)


def _has_pixels(image) -> bool:
    return any(key in image for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))


def _decoded(path: Path, image) -> np.ndarray:
    """Stored values (frames, H, W) or uint8 colours (frames, H, W, 3)."""
    pixels = needed("pydicom.pixels", "dicom")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = image.pixel_array
            palette = image.PhotometricInterpretation == "PALETTE COLOR"
            if palette:
                array = pixels.apply_color_lut(array, image)
            coloured = palette or image.get("SamplesPerPixel", 1) == 3
            if coloured and array.dtype != np.uint8:
                depth = array.dtype.itemsize * 8 if palette else int(image.BitsStored)
                array = (array >> max(depth - 8, 0)).astype(np.uint8)
            elif not coloured:
                array = _rescaled(array, image, pixels)
    except RuntimeError as error:
        syntax = image.file_meta.get("TransferSyntaxUID") if hasattr(image, "file_meta") else None
        raise LiteMedSamError(
            f"{path}: no decoder here can read its pixels ({getattr(syntax, 'name', syntax)})",
            "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg",
        ) from error
    except BROKEN as error:
        raise LiteMedSamError(f"{path}: its pixels are damaged ({_short(error)})", "copy the file again") from error
    array = array if array.ndim == (4 if coloured else 3) else array[None]
    if len(array) != int(image.get("NumberOfFrames") or 1):
        raise LiteMedSamError(
            f"{path}: holds {len(array)} frames, declares {image.get('NumberOfFrames')}", "copy the file again"
        )
    return array


def _rescaled(array: np.ndarray, image, pixels) -> np.ndarray:
    if "ModalityLUTSequence" in image:
        return pixels.apply_modality_lut(array, image)
    groups = _groups(image)
    if groups is None:
        return _line(array, image)
    frames = array if array.ndim == 3 else array[None]
    scaled = []
    for k, frame in enumerate(frames):
        found = _in_group(groups, k, "PixelValueTransformationSequence")
        scaled.append(_line(frame, image if found is None else found))
    return np.stack(scaled)


def _line(array: np.ndarray, where) -> np.ndarray:
    """Rescale slope and intercept; whole numbers stay whole."""
    slope, intercept = float(where.get("RescaleSlope", 1) or 1), float(where.get("RescaleIntercept", 0) or 0)
    if (slope, intercept) == (1, 0):
        return array
    whole = array.dtype.kind in "ui" and slope == int(slope) and intercept == int(intercept)
    if whole and _fits(array, slope, intercept):
        array = array.astype(np.int32)
        array *= int(slope)
        array += int(intercept)
        return array
    scaled = np.empty(array.shape, np.float32)
    source, target = array.reshape(-1), scaled.reshape(-1)
    for start in range(0, len(source), _PART):
        target[start : start + _PART] = source[start : start + _PART] * slope + intercept
    return scaled


def _fits(array: np.ndarray, slope: float, intercept: float) -> bool:
    """Whether rescaled values are whole numbers of 32 bits."""
    limits = np.iinfo(np.int32)
    ends = [int(value) * slope + intercept for value in (array.min(), array.max())]
    return array.max() <= limits.max and limits.min <= min(ends) and max(ends) <= limits.max


def _groups(image):
    """The functional groups of an enhanced image (per frame, shared), or None."""
    if "PerFrameFunctionalGroupsSequence" not in image:
        return None
    shared = image.get("SharedFunctionalGroupsSequence") or [{}]
    return image.PerFrameFunctionalGroupsSequence, shared[0]


def _in_group(groups, frame: int, name: str):
    per_frame, shared = groups
    for group in (per_frame[frame], shared):
        if name in group and len(group[name].value):
            return group[name].value[0]
    return None


def _plane(position, orientation, measures) -> _Plane | None:
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
    return _Plane(place, cosines, (spacing[1], spacing[0]))


def _planes(image, count: int) -> list[_Plane | None]:
    groups = _groups(image)
    if groups is None:
        return [_plane(image, image, image)] if count == 1 else [None] * count
    names = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    return [_plane(*(_in_group(groups, k, name) for name in names)) for k in range(count)]


def _thickness(image, keys: tuple[str, ...] = ("SpacingBetweenSlices", "SliceThickness")) -> float:
    """The first of some measures that an image tells, in mm; 1 where it tells none."""
    groups = _groups(image)
    where = image if groups is None else _in_group(groups, 0, "PixelMeasuresSequence") or image
    for key in keys:
        if where.get(key) and float(where.get(key)) > 0:
            return float(where.get(key))
    return 1.0


def _ordered(name: str, planes: list[_Plane], thickness: float) -> tuple[list[int], Geometry]:
    """The order of planes along their normal, and the grid that they make."""
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


def _flat_spacing(image) -> np.ndarray | None:
    for key in ("PixelSpacing", "ImagerPixelSpacing"):
        values = image.get(key)
        if values and len(values) == 2 and all(float(v) > 0 for v in values):
            return np.array([float(values[1]), float(values[0])])
    return None


def _without_pixels(image):
    for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        if key in image:
            del image[key]
    return image


class Dicom:
    """See `litemedsam.engine.io.formats.Format`.

    A box' x counts columns, y rows and z slices, ordered by their place along the normal of the image plane (row
    direction × column direction; for usual axial series towards superior), whatever the files' names and numbers.
    Frames without a place keep their order.
    """

    name = "dicom"
    suffixes = (".dcm", ".dicom", ".ima")

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return holds_dicom(path) if path.is_dir() else _looks_like_dicom(head)

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; a folder must hold one series, other objects of its study are left aside."""
        with _whole(path):
            return self._read(path, frame)

    def _read(self, path: Path, frame: int | None) -> Scan:
        if path.is_dir():
            loaded = [(file, _load(file)) for file in _files(path) if _is_dicom(file)]
            images = [pair for pair in loaded if _has_pixels(pair[1]) and pair[1].get("Modality") != _SEGMENTATION]
        else:
            images = [(path, _load(path))]
            if images[0][1].get("Modality") == _SEGMENTATION:
                raise LiteMedSamError(f"{path}: a segmentation, expected an image", "give the series it belongs to")
            if not _has_pixels(images[0][1]):
                raise LiteMedSamError(f"{path}: holds no image, or is cut off before it", "copy the file again")
        if not images:
            raise LiteMedSamError(f"{path}: holds no DICOM images")
        declared = sum(_declared(image) for _, image in images)
        check_unpacked(str(path), declared, sum(file.stat().st_size for file, _ in images))
        require_memory(str(path), declared)
        self._check_one_series(path, [image for _, image in images])
        if len(images) == 1:
            return self._one_file(path, *images[0], frame)
        if frame is not None:
            raise LiteMedSamError(f"{path}: a series of single images has no frames", "leave --frame out")
        return self._series(path, images)

    def _check_one_series(self, path: Path, images: list) -> None:
        series: dict[str, list] = {}
        for image in images:
            series.setdefault(str(image.get("SeriesInstanceUID", "")), []).append(image)
        if len(series) > 1:
            listed = ", ".join(
                f"{found[0].get('Modality', '?')} {found[0].get('SeriesDescription', '') or 'without description'} "
                f"with {len(found)} images"
                for found in series.values()
            )
            raise LiteMedSamError(
                f"{path}: holds {len(series)} series ({listed})", "put each series in a folder of its own"
            )

    def _one_file(self, path: Path, file: Path, image, frame: int | None) -> Scan:
        array = _decoded(file, image)
        planes = _planes(image, len(array))
        frames = list(range(len(array)))
        geometry, spacing = None, None
        if all(plane is not None for plane in planes):
            if frame is not None and len(array) > 1:
                raise LiteMedSamError(f"{path}: its frames are the slices of a volume", "leave --frame out")
            frames, geometry = _ordered(str(path), planes, _thickness(image))
            spacing = geometry.spacing
        elif frame is not None:
            if not 0 <= frame < len(array):
                raise LiteMedSamError(f"{path}: has no frame {frame}, expected 0 to {len(array) - 1}")
            frames = [frame]
        voxels = array[frames]
        flat = geometry is None and len(frames) == 1
        scan = self._scan(path, image, voxels[0] if flat else voxels, geometry, not flat)
        spacing = _flat_spacing(image) if flat else spacing
        return replace(scan, spacing=spacing, origin=DicomOrigin((_without_pixels(image),), tuple(frames)))

    def _series(self, path: Path, images: list) -> Scan:
        first = images[0][1]
        for file, image in images:
            same = (image.get("Rows"), image.get("Columns")) == (first.get("Rows"), first.get("Columns"))
            if not same or image.get("SamplesPerPixel") != first.get("SamplesPerPixel"):
                raise LiteMedSamError(
                    f"{file}: {image.get('Columns')} × {image.get('Rows')} pixels in a series of "
                    f"{first.get('Columns')} × {first.get('Rows')}",
                    "leave localizers out of the folder",
                )
            if int(image.get("NumberOfFrames", 1) or 1) > 1:
                raise LiteMedSamError(f"{file}: many frames in a series of several files", "give this file by itself")
        planes = [_plane(image, image, image) for _, image in images]
        missing = [file for (file, _), plane in zip(images, planes, strict=True) if plane is None]
        if missing:
            raise LiteMedSamError(f"{missing[0]}: does not say where it lies", "give such images one by one")
        order, geometry = _ordered(str(path), planes, _thickness(first))
        images = [images[k] for k in order]
        voxels = np.concatenate([_decoded(file, image) for file, image in images])
        scan = self._scan(path, first, voxels, geometry, True)
        origin = DicomOrigin(tuple(_without_pixels(image) for _, image in images))
        return replace(scan, spacing=geometry.spacing, origin=origin)

    def _scan(self, path: Path, image, voxels: np.ndarray, geometry: Geometry | None, volume: bool) -> Scan:
        inverted = image.get("PhotometricInterpretation") == "MONOCHROME1"
        modality = str(image.get("Modality", "") or "OT")
        return Scan(str(path), voxels, volume, geometry, modality=modality, inverted=inverted)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`."""
        return f"{stem}.dcm"

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`.

        A binary DICOM SEG that refers to the scan's own images, one segment per object. Its identifiers are made
        of the images' and of the labels, and its dates are the images', so that the same result has the same
        bytes.
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
                f"{path}: no DICOM SEG can refer to {scan.name} ({_short(error)})",
                "use --format nifti, or png for one slice",
            ) from error
        write_atomically(path, lambda file: file.write(content.getvalue()))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
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
        with _whole(path):
            return self._read_mask(path, scan)

    def _read_mask(self, path: Path, scan: Scan) -> Mask:
        image = _load(path)
        if image.get("Modality") != _SEGMENTATION or _groups(image) is None:
            raise LiteMedSamError(f"{path}: not a DICOM SEG")
        if scan.geometry is None or len(scan.grid) != 3:
            raise LiteMedSamError(f"{path}: the scan {scan.name} does not say where it lies")
        check_unpacked(str(path), _declared(image), path.stat().st_size)
        frames = _decoded(path, image)
        labels = np.zeros(scan.grid, np.uint16)
        for k, (plane, frame) in enumerate(zip(_planes(image, len(frames)), frames, strict=True)):
            segment = _in_group(_groups(image), k, "SegmentIdentificationSequence")
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


def _segment(highdicom, number: int, name: str, algorithm):
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


def _measures(highdicom, images: tuple, geometry: Geometry):
    """With the distance between slices: slices without an object are not stored, and readers fill the gaps by it."""
    x, y, _ = (float(f"{v:.10g}") for v in geometry.spacing)
    across, down, through = geometry.affine[:3, :3].T
    normal = np.cross(across, down)
    distance = float(f"{abs(through @ normal) / np.linalg.norm(normal):.10g}")
    thickness = _thickness(images[0], ("SliceThickness", "SpacingBetweenSlices"))
    return highdicom.PixelMeasuresSequence((y, x), thickness, distance)


def _with_thickness(image, measures):
    """highdicom asks for a thickness of slices, which the standard lets a scanner leave empty."""
    if measures is None or image.get("SliceThickness") or _groups(image) is not None:
        return image
    image = copy(image)
    image.SliceThickness = measures[0].SpacingBetweenSlices
    return image


def _segmentation(highdicom, images: Sequence, pages: np.ndarray, names: Sequence[str], measures):
    codes = needed("pydicom.sr.codedict", "dicom").codes
    objects = max(len(names), int(pages.max()), 1)
    names = [*names, *[""] * (objects - len(names))]
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
