"""Pictures that Pillow would cut to eight bits or cannot read; OpenCV decodes them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ...archive import check_unpacked
from ...errors import LiteMedSamError
from ..system.optional import needed
from .hyperstacks import DESCRIPTION, check_pages

_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_LARGEST_TILE = 1 << 20
# Where each pass of an interlaced PNG begins, and its steps, along x and y.
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _FORMAT = 256, 257, 258, 262, 277, 339
_UNSIGNED, _SIGNED, _FLOATS = 1, 2, 3
_FORMATS = {_UNSIGNED: "unsigned integers", _SIGNED: "signed integers", _FLOATS: "floats"}
_MIN_IS_WHITE, _MIN_IS_BLACK = 0, 1
_MOST_PAGES = 100_000
_TIFF_STARTS = (b"II", b"MM")
# What turns a picture as it is shown, by EXIF's orientation.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


class DeepPages:
    """The pages of a picture at their full depth.

    Parameters
    ----------
    path : Path
        A PNG, or a TIFF whose pages Pillow reads.
    """

    def __init__(self, path: Path):
        self._path = path

    @cached_property
    def _content(self) -> np.ndarray:
        content = self._path.read_bytes()
        return np.frombuffer(content if self._tiff(content) else _clean_png(content), np.uint8)

    @cached_property
    def _checked_pages(self) -> int:
        pages = 0
        for directory in _directories(self._path):
            _check_tiles(self._path, directory)
            pages += 1
        return pages

    def _tiff(self, content: bytes) -> bool:
        return content[:2] in _TIFF_STARTS

    def page(self, number: int, shown: np.ndarray, orientation: int) -> np.ndarray:
        """A page of colours.

        Parameters
        ----------
        number : int
            In a TIFF; 0 in a PNG.
        shown : ndarray
            uint8 (H, W, 3) or (H, W, 4), the page as Pillow reads it, turned as it is shown.
        orientation : int
            As EXIF counts it, of a PNG; 1 for a TIFF, whose pages OpenCV turns itself.

        Returns
        -------
        ndarray
            uint16 of the shape of `shown`.

        Raises
        ------
        LiteMedSamError
            When OpenCV does not read the same picture.
        """
        pages = None
        if self._tiff(self._content[:2].tobytes()) and number < self._checked_pages:
            pages = (number, number + 1)
        found = _decoded(self._content, pages)
        if found is not None and found[0].ndim == 3 and found[0].shape[2] in (3, 4):
            # OpenCV puts blue first.
            colours = found[0][..., [2, 1, 0, 3][: found[0].shape[2]]]
            deep = _TURNS[orientation](colours)[..., : shown.shape[2]]
            if deep.dtype == np.uint16 and deep.shape == shown.shape and (deep[..., :3] >> 8 == shown[..., :3]).all():
                return np.ascontiguousarray(deep)
        raise LiteMedSamError(
            f"{self._path}: its colours of 16 bits are stored in a way that is not read", "save it as PNG"
        )


def _clean_png(content: bytes) -> bytes:
    """A PNG with the same pixels, whose chunks are of the length that they declare, as OpenCV believes any length.

    Raises
    ------
    ValueError, zlib.error, struct.error
        When the pixels are not complete.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    pixel = {0: 1, 2: 3, 4: 2, 6: 4}[colour] * depth // 8
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    needed_bytes = sum(high * (1 + wide * pixel) for wide, high in sizes if wide > 0 and high > 0)
    packed, at = bytearray(), 8
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind == b"IDAT":
            packed += content[at + 8 : at + 8 + length]
        at += 12 + length
    rows = zlib.decompressobj().decompress(bytes(packed), needed_bytes)
    if len(rows) < needed_bytes:
        raise ValueError(f"{len(rows)} bytes of pixels, expected {needed_bytes}")
    chunks = ((b"IHDR", content[16:29]), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return content[:8] + b"".join(parts)


def _check_tiles(path: Path, directory: Any) -> None:
    """Refuse tiles far larger than their page, which would be held whole."""
    tile = _number(directory, _TILE_WIDTH, 0) * _number(directory, _TILE_HEIGHT, 0)
    page = _number(directory, _WIDTH, 0) * _number(directory, _HEIGHT, 0)
    if tile > _LARGEST_TILE + 4 * page:
        raise LiteMedSamError(f"{path}: tiles of {tile} pixels for a page of {page}", "save it without tiles")


def _decoded(content: np.ndarray, pages: tuple[int, int] | None) -> list[np.ndarray] | None:
    import cv2

    logging = cv2.utils.logging
    level = logging.getLogLevel()
    try:
        # Reasons for a refusal come from here, not from the library's own log.
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        if pages is None:
            picture = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
            return None if picture is None else [picture]
        whole, found = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED, range=pages)
    except cv2.error:
        return None
    finally:
        logging.setLogLevel(level)
    return list(found) if whole and len(found) == pages[1] - pages[0] else None


