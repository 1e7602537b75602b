"""NRRD volumes, attached and detached: the format of 3D Slicer."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...archive import BROKEN
from ...atomic import write_atomically
from ...errors import LiteMedSamError
from ..scan.colours import colour
from ..scan.mask import mask_of_scan
from ..system.optional import needed
from .rasters import Numbers, chosen_frame, colours_last, file_beside, header_of, raster_scan

if TYPE_CHECKING:
    from ..scan.mask import Mask
    from ..scan.scan import Scan

_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
_PACKINGS = {
    "raw": "raw",
    **dict.fromkeys(("gzip", "gz"), "gzip"),
    **dict.fromkeys(("bzip2", "bz2"), "bzip2"),
    **dict.fromkeys(("ascii", "text", "txt"), "text"),
}
# What turns each space to right, anterior, superior; "…-time" adds an axis of time.
_SPACES = {
    "right-anterior-superior": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
}
_SHORT = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"}
_MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001, "μm": 0.001, "nm": 1e-6}
_COLOURS = ("rgb-color", "rgba-color", "3-color", "4-color", "vector", "3-vector", "4-vector")
# pynrrd reads these as what they are; of a header only they are looked at, and Slicer's names of segments.
_FIELDS = (
    *("type", "dimension", "sizes", "encoding", "endian", "space", "space dimension", "space directions"),
    *("space origin", "space units", "spacings", "kinds"),
    *("data file", "datafile", "byte skip", "byteskip", "line skip", "lineskip"),
)
_SEGMENT = re.compile(r"Segment(\d{1,6})_(Name|LabelValue|Layer)$")


@dataclass(frozen=True)
class NrrdOrigin:
    """What results take over from an NRRD file.

    Attributes
    ----------
    axes : int
        Of space: 2 or 3.
    space : mapping of str to str
        Lines of the header that say where the axes of space lie.
    segments : mapping of int to str
        Names of labels, as 3D Slicer keeps them.
    """

    axes: int
    space: Mapping[str, str]
    segments: Mapping[int, str]


@dataclass(frozen=True)
class _Header:
    """A header that has been taken apart.

    Attributes
    ----------
    fields : dict of str to object
        As pynrrd gives them.
    texts : dict of str to str
        As the file has them, with the keys of Slicer.
    end : int
        The byte behind it.
    """

    fields: dict[str, Any]
    texts: dict[str, str]
    end: int


def _header(path: Path) -> _Header:
    nrrd = needed("nrrd", "nrrd")
    head = header_of(path)
    found = re.search(rb"\r?\n\r?\n", head)
    end = found.end() if found else len(head)
    lines = head[:end].decode(errors="replace").splitlines()
    texts: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            texts.setdefault(name.strip(), value.removeprefix("=").strip())
    kept = [f"{name}: {texts[name]}" for name in _FIELDS if name in texts]
    try:
        # Numbers beyond any integer are refused by their sizes.
        with np.errstate(invalid="ignore"):
            fields = dict(nrrd.read_header([lines[0], *kept]))
    except (nrrd.NRRDError, StopIteration) as error:
        raise ValueError(str(error)) from error
    return _Header(fields, texts, end)


def _numbers(path: Path, header: _Header) -> Numbers:
    fields = header.fields
    sizes = [int(size) for size in fields.get("sizes", ())]
    if len(sizes) != fields.get("dimension") or not 2 <= len(sizes) <= 5:
        raise LiteMedSamError(f"{path}: has the size {sizes} in {fields.get('dimension')} dimensions, expected 2 to 5")
    code, packing = _TYPES.get(fields.get("type", "")), _PACKINGS.get(str(fields.get("encoding", "")).lower())
    if code is None or packing is None:
        raise LiteMedSamError(
            f"{path}: holds {fields.get('type')!r} in the encoding {fields.get('encoding')!r}, which is not read",
            "save it as numbers, raw or with gzip",
        )
    name = fields.get("data file", fields.get("datafile"))
    if name is not None and (name.split()[:1] == ["LIST"] or "%" in name):
        raise LiteMedSamError(f"{path}: its voxels are in several files, expected one", "save it as one .nrrd")
    if fields.get("line skip", fields.get("lineskip", 0)) != 0:
        raise LiteMedSamError(f"{path}: its voxels begin behind lines to skip, which is not read", "save it anew")
    skipped = int(fields.get("byte skip", fields.get("byteskip", 0)))
    if skipped < -1 or (skipped < 0 and packing != "raw"):
        raise LiteMedSamError(f"{path}: has a byte skip of {skipped} for {packing} voxels", "save it anew")
    big = str(fields.get("endian", "little")).lower() == "big"
    return Numbers(
        path if name is None else file_beside(path, name),
        None if skipped < 0 else header.end if name is None else 0,
        np.dtype(code).newbyteorder(">" if big else "<"),
        tuple(sizes[::-1]),
        packing,
        max(skipped, 0),
    )


def _directions(fields: Mapping[str, Any], axes: int) -> list[np.ndarray | None]:
    """The direction of each axis, in the units of the file's space; None for one that is not in space."""
    given = fields.get("space directions")
    if given is None:
        return [None] * axes
    rows = [None if row is None else np.asarray(row, np.float64) for row in given]
    found = [None if row is None or np.isnan(row).all() else row for row in rows]
    if len(found) != axes:
        raise ValueError(f"{len(found)} space directions for {axes} axes")
    return found


