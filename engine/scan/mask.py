"""Masks: labels on the grid of a scan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from ..case import LARGEST_NUMBER, number_list

if TYPE_CHECKING:
    from .geometry import Geometry
    from .scan import Scan

# Two grids are the same when no corner of theirs is further apart, in voxels along any axis.
_SAME_PLACE = 0.05
# Headers keep places as 32-bit floats: far from the origin their rounding is added, up to this.
_FLOAT32 = 4 * float(np.finfo(np.float32).eps)
_MOST_ROUNDING = 0.25
# More colours than this are those of a photograph or of blurred edges, not labels.
_MOST_COLOURS = 255
# A label of fewer voxels is taken for noise when most labels are so small.
_TINY = 10
_MANY_TINY = 10


@dataclass(frozen=True)
class Mask:
    """Labels that objects are taken from, on the grid of a scan.

    Attributes
    ----------
    labels : ndarray
        Integers (H, W) or (D, H, W), 0 for background.
    names : mapping of int to str
        Of those labels that the file names.
    notes : tuple of str
        For the user.
    """

    labels: np.ndarray
    names: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def checked_mask(
    path: Path, labels: np.ndarray, scan: Scan, geometry: Geometry | None = None, names: Mapping[int, str] | None = None
) -> Mask:
    """A mask, once its labels are known to be whole numbers on the grid of a scan.

    Labels on the same grid whose axes are stored in another order or direction are turned to the scan's.

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
        When there are other values than whole numbers, or the grid is another: more than a twentieth of a voxel away
        at a corner, beyond what 32-bit floats in headers round.
    """
    whole = _whole_numbers(labels)
    if whole is None:
        raise LiteMedSamError(f"{path}: holds other values than whole numbers, expected labels")
    if geometry is not None and scan.geometry is not None and whole.ndim == 3:
        whole = _on_grid(path, whole, geometry, scan.geometry, scan)
    grids = [scan.grid] if scan.is_volume is not None else [scan.voxels.shape, scan.voxels.shape[:-1]]
    if whole.shape not in grids:
        raise LiteMedSamError(
            f"{path}: has {number_list(whole.shape[::-1])} voxels along x, y, z; the scan {scan.name} has "
            f"{number_list(grids[0][::-1])}",
            "give the mask of this scan, or resample it onto the scan",
        )
    return Mask(whole, names or {}, _noise(path, whole))


def _on_grid(path: Path, labels: np.ndarray, own: Geometry, other: Geometry, scan: Scan) -> np.ndarray:
    """Labels turned from their own grid onto the scan's, or the refusal of another grid."""
    if sorted(labels.shape) != sorted(scan.grid):
        # Refused by the caller.
        return labels
    between = np.linalg.solve(other.affine, own.affine)
    sizes = np.array(labels.shape[::-1])
    order = max(permutations(range(3)), key=lambda axes: sum(abs(between[axes[k], k]) for k in range(3)))
    forward = [between[order[k], k] > 0 for k in range(3)]
    # As it would be if the grids were the same: voxel index of the mask to that of the scan.
    same = np.zeros((3, 4))
    for k in range(3):
        same[order[k], k] = 1 if forward[k] else -1
        same[order[k], 3] = 0 if forward[k] else sizes[k] - 1
    corners = np.array(list(product(*((0, n - 1) for n in sizes))))
    apart = np.abs(np.c_[corners, np.ones(8)] @ (between[:3] - same).T)
    places = np.abs(np.c_[corners, np.ones(8)] @ own.affine[:3].T).max()
    rounding = _FLOAT32 * places / other.spacing.min()
    if apart.max() > _SAME_PLACE + min(rounding, _MOST_ROUNDING):
        raise LiteMedSamError(
            f"{path}: lies {(apart * other.spacing).max():.3g} mm away from the scan {scan.name}; its voxels are "
            f"{_millimetres(own)}, the scan's {_millimetres(other)}",
            "resample the mask onto the scan",
        )
    # Arrays are indexed z, y, x; axis k of the mask becomes axis order[k] of the scan.
    turned: np.ndarray = np.flip(labels, tuple(2 - k for k in range(3) if not forward[k]))
    return turned.transpose([2 - order.index(2 - axis) for axis in range(3)])


def _millimetres(geometry: Geometry) -> str:
    return " × ".join(f"{mm:.4g}" for mm in geometry.spacing) + " mm"


def _noise(path: Path, labels: np.ndarray) -> tuple[str, ...]:
    """A note on a mask most of whose labels cover very few voxels."""
    counts: Counter[int] = Counter()
    for page in labels if labels.ndim == 3 else labels[None]:
        counts.update(dict(zip(*(found.tolist() for found in np.unique(page, return_counts=True)), strict=True)))
        if len(counts) > LARGEST_NUMBER:
            break
    tiny = sum(count < _TINY for number, count in counts.items() if number)
    if tiny < _MANY_TINY or 2 * tiny <= len(counts) - (0 in counts):
        return ()
    text = f"{tiny} of {len(counts) - (0 in counts)} labels cover fewer than {_TINY} voxels"
    return (f"{path}: {text}; labels that were resampled or stored as JPEG hold such noise",)


def label_colours(path: Path, colours: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Labels of a mask in colours.

    Parameters
    ----------
    path : Path
        For messages.
    colours : ndarray
        Integers (H, W, 3) or (D, H, W, 3).

    Returns
    -------
    labels : ndarray
        Without the last axis. Where all colours are shades of grey, their level; else 0 for black, and the other
        colours counted from 1 in the order of red, then green, then blue.
    names : dict of int to str
        Of colours that were counted, such as ``#ff8000``.

    Raises
    ------
    LiteMedSamError
        For more than 255 colours.
    """
    if (colours == colours[..., :1]).all():
        return colours[..., 0], {}
    bits = 8 * colours.dtype.itemsize
    codes = np.zeros(colours.shape[:-1], np.uint64)
    for channel in range(3):
        codes = codes << np.uint64(bits) | colours[..., channel].astype(np.uint64)
    found: np.ndarray = np.zeros(1, np.uint64)
    for page in codes if codes.ndim == 3 else codes[None]:
        found = np.union1d(found, page)
        if len(found) > _MOST_COLOURS + 1:
            raise LiteMedSamError(
                f"{path}: holds more than {_MOST_COLOURS} colours, expected one per label",
                "save the mask as PNG with a palette or in grey, without smooth edges",
            )
    names = {number: f"#{int(code):0{bits * 3 // 4}x}" for number, code in enumerate(found) if number}
    return np.searchsorted(found, codes).astype(np.uint8), names


def mask_of_scan(path: Path, read: Scan, scan: Scan, names: Mapping[int, str] | None = None) -> Mask:
    """What was read as a scan, taken as a mask on the grid of another one; colours become labels, see `label_colours`.

    Raises
    ------
    LiteMedSamError
        See `checked_mask` and `label_colours`.
    """
    labels, names = label_colours(path, read.voxels) if read.coloured else (read.voxels, names)
    mask = checked_mask(path, labels, scan, read.geometry, names)
    return replace(mask, notes=(*read.notes, *mask.notes))


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
