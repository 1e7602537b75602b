"""The pages of a picture file: opened within bounds, turned as they are shown."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, FileIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from ...archive import BROKEN, BoundedReader, check_unpacked
from ...errors import LiteMedSamError
from ..system.optional import needed
from .deep_pictures import DeepPages, double_pages
from .hyperstacks import DESCRIPTION, check_pages, described

# Pillow's modes of one channel, whose values are taken as they are.
_GREY = ("L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
# Bytes of a pixel in memory; of others, four.
_DEPTHS = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
# What Pillow keeps of each row besides its pixels.
_ROW_BYTES = 16
# No other formats: some of them run programs.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_TIFF_STARTS = (b"II", b"MM")
_JPEG_START = b"\xff\xd8"
# By how much Pillow multiplies values of two and four bits.
_MULTIPLIED = {"2": 85, "4": 17}
_ORIENTATION, _PHOTOMETRIC, _SAMPLE_FORMAT, _SIGNED = 274, 262, 339, 2


@dataclass(frozen=True)
class Page:
    """A page as Pillow reads it, turned as it is shown, and how the file stores it.

    Attributes
    ----------
    picture : PIL.Image.Image
    raw : str
        Pillow's name for the layout of the stored values.
    deep : ndarray or None
        uint16 (H, W, 3) or (H, W, 4), of colours that Pillow cuts to eight bits.
    inverted : bool
        Whether high values are dark, where Pillow has not turned them.
    signed : bool
        Whether its bytes have a sign, which Pillow does not know.
    """

    picture: Any
    raw: str
    deep: np.ndarray | None = None
    inverted: bool = False
    signed: bool = False

    @property
    def odd_background(self) -> list[str]:
        """The colour of a palette's first entry where it is not black, for the user; programs may have sorted it."""
        if self.picture.mode != "P":
            return []
        red, green, blue = (self.picture.getpalette("RGB") or [0, 0, 0])[:3]
        return [f"#{red:02x}{green:02x}{blue:02x}"] if red or green or blue else []

    def values(self) -> np.ndarray:
        """(H, W) of a page of one channel, in the type of the file."""
        values = np.array(self.picture)
        if self.signed and values.dtype == np.uint8:
            return values.view(np.int8)
        return values.view(np.uint32) if self.raw == "I;32N" and values.dtype == np.int32 else values

    def pixels(self) -> np.ndarray:
        """The page as an image.

        Returns
        -------
        ndarray
            (H, W) of the picture's own depth, or uint8 or uint16 (H, W, 3); palettes become colours, transparency is
            left aside.
        """
        if self.deep is not None:
            colours = self.deep[..., :3]
            grey = self.raw.startswith("LA") and (colours == colours[..., :1]).all()
            return colours[..., 0] if grey else colours
        mode = self.picture.mode
        if mode in _GREY:
            return self.values()
        return np.array(self.picture.convert("L" if mode in ("1", "LA", "La") else "RGB"))

    def labels(self) -> np.ndarray:
        """The page as a mask.

        Returns
        -------
        ndarray
            (H, W) of numbers, those of a palette its indices; or uint8 or uint16 (H, W, 3) of colours, black where the
            page is transparent.
        """
        mode = self.picture.mode
        if mode == "P":
            return np.array(self.picture)
        if mode == "L" and self.raw.startswith("L;"):
            return self.values() // _MULTIPLIED.get(self.raw[2], 1)
        found = self.pixels()
        if mode in ("LA", "La", "RGBA", "RGBa", "PA"):
            found = found.copy()
            found[np.array(self.picture.getchannel("A")) == 0] = 0
        return found


@dataclass(frozen=True)
class Pages:
    """What a picture file holds.

    Attributes
    ----------
    arrays : list of ndarray
        Each (H, W) or (H, W, 3).
    format : str
        ``PNG``, ``JPEG``, ``TIFF`` or ``BMP``.
    inverted : bool
        Whether high values are dark.
    notes : tuple of str
        For the user.
    """

    arrays: list[np.ndarray]
    format: str
    inverted: bool = False
    notes: tuple[str, ...] = ()


def read_pages(path: Path, frame: int | None, wanted: Callable[[Page], np.ndarray]) -> Pages:
    """Read the pages of a picture file.

    Parameters
    ----------
    path : Path
    frame : int or None
        A page of a TIFF, or a picture of a JPEG that holds several; when None, all pages of a TIFF, and the first
        picture of a JPEG.
    wanted : callable
        `Page.pixels` or `Page.labels`.

    Returns
    -------
    Pages

    Raises
    ------
    LiteMedSamError
        For files that are damaged, too large, or of a kind that is not read, and for hyperstacks; see `check_pages`.
    """
    with warnings.catch_warnings():
        # Odd metadata do not concern the user.
        warnings.simplefilter("ignore")
        return _opened(path, frame, wanted)


