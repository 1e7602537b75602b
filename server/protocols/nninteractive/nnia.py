"""Arrays as nnInteractive's clients send them: a header, then parts that Blosc2 has compressed."""

from __future__ import annotations

import struct
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ....errors import LiteMedSamError

if TYPE_CHECKING:
    from types import ModuleType

_MAGIC, _VERSION = b"NNIA", 1
# Of the header: Zstandard is 1, LZ4 is 2.
_ZSTD, _CODECS = 1, (1, 2)
_TYPES = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
_TYPES += ("float16", "float32", "float64")
_MOST_AXES, _LONGEST_AXIS = 4, 1_000_000
_LARGEST_PART = 1 << 30
_SPEED = 1


def blosc() -> ModuleType:
    """Blosc2's module.

    Raises
    ------
    LiteMedSamError
        When it is not installed.
    """
    try:
        return import_module("blosc2")
    except ImportError as error:
        raise LiteMedSamError(
            "nnInteractive's arrays need blosc2 on the server", "pip install 'litemedsam[serve-nninteractive]'"
        ) from error


class _Header:
    """Reads numbers from the start of a body, and refuses to read beyond its end."""

    def __init__(self, body: bytes):
        self.body = body
        self.at = 0

    def take(self, form: str) -> tuple[int, ...]:
        size = struct.calcsize(form)
        return struct.unpack(form, self.bytes(size))

    def bytes(self, size: int) -> bytes:
        if size > len(self.body) - self.at:
            raise LiteMedSamError(f"the array ends after {len(self.body)} bytes", "send it again")
        self.at += size
        return self.body[self.at - size : self.at]


def unpack(body: bytes, most_bytes: int) -> np.ndarray:
    """The array in a body.

    Parameters
    ----------
    body : bytes
    most_bytes : int
        The largest array that is accepted.

    Returns
    -------
    ndarray
        Of at most four axes, bool or numbers.

    Raises
    ------
    LiteMedSamError
        For anything else; sizes are checked before memory is taken.
    """
    header = _Header(body)
    if header.bytes(len(_MAGIC)) != _MAGIC:
        raise LiteMedSamError("the body is no array, expected one that begins with NNIA")
    version, codec, axes, letters = header.take("<4B")
    if version != _VERSION or codec not in _CODECS:
        raise LiteMedSamError(f"an array of version {version} and codec {codec}, expected version 1 and codec 1 or 2")
    if axes > _MOST_AXES:
        raise LiteMedSamError(f"an array of {axes} axes, expected at most {_MOST_AXES}")
    name = header.bytes(letters).decode("ascii", "replace")
    if name not in _TYPES:
        raise LiteMedSamError(f"an array of type {name[:20]!r}, expected one of: {', '.join(_TYPES)}")
    shape = header.take(f"<{axes}q")
    if not all(0 <= side <= _LONGEST_AXIS for side in shape):
        raise LiteMedSamError(f"an array of shape {shape}, expected numbers from 0 to {_LONGEST_AXIS}")
    dtype = np.dtype(name)
    size = prod(shape) * dtype.itemsize
    if size > most_bytes:
        raise LiteMedSamError(f"an array of {size / 1e6:.0f} MB, expected at most {most_bytes / 1e6:.0f} MB")
    levels = _unpacked(header, size, dtype.itemsize)
    found: np.ndarray = levels.view(dtype).reshape(shape)
    return found


def _unpacked(header: _Header, size: int, itemsize: int) -> np.ndarray:
    """All parts, uint8 (size,)."""
    library = blosc()
    (count,) = header.take("<I")
    parts, total = [], 0
    for _ in range(count):
        raw, packed = header.take("<2Q")
        part = header.bytes(packed)
        total += raw
        if not 0 < raw <= _LARGEST_PART or raw % itemsize or total > size or _declared(library, part) != raw:
            raise LiteMedSamError(f"a part of {raw} bytes in an array of {size}, which its own header contradicts")
        parts.append((raw, part))
    if total != size:
        raise LiteMedSamError(f"parts of {total} bytes in all, expected the array's {size}")
    whole, at = np.zeros(size, np.uint8), 0
    for raw, part in parts:
        try:
            library.decompress2(part, dst=whole[at : at + raw])
        except (RuntimeError, ValueError, TypeError) as error:
            raise LiteMedSamError("a part of the array is damaged", "send it again") from error
        at += raw
    return whole


def _declared(library: ModuleType, part: bytes) -> int:
    """The number of bytes that a part says it unpacks to; −1 for what is no part."""
    try:
        raw, packed, _ = library.get_cbuffer_sizes(part)
    except (RuntimeError, ValueError, TypeError):
        return -1
    return int(raw) if packed == len(part) else -1


def pack(array: np.ndarray) -> bytes:
    """A body that holds an array of at most four axes, bool or numbers."""
    library = blosc()
    array = np.ascontiguousarray(array)
    name = array.dtype.name.encode()
    header = struct.pack("<4B", _VERSION, _ZSTD, array.ndim, len(name)) + name
    levels = array.reshape(-1).view(np.uint8).data
    body = [_MAGIC, header, struct.pack(f"<{array.ndim}q", *array.shape)]
    starts = range(0, len(levels), _LARGEST_PART)
    body.append(struct.pack("<I", len(starts)))
    for start in starts:
        part = levels[start : start + _LARGEST_PART]
        # The size of an element must divide the part, else Blosc2 writes even parts that it cannot read.
        packed = library.compress2(
            part, typesize=array.dtype.itemsize, codec=library.Codec.ZSTD, clevel=_SPEED, filters=[]
        )
        body += [struct.pack("<2Q", len(part), len(packed)), packed]
    return b"".join(body)
