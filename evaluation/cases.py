"""Truths, masks and prompts by path, whatever kind of file holds them."""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LiteMedSamError
from .groups import axes_of
from .npz_files import NpzFiles
from .volume_files import VolumeFiles

if TYPE_CHECKING:
    import numpy as np

    from .truth import LabelFiles, Prompted, Truth

KINDS: tuple[LabelFiles, ...] = (
    NpzFiles(),
    VolumeFiles("nifti", (".nii.gz", ".nii", ".hdr")),
    VolumeFiles("nrrd", (".seg.nrrd", ".nrrd", ".nhdr")),
    VolumeFiles("mha", (".mha", ".mhd")),
)
"""The kinds of files; a path belongs to the one whose suffix it has."""

# nnU-Net's images have it in their names, their labels have not.
_FIRST_CHANNEL = "_0000"
_SUFFIXES = tuple(suffix for kind in KINDS for suffix in kind.suffixes)


def read_truth(path: Path) -> Truth:
    """Read a ground truth.

    Parameters
    ----------
    path : Path
        Of one of `KINDS`; single image or volume by the axes of its array.

    Returns
    -------
    Truth

    Raises
    ------
    LiteMedSamError
        When the file is missing, damaged or pickled, holds no label map, or one of another number of axes than the
        name says, or a spacing that is not three numbers above 0.
    """
    return _kind(path).truth(path, axes_of(stem_of(path.name)))


def read_masks(path: Path, truth: Truth) -> np.ndarray:
    """Read the masks of a case.

    Parameters
    ----------
    path : Path
        Of one of `KINDS`, not necessarily the truth's.
    truth : Truth

    Returns
    -------
    ndarray
        uint16, of the truth's shape.

    Raises
    ------
    LiteMedSamError
        When the file is missing, damaged or pickled, or holds no label map on the truth's grid.
    """
    return _kind(path).masks(path, truth)


def read_prompted(path: Path, shape: tuple[int, ...]) -> Prompted:
    """Read image and boxes of a case for the rivals.

    Parameters
    ----------
    path : Path
        Of the truth.
    shape : tuple of int
        The shape of the ground truth.

    Returns
    -------
    Prompted

    Raises
    ------
    LiteMedSamError
        When the file is damaged, holds an image of another size or not of uint8, or boxes of another form.
    """
    return _kind(path).prompted(path, shape)


def case_names(folder: Path) -> list[str]:
    """Names of a folder's files of all `KINDS`, sorted."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.name.lower().endswith(_SUFFIXES))


def stem_of(name: str) -> str:
    """A file's name without the suffix of its kind."""
    suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def has_truth(name: str, stems: Container[str]) -> bool:
    """Whether masks of a name belong to one of some truths, given by their `stem_of`."""
    stem = stem_of(name)
    return stem in stems or stem.removesuffix(_FIRST_CHANNEL) in stems


def masks_of(folder: Path, name: str) -> Path:
    """The file of masks of a case: the one of the truth's name, else the one of its name with another suffix.

    Masks of scans named as nnU-Net names channels fit, too: ``case_0000`` the truth ``case``.

    Parameters
    ----------
    folder : Path
        Of masks.
    name : str
        Of the truth.

    Returns
    -------
    Path
        The truth's name in that folder where no file fits.

    Raises
    ------
    LiteMedSamError
        When several fit.
    """
    usual, stem = folder / name, stem_of(name)
    if usual.is_file():
        return usual
    endings = [spelt for suffix in _SUFFIXES for spelt in (suffix, suffix.upper())]
    found: list[Path] = []
    for start in (stem, f"{stem}{_FIRST_CHANNEL}"):
        found = found or [folder / f"{start}{end}" for end in endings if (folder / f"{start}{end}").is_file()]
    if len(found) > 1:
        named = " and ".join(path.name for path in found)
        raise LiteMedSamError(f"{usual}: masks may be {named}", "keep one of them")
    return found[0] if found else usual


def _kind(path: Path) -> LabelFiles:
    """The kind of a path; npz where its suffix is unknown."""
    return next((kind for kind in KINDS if path.name.lower().endswith(kind.suffixes)), KINDS[0])
