"""Segments of a DICOM SEG as labels on the grid of a scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....archive import check_unpacked
from ....errors import LiteMedSamError
from ...case import number_list
from ...scan.mask import Mask
from .files import SEGMENTATION, load
from .groups import functional_groups, in_group
from .origin import DicomOrigin
from .pixels import declared_bytes, stored_frames
from .planes import Plane, planes_of

if TYPE_CHECKING:
    from ...scan.geometry import Geometry
    from ...scan.scan import Scan

_RAS = np.array([-1.0, -1.0, 1.0])
# In voxels: how far the first voxel of a frame may be from one of the scan, and its last row and column.
_SAME_PLACE = 0.1
_SAME_END = 0.5
_USUAL_FRACTION = 255


@dataclass(frozen=True)
class _Grid:
    """The voxels of a scan, with the true place of each slice where slices are uneven.

    Attributes
    ----------
    geometry : Geometry
    shape : tuple of int
        (D, H, W).
    starts : ndarray
        float64 (D, 3), the first voxel of each slice in RAS millimetres.
    """

    geometry: Geometry
    shape: tuple[int, ...]
    starts: np.ndarray

    @classmethod
    def of(cls, scan: Scan, geometry: Geometry) -> _Grid:
        """The grid of a volume whose geometry is known."""
        starts = geometry.affine[:3, 3] + np.arange(scan.grid[0])[:, None] * geometry.affine[:3, 2]
        origin = scan.origin
        if isinstance(origin, DicomOrigin) and not origin.frames and len(origin.images) == len(starts):
            places = [planes_of(image, 1)[0] for image in origin.images]
            if all(places):
                starts = np.array([plane.position * _RAS for plane in places if plane is not None])
        return cls(geometry, scan.grid, starts)

    def index(self, point: np.ndarray) -> np.ndarray:
        """Index x, y, z of a point in RAS millimetres, float64 (3,), not rounded."""
        away = (point - self.starts) @ np.linalg.inv(self.geometry.affine[:3, :3]).T
        nearest = int(np.argmin(np.abs(away[:, 2])))
        return np.array([away[nearest, 0], away[nearest, 1], nearest + away[nearest, 2]])

    def frame(self, plane: Plane, shape: tuple[int, ...], labels: np.ndarray) -> np.ndarray | None:
        """The part of `labels` that a frame (rows, columns) covers, turned like the frame; None if not on this grid."""
        columns, rows = (direction * _RAS for direction in plane.cosines)
        origin = plane.position * _RAS
        first = self.index(origin)
        corner = np.round(first)
        if np.abs(first - corner).max() > _SAME_PLACE:
            return None
        axes, signs = [], []
        for direction, spacing, count in zip((columns, rows), plane.spacing, shape[::-1], strict=True):
            reach = max(count - 1, 1)
            away = self.index(origin + reach * spacing * direction) - first
            axis = int(np.argmax(np.abs(away)))
            sign = 1 if away[axis] > 0 else -1
            if np.abs(away - sign * reach * np.eye(3)[axis]).max() > _SAME_END:
                return None
            if self.shape[2 - axis] != count or corner[axis] != (0 if sign > 0 else count - 1):
                return None
            axes.append(axis)
            signs.append(sign)
        through = 3 - sum(axes)
        number = int(corner[through])
        if axes[0] == axes[1] or not 0 <= number < self.shape[2 - through]:
            return None
        page: np.ndarray = np.moveaxis(labels, [2 - through, 2 - axes[1], 2 - axes[0]], [0, 1, 2])[number]
        return page[:: signs[1], :: signs[0]]


def read_segmentation(path: Path, scan: Scan) -> Mask:
    """The segments of a DICOM SEG on the grid of a scan, named by their labels.

    Frames may run along any axes of the scan, in either direction. A voxel belongs to a fractional segment from half
    of the largest fraction on.

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
        raise LiteMedSamError(
            f"{path}: the scan {scan.name} does not say where it lies", "give the mask as a picture or an npz file"
        )
    check_unpacked(str(path), declared_bytes(image), path.stat().st_size)
    labels = np.zeros(scan.grid, np.uint16)
    grid = _Grid.of(scan, scan.geometry)
    for plane, page in _labelled_frames(path, image, groups):
        target = None if plane is None else grid.frame(plane, page.shape, labels)
        if target is None:
            raise _another_grid(path, plane, page, scan, grid)
        np.maximum(target, page, out=target)
    segments = image.get("SegmentSequence") or []
    return Mask(labels, {int(segment.SegmentNumber): str(segment.get("SegmentLabel", "")) for segment in segments})


def _labelled_frames(path: Path, image: Any, groups: tuple[Any, Any]) -> Iterator[tuple[Plane | None, np.ndarray]]:
    """The frames of a segmentation as labels, uint16 (H, W), with their planes."""
    frames = stored_frames(path, image)
    if frames.ndim != 3:
        raise LiteMedSamError(f"{path}: a segmentation in colours, expected one number per voxel")
    kind = str(image.get("SegmentationType", "BINARY"))
    largest = int(image.get("MaximumFractionalValue") or _USUAL_FRACTION)
    background = int(image.get("PixelPaddingValue") or 0)
    for k, (plane, frame) in enumerate(zip(planes_of(image, len(frames)), frames, strict=True)):
        if kind == "LABELMAP":
            yield plane, np.where(frame == background, 0, frame).astype(np.uint16)
            continue
        segment = in_group(groups, k, "SegmentIdentificationSequence")
        if segment is None:
            raise LiteMedSamError(f"{path}: its frame {k} names no segment", "export it from its program again")
        marked = 2 * frame.astype(np.uint32) >= largest if kind == "FRACTIONAL" else frame > 0
        yield plane, marked * np.uint16(segment.ReferencedSegmentNumber)


def _another_grid(path: Path, plane: Plane | None, page: np.ndarray, scan: Scan, grid: _Grid) -> LiteMedSamError:
    got = f"{page.shape[1]} × {page.shape[0]} pixels"
    if plane is not None:
        place = number_list(np.round(grid.index(plane.position * _RAS), 2) + 0.0)
        got += f" of {plane.spacing[0]:g} × {plane.spacing[1]:g} mm from voxel {place} on"
    spacing = grid.geometry.spacing
    return LiteMedSamError(
        f"{path}: lies on another grid than the scan {scan.name}: a frame of {got}, expected slices of "
        f"{scan.grid[2]} × {scan.grid[1]} pixels of {spacing[0]:g} × {spacing[1]:g} mm from voxel 0, 0 on",
        "resample the mask onto the scan",
    )