def _axes_of_space(fields: Mapping[str, Any], axes: int) -> list[int]:
    """Which axes lie in space: those with a direction, else those of no other kind."""
    directions = _directions(fields, axes)
    if any(row is not None for row in directions):
        # Of four, as ITK writes a series, the last counts volumes.
        return [k for k in range(axes) if directions[k] is not None][:3]
    kinds = [str(kind).lower() for kind in fields.get("kinds", ())]
    if len(kinds) == axes:
        return [k for k in range(axes) if kinds[k] not in (*_COLOURS, "list", "time", "none")]
    return list(range(min(axes, 3)))


@dataclass(frozen=True)
class _Axes:
    """What the axes of a file are, counted as in its header.

    Attributes
    ----------
    sizes : tuple of int
    space : tuple of int
    colours : tuple of int
        None or one.
    lists : tuple of int
        Those that count volumes.
    """

    sizes: tuple[int, ...]
    space: tuple[int, ...]
    colours: tuple[int, ...]
    lists: tuple[int, ...]

    @classmethod
    def of(cls, path: Path, fields: Mapping[str, Any], sizes: tuple[int, ...]) -> _Axes:
        axes = range(len(sizes))
        space = tuple(_axes_of_space(fields, len(sizes)))
        if len(space) not in (2, 3):
            raise LiteMedSamError(f"{path}: has {len(space)} axes of space, expected 2 or 3")
        kinds = [str(kind).lower() for kind in fields.get("kinds", ())]
        known = len(kinds) == len(sizes)
        colours = [k for k in axes if k not in space and known and kinds[k] in _COLOURS and sizes[k] > 1]
        lists = tuple(k for k in axes if k not in (*space, *colours[:1]))
        return cls(sizes, space, tuple(colours[:1]), lists)

    @property
    def volumes(self) -> int:
        """How many volumes the file holds."""
        return math.prod(self.sizes[k] for k in self.lists)

    def sorted(self, values: np.ndarray) -> np.ndarray:
        """An array whose axes are the file's in reverse, with axes volume, [z,] y, x and, in colour, channel."""
        order = (*self.lists, *self.space[::-1], *self.colours)
        turned = values.transpose([len(self.sizes) - 1 - k for k in order])
        return turned.reshape(self.volumes, *turned.shape[len(self.lists) :])


def _affine(fields: Mapping[str, Any], directions: list[np.ndarray]) -> np.ndarray | None:
    """Voxel index to millimetres (RAS); None where the space has no such directions."""
    space = str(fields.get("space", "")).lower().removesuffix("-time")
    signs = _SPACES.get(_SHORT.get(space.removesuffix("t") if len(space) == 4 else space, space))
    if signs is None or len(directions) != 3 or any(row.size < 3 for row in directions):
        return None
    units = fields.get("space units") or []
    scale = [_MILLIMETRES.get(str(unit).strip('"'), 1.0) for unit in units[:3]] if len(units) >= 3 else [1.0] * 3
    origin = np.asarray(fields.get("space origin", np.zeros(3)), np.float64)
    affine = np.eye(4)
    affine[:3, :3] = np.array([row[:3] for row in directions]).T
    affine[:3, 3] = np.nan_to_num(origin[:3])
    return np.diag([*(sign * mm for sign, mm in zip(signs, scale, strict=True)), 1.0]) @ affine


def _space_lines(header: _Header, axes: Sequence[int]) -> dict[str, str]:
    """The lines of a header that hold for the axes of space alone."""
    texts = header.texts
    lines = {name: texts[name] for name in ("space", "space dimension", "space units", "space origin") if name in texts}
    vectors = re.findall(r"\([^()]*\)|none", texts.get("space directions", ""))
    if vectors:
        lines["space directions"] = " ".join(vectors[k] for k in axes)
    elif "spacings" in texts and len(texts["spacings"].split()) > max(axes):
        lines["spacings"] = " ".join(texts["spacings"].split()[k] for k in axes)
    return lines


