"""MetaImage volumes, MHA and MHD: the format of ITK."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...archive import BROKEN
from ...atomic import write_atomically
from ...errors import LiteMedSamError
from ..scan.mask import mask_of_scan
from .rasters import LPS_TO_RAS, Numbers, chosen_frame, colours_last, file_beside, header_of, raster_scan

if TYPE_CHECKING:
    from ..scan.mask import Mask
    from ..scan.scan import Scan

_LAST = "ElementDataFile"
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_WRITTEN = {np.dtype(code): name for name, code in _TYPES.items() if name not in ("MET_LONG", "MET_ULONG")}
# Other names of the same entry.
_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_OFFSET = ("Offset", "Position", "Origin")
_SPACING = ("ElementSpacing", "ElementSize")
_BYTE_ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_MOST_AXES = 4


@dataclass(frozen=True)
class MetaImageOrigin:
    """What results take over from a MetaImage.

    Attributes
    ----------
    axes : int
        2 or 3.
    matrix : ndarray
        float64 (axes, axes), in each row the direction of an axis (LPS).
    offset, spacing : ndarray
        float64 (axes,), in mm; the offset is the centre of the first voxel (LPS).
    """

    axes: int
    matrix: np.ndarray
    offset: np.ndarray
    spacing: np.ndarray


def _entries(path: Path, head: bytes) -> tuple[dict[str, str], int]:
    """The entries of a header, and the byte behind it."""
    entries: dict[str, str] = {}
    at = 0
    while _LAST not in entries:
        end = head.find(b"\n", at)
        line = head[at : end if end >= 0 else len(head)].decode(errors="replace")
        name, found, value = line.partition("=")
        if found:
            entries[name.strip()] = value.strip()
        elif line.strip():
            raise LiteMedSamError(f"{path}: not a MetaImage, or a damaged one (a header line without =)")
        if end < 0:
            break
        at = end + 1
    if _LAST not in entries:
        raise LiteMedSamError(f"{path}: not a MetaImage, or a damaged one (no {_LAST})")
    return entries, at


def _values(entries: dict[str, str], names: Sequence[str], usual: np.ndarray) -> np.ndarray:
    text = next((entries[name] for name in names if name in entries), None)
    if text is None:
        return usual
    values = np.array([float(word) for word in text.split()])
    if values.size != usual.size or not np.isfinite(values).all():
        raise ValueError(f"{names[0]} of {values.size} numbers, expected {usual.size}")
    return values.reshape(usual.shape)


def _flag(entries: dict[str, str], *names: str, usual: bool = False) -> bool:
    text = next((entries[name] for name in names if name in entries), "")
    return text[:1].upper() in ("T", "1", "Y") if text else usual


def _numbers(path: Path, entries: dict[str, str], end: int, sizes: list[int], channels: int) -> Numbers:
    name = entries[_LAST]
    if name.split()[:1] in (["LIST"], [""], []) or "%" in name:
        raise LiteMedSamError(f"{path}: its voxels are in several files, expected one", "save it as .mha")
    local = name.upper() == "LOCAL"
    skipped = int(entries.get("HeaderSize", "0"))
    code = _TYPES.get(entries.get("ElementType", "").removesuffix("_ARRAY"))
    if code is None:
        raise LiteMedSamError(f"{path}: voxels of {entries.get('ElementType')!r}, which is no type of number")
    packing = "gzip" if _flag(entries, "CompressedData") else "raw"
    packing = packing if _flag(entries, "BinaryData", usual=True) else "text"
    start = None if skipped < 0 and packing == "raw" else (end if local else 0) + max(skipped, 0)
    dtype = np.dtype(code).newbyteorder(">" if _flag(entries, *_BYTE_ORDER) else "<")
    return Numbers(path if local else file_beside(path, name), start, dtype, (*sizes[::-1], channels), packing)


class MetaImage:
    """See `litemedsam.engine.io.formats.Format`.

    The x, y, z of a box count along the file's first, second and third axis.
    """

    name = "mha"
    suffixes = (".mha", ".mhd")
    result_suffixes = (".mha",)
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`: ``ObjectType`` or ``NDims`` comes first, perhaps behind a comment."""
        lines = [line.strip() for line in head[:2000].split(b"\n") if not line.startswith(b"Comment")]
        return bool(lines) and lines[0].partition(b"=")[0].strip() in (b"ObjectType", b"NDims") and b"=" in lines[0]

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; two axes are an image, a fourth one counts volumes."""
        try:
            return self._read(path, frame)
        except BROKEN as error:
            raise LiteMedSamError(f"{path}: not a MetaImage, or a damaged one ({error})") from error

    def _read(self, path: Path, frame: int | None) -> Scan:
        entries, end = _entries(path, header_of(path))
        sizes = [int(word) for word in entries.get("DimSize", "").split()]
        axes, channels = int(entries.get("NDims", "0")), int(entries.get("ElementNumberOfChannels", "1"))
        if axes != len(sizes) or not 2 <= axes <= _MOST_AXES:
            raise LiteMedSamError(f"{path}: has the size {sizes} in {axes} dimensions, expected 2 to {_MOST_AXES}")
        matrix = _values(entries, _MATRIX, np.eye(axes))
        offset, spacing = _values(entries, _OFFSET, np.zeros(axes)), _values(entries, _SPACING, np.ones(axes))
        numbers = _numbers(path, entries, end, sizes, channels)
        numbers.check(path)
        chosen = chosen_frame(path, sizes[3] if axes > 3 else 1, frame)
        voxels = colours_last(path, numbers.read(path), channels)
        voxels = voxels[chosen] if axes > 3 else voxels
        origin = MetaImageOrigin(min(axes, 3), matrix[:3, :3], offset[:3], spacing[:3])
        affine = None
        if origin.axes == 3:
            affine = np.eye(4)
            # Each row of the file's matrix is the direction of an axis.
            affine[:3, :3] = origin.matrix.T * origin.spacing
            affine[:3, 3] = origin.offset
            affine = LPS_TO_RAS @ affine
        return raster_scan(path, voxels, affine, origin.spacing, origin)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; one file also where the scan's header is a file of its own."""
        return f"{stem}.mha"

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; a compressed MHA. The format has no place for names."""
        origin = scan.origin if isinstance(scan.origin, MetaImageOrigin) else _origin_of(labels.ndim, scan)
        data = zlib.compress(labels.astype(labels.dtype.newbyteorder("<"), copy=False).tobytes(), 6)
        lines = {
            "ObjectType": "Image",
            "NDims": labels.ndim,
            "BinaryData": True,
            "BinaryDataByteOrderMSB": False,
            "CompressedData": True,
            "CompressedDataSize": len(data),
            "TransformMatrix": _text(origin.matrix.ravel()),
            "Offset": _text(origin.offset),
            "CenterOfRotation": _text(np.zeros(labels.ndim)),
            "ElementSpacing": _text(origin.spacing),
            "DimSize": _text(labels.shape[::-1]),
            "ElementType": _WRITTEN[labels.dtype],
            _LAST: "LOCAL",
        }
        content = "".join(f"{name} = {value}\n" for name, value in lines.items()).encode() + data
        write_atomically(path, lambda file: file.write(content))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`."""
        return mask_of_scan(path, self.read(path), scan)


def _origin_of(axes: int, scan: Scan) -> MetaImageOrigin:
    """Where the result of a scan of another format lies."""
    matrix, offset, spacing = np.eye(axes), np.zeros(axes), np.ones(axes)
    if scan.geometry is not None and axes == 3:
        affine, spacing = LPS_TO_RAS @ scan.geometry.affine, scan.geometry.spacing
        matrix, offset = (affine[:3, :3] / spacing).T, affine[:3, 3]
    elif scan.spacing is not None:
        spacing = np.asarray(scan.spacing, np.float64)[:axes]
    return MetaImageOrigin(axes, matrix, offset, spacing)


def _text(values: Sequence[float] | np.ndarray) -> str:
    """Numbers with all their digits."""
    return " ".join(repr(int(value)) if float(value).is_integer() else repr(float(value)) for value in values)
