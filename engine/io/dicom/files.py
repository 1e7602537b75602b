"""DICOM files: those of a folder, and bounded loading."""

import mmap
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ....archive import BROKEN, LARGEST_RATIO, LARGEST_UNPACKED, BoundedReader, check_unpacked
from ....errors import LiteMedSamError
from ...system.optional import needed

_PREAMBLE = 128
_META = 0x0002
_INDEX = "DICOMDIR"
_LONGEST_REASON = 160


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its content, or at least by its suffix; False where it cannot be opened."""
    try:
        with open(path, "rb") as file:
            head = file.read(_PREAMBLE + 4)
    except OSError:
        return False
    return looks_like_dicom(head) or path.name.lower().endswith(".dcm")


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes of a file are those of DICOM: the mark after a preamble of 128 bytes."""
    return head[_PREAMBLE : _PREAMBLE + 4] == b"DICM"


def files(folder: Path) -> list[Path]:
    """The files of a folder itself by name, without hidden ones and the index ``DICOMDIR``."""
    entries = (path for path in folder.iterdir() if not path.name.startswith(".") and path.name.upper() != _INDEX)
    return sorted(path for path in entries if path.is_file())


def holds_dicom(folder: Path) -> bool:
    """Whether a folder itself, not those below, holds a DICOM file other than an index."""
    return any(is_dicom(path) for path in files(folder))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """A context that turns the reader's exceptions on a damaged file into a `LiteMedSamError`."""
    errors = needed("pydicom.errors", "dicom")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (*BROKEN, errors.InvalidDicomError, errors.BytesLengthException) as error:
        raise LiteMedSamError(f"{path}: not a DICOM file, or a damaged one ({short_reason(error)})") from error


def short_reason(error: Exception) -> str:
    """The text of an exception, cut to 160 characters."""
    # pydicom quotes the bytes that it complains about.
    text = str(error)
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} …"


def load(path: Path) -> Any:
    """The data set of a file, a ``pydicom.Dataset``.

    Raises
    ------
    LiteMedSamError
        When the file is damaged or unpacks to too much; see `litemedsam.archive.check_unpacked`.
    """
    pydicom = needed("pydicom", "dicom")
    with readable(path):
        _check_deflated(path, pydicom)
        with BoundedReader(path) as file:
            return pydicom.dcmread(file, force=True)


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
