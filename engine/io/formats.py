"""The file formats: the interface that all of them share, and the choice of one by content or by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...archive import refuse_disguise
from ...errors import LiteMedSamError
from .dicom.format import Dicom
from .image import Image
from .nifti import Nifti
from .npz import Npz
from .rasters.format import MetaImage, Nrrd
from .slices import Slices

if TYPE_CHECKING:
    from ..scan.mask import Mask
    from ..scan.scan import Scan

_HEAD = 4096


class Format(Protocol):
    """One kind of file.

    Attributes
    ----------
    name : str
    suffixes : tuple of str
        Of its files, lower case; only used to search folders and where the content is of no known kind. Empty for a
        format whose scans are folders.
    result_suffixes : tuple of str
        Of results, lower case; where it is empty, results are folders.
    consecutive : bool
        Whether the labels of a result count 1, 2, 3, … without gaps.
    """

    name: str
    suffixes: tuple[str, ...]
    result_suffixes: tuple[str, ...]
    consecutive: bool

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

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """Refuse a scan whose result this format cannot contain, before anything is computed.

        Parameters
        ----------
        path : Path
            Of the result.
        scan : Scan
        names : sequence of str
            One per object.

        Raises
        ------
        LiteMedSamError
        """
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

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """Read labels on the grid of a scan, with the names that the file keeps for them.

        Raises
        ------
        LiteMedSamError
            When the file cannot be read, holds other than whole numbers, or lies on another grid.
        """
        ...


# In the order in which they are tried: among masks of one name, those that state their place come first.
FORMATS: dict[str, Format] = {
    kind.name: kind for kind in (Nifti(), Npz(), Dicom(), Nrrd(), MetaImage(), Image(), Slices())
}
SUFFIXES = tuple(suffix for kind in FORMATS.values() for suffix in kind.suffixes)
"""Of the files of all formats, lower case."""


def stem_of(name: str) -> str:
    """A file's name without the suffix of its kind; other names stay whole."""
    for kind in FORMATS.values():
        for suffix in kind.suffixes:
            if name.lower().endswith(suffix):
                return name[: -len(suffix)]
    return name


def has_known_suffix(path: Path) -> bool:
    """Whether a file is listed as a scan when a folder is searched."""
    return path.name.lower().endswith(SUFFIXES)


def format_by_suffix(path: Path, formats: Mapping[str, Format] | None = None) -> Format | None:
    """The format whose files have a path's suffix; None where no format has it. The file may not exist."""
    formats = FORMATS if formats is None else formats
    return next((kind for kind in formats.values() if path.name.lower().endswith(kind.suffixes)), None)


def format_for_result(path: Path, usual: Format | None = None) -> Format:
    """The format that the name of a result asks for.

    Parameters
    ----------
    path : Path
        Of the result; nothing is read.
    usual : Format, optional
        The scan's own. Where its results are folders, a path without any format's suffix is one.

    Raises
    ------
    LiteMedSamError
        When no format writes results of that suffix.
    """
    for kind in FORMATS.values():
        if path.name.lower().endswith(kind.result_suffixes):
            return kind
    if usual is not None and not usual.result_suffixes and not path.name.lower().endswith(SUFFIXES):
        return usual
    known = ", ".join(suffix for kind in FORMATS.values() for suffix in kind.result_suffixes)
    raise LiteMedSamError(f"{path}: no format of results has this suffix, expected one of: {known}")


def format_of(path: Path, formats: Mapping[str, Format] | None = None) -> Format:
    """The format of a file or folder, by content; by name where the content is of no known kind.

    Parameters
    ----------
    path : Path
    formats : mapping of str to Format, optional
        In the order in which they are tried; `FORMATS` when absent.

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
    formats = FORMATS if formats is None else formats
    for kind in formats.values():
        if kind.recognises(path, head):
            return kind
    if not path.is_dir():
        refuse_disguise(path)
    named = None if path.is_dir() else format_by_suffix(path, formats)
    if named is not None:
        return named
    what = "folder without DICOM files and pictures" if path.is_dir() else "file of unknown kind"
    raise LiteMedSamError(f"{path}: a {what}", "expected npz, NIfTI, DICOM, NRRD, MHA, PNG, JPEG, TIFF or BMP")


def result_name(path: Path, kind: Format, whole: bool = False) -> str:
    """File name of the result of a scan, in a format.

    Parameters
    ----------
    path : Path
        Of the scan.
    kind : Format
    whole : bool
        Whether the scan's suffix stays in the name: ``x.jpg.png`` instead of ``x.png``.
    """
    # A folder given as "." still has a name.
    name = path.name or Path(os.path.abspath(path)).name
    result = kind.result_name(name, name if whole or path.is_dir() else stem_of(name))
    if whole and result == name:
        # A format that takes over the scan's whole name.
        return name + next((suffix for suffix in kind.result_suffixes if name.lower().endswith(suffix)), "")
    return result