def _directories(path: Path) -> Iterator[Any]:
    """The directories of tags of a TIFF, one per page."""
    plugin = needed("PIL.TiffImagePlugin", "images")
    file = BytesIO(path.read_bytes())
    big = file.getvalue()[2:3] == b"+" or file.getvalue()[3:4] == b"+"
    directory = plugin.ImageFileDirectory_v2(file.read(16 if big else 8))
    seen: set[int] = set()
    while directory.next and directory.next not in seen and len(seen) < _MOST_PAGES:
        seen.add(directory.next)
        file.seek(directory.next)
        directory.load(file)
        yield directory


def _number(directory: Any, tag: int, usual: int) -> int:
    value = directory.get(tag, usual)
    return int(value[0] if isinstance(value, tuple) else value)


@dataclass(frozen=True)
class _Kind:
    """What the pixels of a TIFF's page are."""

    bits: int
    numbers: int
    samples: int
    shown: int

    @classmethod
    def of(cls, directory: Any) -> _Kind:
        return cls(
            _number(directory, _BITS, 1),
            _number(directory, _FORMAT, 1),
            _number(directory, _SAMPLES, 1),
            _number(directory, _PHOTOMETRIC, _MIN_IS_BLACK),
        )

    @property
    def double(self) -> bool:
        return (self.bits, self.numbers, self.samples) == (64, _FLOATS, 1) and self.shown in (
            _MIN_IS_WHITE,
            _MIN_IS_BLACK,
        )

    @property
    def usual(self) -> bool:
        """Whether Pillow reads such pages."""
        if self.numbers == _UNSIGNED:
            return self.samples in (1, 3, 4) and self.bits <= 32 and (self.samples == 1 or self.bits <= 16)
        bits = (8, 16, 32) if self.numbers == _SIGNED else (32,)
        return self.samples == 1 and self.bits in bits and (self.numbers != _SIGNED or self.shown == _MIN_IS_BLACK)

    def __str__(self) -> str:
        channels = "1 channel" if self.samples == 1 else f"{self.samples} channels"
        return f"{channels} of {self.bits}-bit {_FORMATS.get(self.numbers, 'numbers')}"


def double_pages(path: Path, frame: int | None) -> tuple[list[np.ndarray], bool]:
    """The pages of a TIFF of doubles, or the refusal of one that nothing here reads.

    Parameters
    ----------
    path : Path
        A TIFF that Pillow does not know.
    frame : int or None
        A page; all of them when None.

    Returns
    -------
    pages : list of ndarray
        float64 (H, W).
    inverted : bool
        Whether high values are dark.

    Raises
    ------
    LiteMedSamError
        For other kinds of numbers and for several channels, which it names, and for hyperstacks.
    ValueError
        For damaged files.
    """
    nbytes, description = 0, None
    kinds: list[_Kind] = []
    for directory in _directories(path):
        kind = _Kind.of(directory)
        if _WIDTH not in directory or _HEIGHT not in directory:
            raise ValueError("a page without a size")
        if not (kind.double or kind.usual):
            raise LiteMedSamError(
                f"{path}: page {len(kinds)} has {kind}, which is not read",
                "save it with one channel, or three of colour, of 8 or 16 bits without a sign or 32-bit floats",
            )
        _check_tiles(path, directory)
        nbytes += 8 * _number(directory, _WIDTH, 0) * _number(directory, _HEIGHT, 0)
        check_unpacked(str(path), nbytes, path.stat().st_size)
        description = directory.get(DESCRIPTION) if not kinds else description
        kinds.append(kind)
    if not any(kind.double for kind in kinds):
        raise ValueError("no page of doubles")
    if len(set(kinds)) > 1:
        raise LiteMedSamError(f"{path}: its pages differ in kind of pixel", "save those of one kind")
    if frame is None:
        check_pages(path, description, len(kinds), 1)
    elif not 0 <= frame < len(kinds):
        raise LiteMedSamError(f"{path}: has no page {frame}, expected 0 to {len(kinds) - 1}")
    content = np.fromfile(path, np.uint8)
    found = _decoded(content, (0, len(kinds)) if frame is None else (frame, frame + 1))
    if found is None or any(page.ndim != 2 or page.dtype != np.float64 for page in found):
        raise ValueError("damaged doubles")
    return found, kinds[0].shown == _MIN_IS_WHITE
