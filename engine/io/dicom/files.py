"""DICOM files: those of a folder, and bounded loading."""

import mmap
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ....archive import BROKEN, LARGEST_RATIO, LARGEST_UNPACKED, BoundedReader, check_unpacked
from ....errors import LiteMedSamError
from ...system.optional import needed

SEGMENTATION = "SEG"
"""Modality of a DICOM SEG."""
_PREAMBLE = 128
_META = 0x0002
_INDEX = "DICOMDIR"
_LONGEST_REASON = 160
# Enough for the first elements of a data set without preamble.
_HEAD = 1024
_IDENTIFYING = 0x0008
# So many elements in their order are no accident.
_ENOUGH = 3
_LONGEST_ELEMENT = 1000
# Types of elements whose length has four bytes.
_LONG_KINDS = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC")


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its content, or at least by its suffix; False where it cannot be opened."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return looks_like_dicom(head) or path.name.lower().endswith(".dcm")


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes of a file are DICOM: the mark after a preamble of 128 bytes, or a data set at once."""
    return head[_PREAMBLE : _PREAMBLE + 4] == b"DICM" or _starts_a_data_set(head)


def _starts_a_data_set(head: bytes) -> bool:
    """Whether bytes are elements of a data set without preamble, in the order of their tags."""
    at, last, found = 0, (0, 0), 0
    while found < _ENOUGH and at + 8 <= len(head):
        tag = struct.unpack_from("<HH", head, at)
        if tag <= last or (not found and tag[0] not in (_META, _IDENTIFYING)):
            return False
        at, length = at + 8, struct.unpack_from("<I", head, at + 4)[0]
        # Explicit elements name their type in two capitals before their length.
        kind = head[at - 4 : at - 2]
        if kind.isalpha() and kind.isupper():
            length = struct.unpack_from("<H", head, at - 2)[0]
        if kind in _LONG_KINDS and at + 4 <= len(head):
            at, length = at + 4, struct.unpack_from("<I", head, at)[0]
        if length > _LONGEST_ELEMENT:
            return False
        at, last, found = at + length, tag, found + 1
    return found == _ENOUGH


def files(folder: Path) -> list[Path]:
    """The files of a folder itself by name, without hidden ones and the index ``DICOMDIR``."""
    entries = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name.upper() != _INDEX)
    return sorted(path for path in entries if path.is_file())


def holds_dicom(folder: Path) -> bool:
    """Whether a folder itself, not those below, holds a DICOM file other than an index."""
    return any(is_dicom(path) for path in files(folder))


def broken() -> tuple[type[Exception], ...]:
    """What pydicom raises for damaged files, sometimes not before an element is looked at."""
    errors = needed("pydicom.errors", "dicom")
    return (*BROKEN, errors.InvalidDicomError, errors.BytesLengthException)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """A context that turns the reader's exceptions on a damaged file into a `LiteMedSamError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except broken() as error:
        raise LiteMedSamError(f"{path}: not a DICOM file, or a damaged one ({short_reason(error)})") from error


def short_reason(error: Exception) -> str:
    """The text of an exception, cut to 160 characters."""
    # pydicom quotes the bytes that it complains about.
    text = str(error)
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} …"


def load(path: Path) -> Any:
    """The data set of a file, a ``pydicom.Dataset``.

    Where the file does not say how it is encoded, that is seen from its elements; the standard's default is implicit
    little endian (PS3.5, 10.1).

    Raises
    ------
    LiteMedSamError
        When the file is damaged or unpacks to too much; see `litemedsam.archive.check_unpacked`.
    """
    pydicom = needed("pydicom", "dicom")
    with readable(path):
        _check_deflated(path, pydicom)
        with BoundedReader(path) as file:
            image = pydicom.dcmread(file, force=True)
        if not image.file_meta.get("TransferSyntaxUID"):
            _name_encoding(path, image, pydicom.uid)
        return image


def _name_encoding(path: Path, image: Any, uid: Any) -> None:
    if "PixelData" in image and image["PixelData"].is_undefined_length:
        raise LiteMedSamError(
            f"{path}: has compressed pixels and no Transfer Syntax UID, which names the kind of compression",
            "export it from the archive again, as a DICOM file with meta information",
        )
    implicit, little = image.original_encoding
    explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
    image.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit


def _check_deflated(path: Path, pydicom: Any) -> None:
    """Refuse a file whose whole data set is packed, and unpacks to too much."""
    size = path.stat().st_size
    if size == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(pydicom.uid.DeflatedExplicitVRLittleEndian.encode()) < 0:
            return
        with BoundedReader(path) as reader:
            pydicom.filereader.read_preamble(reader, force=True)
            meta = pydicom.filereader.read_dataset(reader, False, True, stop_when=lambda tag, *_: tag.group != _META)
            if meta.get("TransferSyntaxUID") != pydicom.uid.DeflatedExplicitVRLittleEndian:
                return
            packed = content[reader.tell() :]
    limit = max(LARGEST_UNPACKED, LARGEST_RATIO * size)
    unpacked = len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit + 1))
    check_unpacked(str(path), unpacked, size)
