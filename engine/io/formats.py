"""Which format a file has, told by its content; the one interface that all formats share."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import LiteMedSamError
from ..scan.scan import Scan
from .dicom.format import Dicom
from .image import Image
from .nifti import Nifti
from .npz import Npz
from .slices import Slices

_HEAD = 4096


class Format(Protocol):
    """One kind of file.

    Attributes
    ----------
    name : str
    suffixes : tuple of str
        Of its files, lower case; only used to list folders and where the content says nothing.
    """

    name: str
    suffixes: tuple[str, ...]

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether a file that starts with `head`, or a folder (`head` is empty then), is of this kind."""
        ...

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """Read a scan; of several time points the one with index `frame`.

        Raises
        ------
        LiteMedSamError
            For files that cannot be read, are damaged, or do not hold one scan.
        """
        ...

    def result_name(self, source: str, stem: str) -> str:
        """File name for the result of a scan: `source` is the scan's own file name, `stem` the one without suffix."""
        ...

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """Write a label map on the scan's grid, atomically.

        Parameters
        ----------
        path : Path
        labels : ndarray
            Unsigned integers (H, W) or (D, H, W), see `Segmentation`, as stored in the scan.
        scan : Scan
            What was segmented, of whichever format.
        names : sequence of str
            One per object, empty where it has none.

        Raises
        ------
        LiteMedSamError
            When the file cannot be written or the format cannot hold the result.
        """
        ...


FORMATS: dict[str, Format] = {kind.name: kind for kind in (Npz(), Nifti(), Dicom(), Image(), Slices())}


def stem_of(name: str) -> str:
    """A file's name without the suffix of its kind; other names stay whole."""
    for kind in FORMATS.values():
        for suffix in kind.suffixes:
            if name.lower().endswith(suffix):
                return name[: -len(suffix)]
    return name


def has_known_suffix(path: Path) -> bool:
    """Whether a file is listed as a scan when a folder is searched."""
    return path.name.lower().endswith(tuple(suffix for kind in FORMATS.values() for suffix in kind.suffixes))


def format_of(path: Path) -> Format:
    """The format of a file or folder, by content; by name where the content is of no known kind.

    Raises
    ------
    LiteMedSamError
        When it cannot be read or is of no known kind.
    """
    head = b""
    if not path.is_dir():
        try:
            with open(path, "rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise LiteMedSamError(f"{path}: cannot be read ({error.strerror or error})") from error
    for kind in FORMATS.values():
        if kind.recognises(path, head):
            return kind
    if not path.is_dir():
        for kind in FORMATS.values():
            if path.name.lower().endswith(kind.suffixes):
                return kind
    what = "folder without DICOM files and pictures" if path.is_dir() else "file of unknown kind"
    raise LiteMedSamError(f"{path}: a {what}", "expected npz, NIfTI, DICOM, PNG, JPEG, TIFF or BMP")


def result_name(path: Path, kind: Format) -> str:
    """File name of the result of a scan, in a format."""
    # A folder given as "." still has a name.
    name = path.name or Path(os.path.abspath(path)).name
    return kind.result_name(name, name if path.is_dir() else stem_of(name))
