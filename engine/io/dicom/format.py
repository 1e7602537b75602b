"""DICOM series in, DICOM SEG out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ....archive import check_unpacked
from ....atomic import write_atomically
from ....errors import LiteMedSamError
from ...scan.geometry import Geometry
from ...scan.mask import Mask
from ...scan.scan import Scan
from ...system.resources import require_memory
from .files import files, holds_dicom, is_dicom, load, looks_like_dicom, readable
from .pixels import declared_bytes, decoded, has_pixels, without_pixels
from .planes import flat_spacing, ordered, plane_of, planes_of, thickness_of
from .seg import SEGMENTATION, DicomOrigin, read_segmentation, segmentation_bytes


class Dicom:
    """See `litemedsam.engine.io.formats.Format`.

    The x of a box counts columns, y rows and z slices, ordered by their place along the normal of the image plane (row
    direction × column direction; for usual axial series towards superior), whatever the files' names and numbers.
    Frames without a place keep their order.
    """

    name = "dicom"
    suffixes = (".dcm", ".dicom", ".ima")
    result_suffixes = suffixes

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return holds_dicom(path) if path.is_dir() else looks_like_dicom(head)

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; a folder must hold one series, other objects of its study are left aside."""
        with readable(path):
            return self._read(path, frame)

    def _read(self, path: Path, frame: int | None) -> Scan:
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
        self._check_one_series(path, [image for _, image in images])
        if len(images) == 1:
            return self._one_file(path, *images[0], frame)
        if frame is not None:
            raise LiteMedSamError(f"{path}: a series of single images has no frames", "leave --frame out")
        return self._series(path, images)

    def _check_one_series(self, path: Path, images: list[Any]) -> None:
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

    def _one_file(self, path: Path, file: Path, image: Any, frame: int | None) -> Scan:
        array = decoded(file, image)
        planes = planes_of(image, len(array))
        frames = list(range(len(array)))
        geometry, spacing = None, None
        if all(plane is not None for plane in planes):
            if frame is not None and len(array) > 1:
                raise LiteMedSamError(f"{path}: its frames are the slices of a volume", "leave --frame out")
            frames, geometry = ordered(str(path), planes, thickness_of(image))
            spacing = geometry.spacing
        elif frame is not None:
            if not 0 <= frame < len(array):
                raise LiteMedSamError(f"{path}: has no frame {frame}, expected 0 to {len(array) - 1}")
            frames = [frame]
        voxels = array[frames]
        flat = geometry is None and len(frames) == 1
        scan = self._scan(path, image, voxels[0] if flat else voxels, geometry, not flat)
        spacing = flat_spacing(image) if flat else spacing
        return replace(scan, spacing=spacing, origin=DicomOrigin((without_pixels(image),), tuple(frames)))

    def _series(self, path: Path, images: list[tuple[Path, Any]]) -> Scan:
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
        order, geometry = ordered(str(path), planes, thickness_of(first))
        images = [images[k] for k in order]
        voxels = np.concatenate([decoded(file, image) for file, image in images])
        scan = self._scan(path, first, voxels, geometry, True)
        origin = DicomOrigin(tuple(without_pixels(image) for _, image in images))
        return replace(scan, spacing=geometry.spacing, origin=origin)

    def _scan(self, path: Path, image: Any, voxels: np.ndarray, geometry: Geometry | None, volume: bool) -> Scan:
        inverted = image.get("PhotometricInterpretation") == "MONOCHROME1"
        modality = str(image.get("Modality", "") or "OT")
        return Scan(str(path), voxels, volume, geometry, modality=modality, inverted=inverted)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`."""
        return f"{stem}.dcm"

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; a DICOM SEG that refers to the scan's own images, see `segmentation_bytes`."""
        content = segmentation_bytes(path, labels, scan, names)
        write_atomically(path, lambda file: file.write(content))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; a DICOM SEG, see `read_segmentation`."""
        with readable(path):
            return read_segmentation(path, scan)
