"""The modality groups that cases are averaged in, from the challenge's file names."""

from collections.abc import Iterable

from ..challenge import CaseName

_ALIASES = {
    "xray": "X-Ray",
    "mri": "MR",
    "mammo": "Mammography",
    "microscope": "Microscopy",
    "ultrasound": "US",
    "dermoscope": "Dermoscopy",
    "endoscope": "Endoscopy",
}
_PLANE = ["CT", "Dermoscopy", "Endoscopy", "Fundus", "MR", "Mammography", "Microscopy", "OCT", "US", "X-Ray"]
_KNOWN = {modality.lower().replace("-", ""): modality for modality in [*_PLANE, "PET"]}

GROUPS = (*_PLANE, "CT 3D", "MR 3D", "PET 3D")
"""The 13 groups in the order of the tables; others follow by name."""


def group_of(name: str, axes: int) -> str:
    """The group of a case.

    Parameters
    ----------
    name : str
        File name such as ``2DBox_Microscope_0008``, with or without a suffix: ``2D`` or ``3D``, the modality between
        underscores.
    axes : int
        2 for an image, 3 for a volume.

    Returns
    -------
    str
        The modality, spelt as in `GROUPS` where it is known, with " 3D" after it for a volume; "other" and
        "other 3D" for names of another form.
    """
    found = _taken_apart(name)
    if found is None:
        modality = "other"
    else:
        key = found.modality.lower().replace("-", "")
        modality = _ALIASES.get(key) or _KNOWN.get(key) or found.modality
    return f"{modality} 3D" if axes == 3 else modality


def axes_of(name: str) -> int | None:
    """The number of axes that a file name states: 2, 3, or None for names of another form."""
    found = _taken_apart(name)
    return None if found is None else found.dimension


def _taken_apart(name: str) -> CaseName | None:
    return CaseName.of(name.removesuffix(".npz"))


def in_order(groups: Iterable[str]) -> list[str]:
    """Groups without repetition, the 13 in their own order first, others after them by name."""
    present = set(groups)
    return [g for g in GROUPS if g in present] + sorted(present - set(GROUPS))
