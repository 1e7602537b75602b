"""DICOM images and series to scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....archive import check_unpacked
from ....errors import LiteMedSamError
from ...scan.scan import Scan
from ...system.resources import require_memory
from .files import files, is_dicom, load
from .pixels import declared_bytes, decoded, has_pixels, without_pixels
from .planes import flat_spacing, ordered, plane_of, planes_of, thickness_of
from .seg import SEGMENTATION, DicomOrigin

if TYPE_CHECKING:
    from ...scan.geometry import Geometry


def read_series(path: Path, frame: int | None) -> Scan:
    """Read a file, or the one series in a folder; other objects of its study are left aside.

    Parameters
    ----------
    path : Path
    frame : int or None
        The frame to take from a file of frames that are no volume, from 0.

    Returns
    -------
    Scan

    Raises
    ------
    LiteMedSamError
        For files that do not hold one image or one series.
    """
    if path.is_dir():
        loaded = [(file, load(file)) for file in files(path) if is_dicom(file)]
        images = [pair for pair in loaded if has_pixels(pair[1]) and pair[1].get("Modality") != SEGMENTATION]
    else:
        images = [(path, load(path))]
        if images[0][1].get("Modality") == SEGMENTATION:
            raise LiteMedSamError(f"{path}: a segmentation, expected an image", "give the series it belongs to")
        if not has_pixels(images[0][1]):
            raise LiteMedSamError(f"{path}: holds no image, or is cut off before it", "copy the file again")
    if not images:
        raise LiteMedSamError(f"{path}: holds no DICOM images")
    declared = sum(declared_bytes(image) for _, image in images)
    check_unpacked(str(path), declared, sum(file.stat().st_size for file, _ in images))
    require_memory(str(path), declared)
    _check_one_series(path, [image for _, image in images])
    if len(images) == 1:
        return _one_file(path, *images[0], frame)
    if frame is not None:
        raise LiteMedSamError(f"{path}: a series of single images has no frames", "leave --frame out")
    return _series(path, images)


def _check_one_series(path: Path, images: list[Any]) -> None:
    series: dict[str, list[Any]] = {}
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


def _one_file(path: Path, file: Path, image: Any, frame: int | None) -> Scan:
    array = decoded(file, image)
    planes = planes_of(image, len(array))
    frames = list(range(len(array)))
    geometry, spacing = None, None
    placed = [plane for plane in planes if plane is not None]
    if len(placed) == len(planes):
        if frame is not None and len(array) > 1:
            raise LiteMedSamError(f"{path}: its frames are the slices of a volume", "leave --frame out")
        frames, geometry = ordered(str(path), placed, thickness_of(image))
        spacing = geometry.spacing
    elif frame is not None:
        if not 0 <= frame < len(array):
            raise LiteMedSamError(f"{path}: has no frame {frame}, expected 0 to {len(array) - 1}")
        frames = [frame]
    voxels = array[frames]
    flat = geometry is None and len(frames) == 1
    scan = _scan(path, image, voxels[0] if flat else voxels, geometry, not flat)
    spacing = flat_spacing(image) if flat else spacing
    return replace(scan, spacing=spacing, origin=DicomOrigin((without_pixels(image),), tuple(frames)))


def _series(path: Path, images: list[tuple[Path, Any]]) -> Scan:
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
    planes = [plane_of(image, image, image) for _, image in images]
    missing = [file for (file, _), plane in zip(images, planes, strict=True) if plane is None]
    if missing:
        raise LiteMedSamError(f"{missing[0]}: does not say where it lies", "give such images one by one")
    order, geometry = ordered(str(path), [plane for plane in planes if plane is not None], thickness_of(first))
    images = [images[k] for k in order]
    voxels = np.concatenate([decoded(file, image) for file, image in images])
    scan = _scan(path, first, voxels, geometry, True)
    origin = DicomOrigin(tuple(without_pixels(image) for _, image in images))
    return replace(scan, spacing=geometry.spacing, origin=origin)


def _scan(path: Path, image: Any, voxels: np.ndarray, geometry: Geometry | None, volume: bool) -> Scan:
    inverted = image.get("PhotometricInterpretation") == "MONOCHROME1"
    modality = str(image.get("Modality", "") or "OT")
    return Scan(str(path), voxels, volume, geometry, modality=modality, inverted=inverted)
