"""Reads truths, masks and prompts from files of any kind."""

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
"""The kinds of files. The suffix of a path decides its kind."""

# Names of nnU-Net's images have it; names of its labels do not.
_FIRST_CHANNEL = "_0000"
_SUFFIXES = tuple(suffix for kind in KINDS for suffix in kind.suffixes)


def read_truth(path: Path) -> Truth:
    """Read a ground truth.

    Parameters
    ----------
    path : Path
        Of one of `KINDS`. The axes of its array decide between image and volume.

    Returns
    -------
    Truth

    Raises
    ------
    LiteMedSamError
        When the file is missing, damaged or pickled; when it contains no label map, or one whose number of axes differs
        from the name; or when its spacing is not three numbers above 0.
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
        When the file is missing, damaged or pickled, or contains no label map on the truth's grid.
    """
    return _kind(path).masks(path, truth)


def read_prompted(path: Path, shape: tuple[int, ...]) -> Prompted:
    """Read the image and the boxes of a case for the rivals.

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
        When the file is damaged, its image has another size or is not uint8, or its boxes have another form.
    """
    return _kind(path).prompted(path, shape)


def case_names(folder: Path) -> list[str]:
    """The names of a folder's files that belong to `KINDS`, sorted."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.name.lower().endswith(_SUFFIXES))


def stem_of(name: str) -> str:
    """The name of a file without the suffix of its kind."""
    suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def has_truth(name: str, stems: Container[str]) -> bool:
    """Whether the name of masks belongs to one of these truths, given by their `stem_of`."""
    stem = stem_of(name)
    return stem in stems or stem.removesuffix(_FIRST_CHANNEL) in stems


def masks_of(folder: Path, name: str) -> Path:
    """The file with the masks of a case: of the truth's name, or of this name with another suffix.

    The channel in nnU-Net's names is ignored: masks ``case_0000`` belong to the truth ``case``.

    Parameters
    ----------
    folder : Path
        Of masks.
    name : str
        Of the truth.

    Returns
    -------
    Path
        If no file fits, the truth's name in that folder.

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
    """The kind of a path; npz if its suffix is unknown."""
    return next((kind for kind in KINDS if path.name.lower().endswith(kind.suffixes)), KINDS[0])
