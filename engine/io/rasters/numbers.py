"""What NRRD and MetaImage have in common: a text header, and numbers behind it or in a file beside it."""

from __future__ import annotations

import bz2
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....archive import check_unpacked
from ....errors import LiteMedSamError
from ...scan.geometry import Geometry
from ...scan.scan import Scan
from ...system.resources import require_memory

_LONGEST_HEADER = 1_000_000
_LONGEST_VALUE = 100
# Both formats count millimetres towards left, posterior, superior unless they say otherwise.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def header_of(path: Path) -> bytes:
    """The first megabyte of a file, in which its header has to end."""
    with open(path, "rb") as file:
        return file.read(_LONGEST_HEADER)


def shortened(value: object) -> str:
    """A value of a header as it would be typed, cut to what fits into a message."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} …"


def file_beside(path: Path, name: str) -> Path:
    """The file of numbers that a header names.

    Parameters
    ----------
    path : Path
        Of the header.
    name : str
        As the header has it.

    Raises
    ------
    LiteMedSamError
        When it lies outside the header's folder, also through a link, or does not exist.
    """
    folder = path.parent.resolve()
    data = (folder / name.replace("\\", "/")).resolve()
    if not data.is_relative_to(folder) or data == path.resolve():
        raise LiteMedSamError(
            f"{path}: names the file {shortened(name)} for its voxels, expected one in the same folder",
            "put both into one folder",
        )
    if not data.is_file():
        raise LiteMedSamError(f"{path}: its voxels are in {shortened(name)}, which is not beside it", "copy both files")
    return data


def _gunzipped(content: bytes, nbytes: int) -> bytes:
    # gzip and zlib, told apart by the first bytes.
    return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, nbytes)


def _bunzipped(content: bytes, nbytes: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(content, nbytes)


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "raw": lambda content, nbytes: content[:nbytes],
    "gzip": _gunzipped,
    "bzip2": _bunzipped,
}


@dataclass(frozen=True)
class Numbers:
    """Where the numbers of a raster are, and how they are stored.

    Attributes
    ----------
    file : Path
    start : int or None
        The byte at which they begin; None for those at the end of the file.
    dtype : numpy.dtype
        With byte order.
    shape : tuple of int
        As of an array: the axis that changes fastest comes last.
    packing : str
        ``raw``, ``gzip``, ``bzip2`` or ``text``.
    skipped : int
        Bytes before the numbers, once unpacked.
    """

    file: Path
    start: int | None
    dtype: np.dtype
    shape: tuple[int, ...]
    packing: str = "raw"
    skipped: int = 0

    @property
    def nbytes(self) -> int:
        """Of the numbers in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def check(self, path: Path) -> None:
        """Refuse empty shapes and numbers that are too many for the file or for the memory.

        Raises
        ------
        LiteMedSamError
        """
        if not self.shape or min(self.shape) < 1:
            raise LiteMedSamError(f"{path}: has the size {shortened(self.shape[::-1])}, expected positive numbers")
        check_unpacked(str(path), self.nbytes + max(self.skipped, 0), self.file.stat().st_size)
        require_memory(str(path), self.nbytes)

    def read(self, path: Path) -> np.ndarray:
        """The numbers, in this machine's byte order; `check` comes before.

        Raises
        ------
        ValueError, zlib.error, OSError
            When they are fewer than declared, or damaged.
        """
        with open(self.file, "rb") as file:
            if self.start is None:
                file.seek(max(self.file.stat().st_size - self.nbytes, 0))
            else:
                file.seek(self.start)
            content = file.read()
        if self.packing == "text":
            words = content.split(maxsplit=math.prod(self.shape))[: math.prod(self.shape)]
            values = np.array(words, self.dtype.newbyteorder("=") if words else self.dtype)
        else:
            whole = _UNPACKERS[self.packing](content, self.nbytes + self.skipped)[self.skipped :]
            if len(whole) < self.nbytes:
                raise ValueError(f"{len(whole)} bytes of voxels, expected {self.nbytes}")
            values = np.frombuffer(whole, self.dtype)
        return values.reshape(self.shape).astype(self.dtype.newbyteorder("="), copy=False)


def chosen_frame(path: Path, frames: int, frame: int | None) -> int:
    """The index of a time point among some; the only one when `frame` is None.

    Raises
    ------
    LiteMedSamError
    """
    if frame is None and frames > 1:
        raise LiteMedSamError(
            f"{path}: holds {frames} volumes",
            f"choose one with --frame 0 to {frames - 1}; save a mask as one label map",
        )
    if frame is not None and not 0 <= frame < frames:
        raise LiteMedSamError(f"{path}: has no frame {frame}, expected 0 to {frames - 1}")
    return frame or 0


def raster_scan(
    path: Path, voxels: np.ndarray, affine: np.ndarray | None, spacing: np.ndarray | None, origin: Any
) -> Scan:
    """A scan of voxels (H, W) or (D, H, W), with or without colours.

    Parameters
    ----------
    path : Path
    voxels : ndarray
        A last axis of 3 or 4 beyond the axes of `spacing` are colours; the fourth is left aside.
    affine : ndarray or None
        float64 (4, 4), voxel index to millimetres (RAS), of a volume whose place is known.
    spacing : ndarray or None
        float64, one per axis of space; None where none is stated.
    origin : object

    Raises
    ------
    LiteMedSamError
        For a geometry without an inverse.
    """
    geometry = None if affine is None else Geometry(affine)
    if geometry is not None and not (np.isfinite(geometry.affine).all() and geometry.voxel_volume > 0):
        raise LiteMedSamError(f"{path}: its directions and spacing have no inverse", "repair the header")
    if spacing is not None and not (np.isfinite(spacing).all() and (spacing > 0).all()):
        spacing = None
    return Scan(
        str(path),
        voxels,
        is_volume=origin.axes == 3,
        geometry=geometry,
        spacing=geometry.spacing if geometry is not None else spacing,
        origin=origin,
    )


def colours_last(path: Path, voxels: np.ndarray, channels: int) -> np.ndarray:
    """Voxels whose last axis is of 3 or 4 channels of colour, without a fourth, or of one, without the axis.

    Raises
    ------
    LiteMedSamError
        For other numbers of channels, and for colours that are no bytes.
    """
    if channels == 1:
        return voxels[..., 0]
    if channels not in (3, 4) or voxels.dtype != np.uint8:
        raise LiteMedSamError(
            f"{path}: holds {channels} values of {voxels.dtype} per voxel, expected one, or three bytes of colour",
            "save one of them",
        )
    return np.ascontiguousarray(voxels[..., :3])