def _segments(texts: Mapping[str, str]) -> dict[int, str]:
    parts: dict[str, dict[str, str]] = {}
    for key, value in texts.items():
        if found := _SEGMENT.match(key):
            parts.setdefault(found[1], {})[found[2]] = value
    return {
        int(part["LabelValue"]): part["Name"]
        for part in parts.values()
        if part.get("Name") and part.get("LabelValue", "").isascii() and part.get("LabelValue", "").isdigit()
    }


class Nrrd:
    """See `litemedsam.engine.io.formats.Format`.

    The x, y, z of a box count along the file's axes of space, in their order; colours and lists of volumes are no axes
    of space.
    """

    name = "nrrd"
    suffixes = (".seg.nrrd", ".nrrd", ".nhdr")
    result_suffixes = (".nrrd",)
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return head.startswith(b"NRRD000")

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; two axes of space are an image."""
        try:
            return self._read(path, frame)
        except BROKEN as error:
            raise LiteMedSamError(f"{path}: not an NRRD file, or a damaged one ({error})") from error

    def _read(self, path: Path, frame: int | None) -> Scan:
        header = _header(path)
        fields, numbers = header.fields, _numbers(path, header)
        numbers.check(path)
        axes = _Axes.of(path, fields, numbers.shape[::-1])
        chosen = chosen_frame(path, axes.volumes, frame)
        values = axes.sorted(numbers.read(path))[chosen]
        if axes.colours:
            values = colours_last(path, values, values.shape[-1])
        directions = [row for row in _directions(fields, len(axes.sizes)) if row is not None]
        affine = _affine(fields, directions)
        spacing = np.array([np.linalg.norm(row) for row in directions]) if directions else None
        if spacing is None and "spacings" in fields and len(fields["spacings"]) == len(axes.sizes):
            spacing = np.asarray(fields["spacings"], np.float64)[list(axes.space)]
        origin = NrrdOrigin(len(axes.space), _space_lines(header, axes.space), _segments(header.texts))
        return raster_scan(path, values, affine, spacing, origin)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; one file also where the scan's header is a file of its own."""
        return f"{stem}.nrrd"

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; compressed with gzip, and with the names as 3D Slicer keeps those of segments."""
        origin = scan.origin
        space = origin.space if isinstance(origin, NrrdOrigin) else _space_of(labels.ndim, scan)
        lines = [
            "NRRD0005",
            f"type: {labels.dtype}",
            f"dimension: {labels.ndim}",
            f"sizes: {' '.join(str(size) for size in labels.shape[::-1])}",
            "kinds:" + " domain" * labels.ndim,
            "endian: little",
            "encoding: gzip",
            *(f"{name}: {value}" for name, value in space.items()),
        ]
        for k, name in enumerate(names):
            if name:
                red, green, blue = (part / 255 for part in colour(k + 1))
                lines += [
                    f"Segment{k}_ID:=Segment_{k + 1}",
                    f"Segment{k}_Name:={' '.join(name.split())}",
                    f"Segment{k}_LabelValue:={k + 1}",
                    f"Segment{k}_Layer:=0",
                    f"Segment{k}_Color:={red:.6g} {green:.6g} {blue:.6g}",
                ]
        packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        data = labels.astype(labels.dtype.newbyteorder("<"), copy=False).tobytes()
        text = ("\n".join(lines) + "\n\n").encode(errors="replace")
        content = text + packer.compress(data) + packer.flush()
        write_atomically(path, lambda file: file.write(content))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; with the names of 3D Slicer's segments."""
        read = self.read(path)
        return mask_of_scan(path, read, scan, read.origin.segments)


def _space_of(axes: int, scan: Scan) -> dict[str, str]:
    """Where the result of a scan of another format lies."""
    if scan.geometry is not None and axes == 3:
        affine = scan.geometry.affine
        vectors = [f"({','.join(_number(value) for value in vector)})" for vector in affine[:3].T]
        return {
            "space": "right-anterior-superior",
            "space directions": " ".join(vectors[:3]),
            "space origin": vectors[3],
        }
    if scan.spacing is not None:
        return {"spacings": " ".join(_number(value) for value in scan.spacing[:axes])}
    return {}


def _number(value: float) -> str:
    """A number with all its digits."""
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