def _opened(path: Path, frame: int | None, wanted: Callable[[Page], np.ndarray]) -> Pages:
    pillow = needed("PIL.Image", "images")
    try:
        with _opened_within(path) as content, pillow.open(content, formats=_FORMATS) as file:
            return _read(path, file, frame, wanted)
    except pillow.DecompressionBombError as error:
        raise LiteMedSamError(f"{path}: too large a picture ({error})", "cut it into parts") from error
    except BROKEN as error:
        try:
            head = path.read_bytes()[:2]
            if head in _TIFF_STARTS:
                arrays, inverted = double_pages(path, frame)
                return Pages(arrays, "TIFF", inverted)
            deep = head == _JPEG_START and _is_deep_jpeg(path)
        except BROKEN:
            # The first reason is the better one.
            deep = False
        if deep:
            raise LiteMedSamError(
                f"{path}: a JPEG of 12 bits, which is not read", "save it as PNG of 16 bits"
            ) from error
        reason = "no header of a known kind" if isinstance(error, pillow.UnidentifiedImageError) else error
        raise LiteMedSamError(f"{path}: not a picture, or a damaged one ({reason})") from error


def _read(path: Path, file: Any, frame: int | None, wanted: Callable[[Page], np.ndarray]) -> Pages:
    kind = "JPEG" if file.format == "MPO" else file.format
    notes: tuple[str, ...] = ()
    chosen: Iterable[int] = _every_page(file)
    if frame is not None or kind == "JPEG":
        pages = getattr(file, "n_frames", 1)
        if frame is not None and not 0 <= frame < pages:
            raise LiteMedSamError(f"{path}: has no page {frame}, expected 0 to {pages - 1}")
        chosen = [frame or 0]
        if frame is None and pages > 1:
            notes = (f"{path}: holds {pages} pictures, the first is taken; choose another with --frame",)
    elif described(description := getattr(file, "tag_v2", {}).get(DESCRIPTION)):
        colours = len(file.getbands()) if file.mode.startswith("RGB") else 1
        check_pages(path, description, file.n_frames, colours)
    arrays: list[np.ndarray] = []
    sizes: list[int] = []
    inverted, deep_pages = False, DeepPages(path)
    for number in chosen:
        file.seek(number)
        depth = 8 if loses_depth(file) else _DEPTHS.get(file.mode, 4)
        sizes.append(file.height * (file.width * depth + _ROW_BYTES))
        # A page is held four times while it is turned and converted.
        check_unpacked(str(path), sum(sizes) + 3 * max(sizes), path.stat().st_size)
        page = _page(file, number, deep_pages)
        inverted = page.inverted
        arrays.append(wanted(page))
    return Pages(arrays, kind, inverted, notes)


def _opened_within(path: Path) -> BufferedReader:
    """The file, bounded where it is no TIFF: of others, Pillow asks for as many bytes as a chunk declares."""
    with open(path, "rb") as file:
        tiff = file.read(2) in _TIFF_STARTS
    return BufferedReader(FileIO(path)) if tiff else BoundedReader(path)


def _every_page(file: Any) -> Iterator[int]:
    """The numbers of a file's pages; counting them first would read their directories twice."""
    for number in count():
        try:
            file.seek(number)
        except EOFError:
            return
        yield number


def _layout(file: Any) -> str:
    arguments = file.tile[0][3] if file.tile else ""
    return str(arguments if isinstance(arguments, str) else arguments[0] if arguments else "")


def loses_depth(file: Any) -> bool:
    """Whether Pillow cuts the colours of a page that is not loaded yet from 16 bits to eight."""
    return file.mode not in _GREY and ";16" in _layout(file)


def _page(file: Any, number: int, deep_pages: DeepPages) -> Page:
    operations = needed("PIL.ImageOps", "images")
    raw, deep = _layout(file), loses_depth(file)
    tags = getattr(file, "tag_v2", {})
    inverted = tags.get(_PHOTOMETRIC) == 0 and (file.mode == "F" or file.mode.startswith("I"))
    kinds = tags.get(_SAMPLE_FORMAT, ())
    signed = _SIGNED in (kinds if isinstance(kinds, tuple) else (kinds,))
    orientation = 1 if tags else file.getexif().get(_ORIENTATION, 1)
    picture = operations.exif_transpose(file)
    if not deep:
        return Page(picture, raw, inverted=inverted, signed=signed)
    shown = picture.convert("RGBA") if picture.mode in ("LA", "La", "RGBA", "RGBa") else picture.convert("RGB")
    turned = orientation if orientation in range(1, 9) else 1
    return Page(picture, raw, deep_pages.page(number, np.array(shown), turned))


def _is_deep_jpeg(path: Path) -> bool:
    """Whether a JPEG's frame header, behind segments of two bytes of mark and two of length, says 12 bits."""
    content, at = path.read_bytes(), 2
    while at + 5 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in (0xC0, 0xC1, 0xC2):
            return content[at + 4] == 12
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return False
