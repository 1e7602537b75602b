"""Masks: labels on the grid of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from ..case import number_list

if TYPE_CHECKING:
    from .geometry import Geometry
    from .scan import Scan

# Two grids are the same when no corner of theirs is further apart, in mm.
_SAME_PLACE = 1e-3


@dataclass(frozen=True)
class Mask:
    """Labels that objects are taken from, on the grid of a scan.

    Attributes
    ----------
    labels : ndarray
        Integers (H, W) or (D, H, W), 0 for background.
    names : mapping of int to str
        Of those labels that the file names.
    """

    labels: np.ndarray
    names: Mapping[int, str] = field(default_factory=dict)


def checked_mask(
    path: Path, labels: np.ndarray, scan: Scan, geometry: Geometry | None = None, names: Mapping[int, str] | None = None
) -> Mask:
    """A mask, once its labels are known to be whole numbers on the grid of a scan.

    Parameters
    ----------
    path : Path
        Of the mask, for messages.
    labels : ndarray
        Numbers or bool, as the file holds them.
    scan : Scan
    geometry : Geometry or None
        Where the labels lie, if the file states it.
    names : mapping of int to str, optional
        Of labels that the file names.

    Raises
    ------
    LiteMedSamError
        When there are other values than whole numbers, or the grid is another.
    """
    whole = _whole_numbers(labels)
    if whole is None:
        raise LiteMedSamError(f"{path}: holds other values than whole numbers, expected labels")
    grids = [scan.grid] if scan.is_volume is not None else [scan.voxels.shape, scan.voxels.shape[:-1]]
    if whole.shape not in grids:
        raise LiteMedSamError(
            f"{path}: has {number_list(whole.shape[::-1])} voxels along x, y, z; the scan {scan.name} has "
            f"{number_list(grids[0][::-1])}"
        )
    if geometry is not None and scan.geometry is not None and whole.ndim == 3:
        corners = np.array(list(product(*((0, n - 1) for n in whole.shape[::-1]))))
        corners = np.c_[corners, np.ones(len(corners))]
        apart = np.abs(corners @ (geometry.affine - scan.geometry.affine).T).max()
        if apart > max(_SAME_PLACE, 0.01 * scan.geometry.spacing.min()):
            raise LiteMedSamError(
                f"{path}: lies {apart:.3g} mm away from the scan {scan.name}", "resample the mask onto the scan"
            )
    return Mask(whole, names or {})


def mask_of_scan(path: Path, read: Scan, scan: Scan, names: Mapping[int, str] | None = None) -> Mask:
    """What was read as a scan, taken as a mask on the grid of another one; of colours, the first channel counts.

    Raises
    ------
    LiteMedSamError
        See `checked_mask`.
    """
    labels = read.voxels[..., 0] if read.coloured else read.voxels
    return checked_mask(path, labels, scan, read.geometry, names)


def _whole_numbers(labels: np.ndarray) -> np.ndarray | None:
    """Labels as integers, or None where there are others."""
    if labels.dtype.kind == "b":
        return labels.view(np.uint8)
    if labels.dtype.kind in "ui":
        return labels
    if labels.dtype.kind != "f" or labels.size == 0:
        return None
    limits = np.iinfo(np.int32)
    # NaN fails this as well.
    if not (limits.min <= labels.min() and labels.max() <= limits.max):
        return None
    whole = labels.astype(np.int32)
    return whole if (whole == labels).all() else None
