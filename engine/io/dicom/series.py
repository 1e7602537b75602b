"""DICOM images and series to scans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....archive import check_unpacked
from ....errors import LiteMedSamError
from ...scan.scan import Scan
from ...system.resources import require_memory
from .choice import Found, images_in
from .files import SEGMENTATION, load
from .origin import DicomOrigin
from .pixels import Pixels, declared_bytes, decoded, has_pixels, without_pixels
from .planes import flat_spacing, plane_of, planes_of, thickness_of
from .rows import check_directions, ordered
from .time_points import marks_of_frames, marks_of_image, one_volume

if TYPE_CHECKING:
    from ...scan.geometry import Geometry


def read_series(path: Path, frame: int | None, series: str | None = None, uneven: bool = False) -> Scan:
    """Read a file, or one series of a folder; other objects of its study are left aside with a note.

    Parameters
    ----------
    path : Path
    frame : int or None
        Of volumes at the same places, such as time points and echoes, or of frames that are no volume, from 0.
    series : str or None
        Which series of a folder, see `images_in`.
    uneven : bool
        Whether slices may lie at uneven distances, see `ordered`.

    Returns
    -------
    Scan

    Raises
    ------
    LiteMedSamError
        For files that do not contain one image or one series.
    """
    found = images_in(path, series) if path.is_dir() else _image_in(path, series)
    declared = sum(declared_bytes(image) for _, image in found.images)
    check_unpacked(str(path), declared, sum(file.stat().st_size for file, _ in found.images))
    require_memory(str(path), declared)
    for file, image in found.images:
        _check_no_mosaic(file, image)
    if len(found.images) == 1:
        scan = _one_file(path, *found.images[0], frame, uneven)
    else:
        scan = _series(path, found.images, frame, uneven)
    return replace(scan, notes=(*found.notes, *scan.notes))


def _image_in(path: Path, series: str | None) -> Found:
    image = load(path)
    if series is not None:
        raise LiteMedSamError(f"{path}: a single file, from which no series is chosen", "leave --series out")
    if image.get("Modality") == SEGMENTATION:
        raise LiteMedSamError(f"{path}: a segmentation, expected an image", "give the series it belongs to")
    if not has_pixels(image):
        kind = getattr(image.get("SOPClassUID"), "name", "")
        what = f"contains no image ({kind})" if kind else "contains no image"
        raise LiteMedSamError(
            f"{path}: {what}, or is cut off before it", "give the series of images, or export this file again"
        )
    return Found([(path, image)])


def _check_no_mosaic(file: Path, image: Any) -> None:
    kinds = image.get("ImageType") or ()
    if "MOSAIC" in ([kinds] if isinstance(kinds, str) else list(kinds)):
        raise LiteMedSamError(
            f"{file}: a Siemens mosaic, which shows all slices of a volume as tiles of one picture",
            "convert the series with dcm2niix and give the NIfTI file",
        )


def _one_file(path: Path, file: Path, image: Any, frame: int | None, uneven: bool) -> Scan:
    pixels = decoded(file, image)
    count = len(pixels.values)
    places = planes_of(image, count)
    planes = [plane for plane in places if plane is not None]
    frames = list(range(count))
    geometry: Geometry | None = None
    notes: tuple[str, ...] = ()
    if len(planes) == count:
        check_directions(str(path), planes)
        labels = [f"frame {k}" for k in range(count)]
        chosen = one_volume(str(path), planes, marks_of_frames(image, count), pixels.values.__getitem__, frame, labels)
        row = ordered(str(path), [planes[k] for k in chosen.indices], thickness_of(image), uneven)
        frames, geometry = [chosen.indices[k] for k in row.order], row.geometry
        notes = (*chosen.notes, *row.notes)
    elif frame is not None:
        if not 0 <= frame < count:
            raise LiteMedSamError(f"{path}: has no frame {frame}, expected 0 to {count - 1}")
        frames = [frame]
    flat = geometry is None and len(frames) == 1
    if geometry is None and not flat:
        notes = (
            f"{path}: does not say where its {count} frames lie: they are taken as slices in their order, masks have "
            "no place in the patient and, without --spacing, voxels of unknown size",
        )
    scan = _scan(path, image, _chosen(pixels, frames[0] if flat else frames), geometry, not flat)
    spacing = flat_spacing(image) if flat else scan.spacing
    return replace(scan, spacing=spacing, notes=notes, origin=DicomOrigin((without_pixels(image),), tuple(frames)))


def _chosen(pixels: Pixels, frames: int | list[int]) -> Pixels:
    if frames == list(range(len(pixels.values))):
        return pixels
    return Pixels(pixels.values[frames], None if pixels.padding is None else pixels.padding[frames])


def _series(path: Path, images: Sequence[tuple[Path, Any]], frame: int | None, uneven: bool) -> Scan:
    _check_alike(images)
    planes = []
    for file, image in images:
        plane = plane_of(image, image, image)
        if plane is None:
            raise LiteMedSamError(f"{file}: does not say where it lies", "give such images one by one")
        planes.append(plane)
    check_directions(str(path), planes)
    marks = [marks_of_image(image, k) for k, (_, image) in enumerate(images)]
    labels = [file.name for file, _ in images]
    chosen = one_volume(str(path), planes, marks, lambda k: decoded(*images[k]).values, frame, labels)
    first = images[chosen.indices[0]][1]
    row = ordered(str(path), [planes[k] for k in chosen.indices], thickness_of(first), uneven)
    slices = [images[chosen.indices[k]] for k in row.order]
    pixels = _stacked([decoded(file, image) for file, image in slices])
    scan = _scan(path, first, pixels, row.geometry, True)
    origin = DicomOrigin(tuple(without_pixels(image) for _, image in slices))
    return replace(scan, notes=(*chosen.notes, *row.notes), origin=origin)


def _check_alike(images: Sequence[tuple[Path, Any]]) -> None:
    """Refuse images that differ in size or colours, or have many frames."""
    first = images[0][1]
    for file, image in images:
        same = (image.get("Rows"), image.get("Columns")) == (first.get("Rows"), first.get("Columns"))
        if not same or image.get("SamplesPerPixel") != first.get("SamplesPerPixel"):
            raise LiteMedSamError(
                f"{file}: {image.get('Columns')} × {image.get('Rows')} pixels in a series of "
                f"{first.get('Columns')} × {first.get('Rows')}",
                "put images of one size into a folder of their own",
            )
        if int(image.get("NumberOfFrames", 1) or 1) > 1:
            raise LiteMedSamError(f"{file}: many frames in a series of several files", "give this file by itself")


def _stacked(slices: Sequence[Pixels]) -> Pixels:
    values = np.concatenate([pixels.values for pixels in slices])
    if all(pixels.padding is None for pixels in slices):
        return Pixels(values)
    padding = [
        np.zeros(pixels.values.shape, np.bool_) if pixels.padding is None else pixels.padding for pixels in slices
    ]
    return Pixels(values, np.concatenate(padding))


def _scan(path: Path, image: Any, pixels: Pixels, geometry: Geometry | None, volume: bool) -> Scan:
    return Scan(
        str(path),
        pixels.values,
        volume,
        geometry,
        spacing=None if geometry is None else geometry.spacing,
        modality=str(image.get("Modality", "") or "OT"),
        inverted=image.get("PhotometricInterpretation") == "MONOCHROME1",
        padding=pixels.padding,
    )
