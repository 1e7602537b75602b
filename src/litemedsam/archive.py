"""Reads npz files from anyone: checks sizes before unpacking, and never unpickles."""

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from .errors import LiteMedSamError

# Any file may unpack to a mask of a thousand slices of 512 × 512 bytes; a larger file may unpack to more.
LARGEST_UNPACKED = 270_000_000
LARGEST_RATIO = 200

# Exceptions that readers raise on files that break their format. NotImplementedError and RecursionError are
# RuntimeErrors; Pillow's readers raise SyntaxError.
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
    SyntaxError,
    struct.error,
    zlib.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# The compression methods of numpy.savez and numpy.savez_compressed.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


# Starts of files that stand where another file should be, what they are, and what to do.
_DISGUISES = (
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself", "run git lfs pull in its repository"),
    (b"<!doctype html", "a web page instead of the file itself", "download the file itself, not its page"),
    (b"<html", "a web page instead of the file itself", "download the file itself, not its page"),
)


def refuse_disguise(path: Path) -> None:
    """Refuse a file that a download left in place of another: a Git LFS pointer, or a web page.

    Raises
    ------
    LiteMedSamError
        Also when the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    except OSError as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error.strerror or error})") from error
    for start, what, remedy in _DISGUISES:
        if head.startswith(start):
            raise LiteMedSamError(f"{path}: {what}", remedy)


def check_unpacked(what: str, unpacked: int, packed: int) -> None:
    """Refuse a file that would unpack to far more than honest files of its size do.

    Parameters
    ----------
    what : str
        Start of the message, with the file's name.
    unpacked : int
        The size that it declares, in bytes.
    packed : int
        Its own size in bytes.

    Raises
    ------
    LiteMedSamError
        When it would unpack to more than 270 MB and to more than 200 times its own size.
    """
    if unpacked > max(LARGEST_UNPACKED, LARGEST_RATIO * packed):
        raise LiteMedSamError(
            f"{what}: {packed / 1e6:.2f} MB declare {unpacked / 1e6:.0f} MB of data, expected at most "
            f"{LARGEST_RATIO} times the file's size",
            "store it less compressed, or in a smaller number type",
        )


class BoundedReader(io.BufferedReader):
    """A file whose reads are capped at the bytes left, because Python allocates memory for all requested bytes."""

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, size: int | None = -1) -> bytes:
        """See `io.BufferedReader.read`."""
        left = max(self._size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


class Archive:
    """An open npz file; see `open_archive`.

    Attributes
    ----------
    path : Path
    keys : tuple of str
        Names of its arrays.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile):
        self.path = path
        self._file = file
        self._entries = {entry.filename.removesuffix(".npy"): entry for entry in file.infolist()}
        self.keys = tuple(self._entries)
        self._packed = path.stat().st_size
        self._unpacked = 0

    def nbytes(self, key: str) -> int:
        """The size of an array in bytes, as the file declares it."""
        return self._entries[key].file_size

    def read(self, key: str, decode: Callable[[str, bytes], np.ndarray] | None = None) -> np.ndarray:
        """Read an array, one of `keys`.

        Parameters
        ----------
        key : str
        decode : callable, optional
            Called with a text for messages and the bytes of an array of Python objects; must not unpickle them. Such
            arrays are refused when absent.

        Raises
        ------
        LiteMedSamError
            When the entry is damaged, pickled or not an array, or when the bytes read from this file exceed the limit
            of `check_unpacked`.
        """
        entry = self._entries[key]
        where = f"{self.path}: {key}"
        if not entry.filename.endswith(".npy"):
            raise LiteMedSamError(f"{where} is not a NumPy array", "write the file with numpy.savez")
        self._unpacked += entry.file_size
        check_unpacked(where, self._unpacked, self._packed)
        try:
            if entry.compress_type not in _METHODS:
                raise ValueError(f"compression method {entry.compress_type}")
            with self._file.open(entry) as stored:
                pickled = _header(stored, entry.file_size).hasobject
                objects = stored.read() if pickled and decode is not None else b""
            if not pickled:
                with self._file.open(entry) as stored:
                    return np.lib.format.read_array(stored, allow_pickle=False)
        except BROKEN as error:
            raise LiteMedSamError(f"{where} is damaged ({error})", "write the file again") from error
        if decode is not None:
            return decode(where, objects)
        raise LiteMedSamError(
            f"{where} holds pickled Python objects, which are never loaded", "save plain numeric arrays"
        )


def _header(stored: IO[bytes], size: int) -> np.dtype:
    """Check that a stored array's shape fits its size in the file, and return its type."""
    version = np.lib.format.read_magic(stored)
    if version not in _HEADERS:
        raise ValueError(f"format version {version}")
    try:
        shape, _, dtype = _HEADERS[version](stored)
    except MemoryError as error:
        # A header of deeply nested brackets.
        raise ValueError("its header cannot be parsed") from error
    held = size - stored.tell()
    if not dtype.hasobject and (min(shape, default=1) < 0 or math.prod(shape) * dtype.itemsize != held):
        raise ValueError(f"shape {shape} and type {dtype} do not fit {held} bytes")
    if dtype.itemsize == 0:
        raise ValueError(f"type {dtype}")
    return dtype


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an npz file.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Archive

    Raises
    ------
    LiteMedSamError
        When the file cannot be read, is not an npz, or is damaged.
    """
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, EOFError, RuntimeError, struct.error) as error:
        refuse_disguise(path)
        with open(path, "rb") as start:
            single = start.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX
        what = "a single array, expected an npz file" if single else "not an npz file, or a damaged one"
        raise LiteMedSamError(f"{path}: {what}", "write it with numpy.savez") from error
    except OSError as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error.strerror or error})") from error
    with file:
        yield Archive(path, file)
