"""Pictures that boxes were drawn on: is the scan one of them?"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ....errors import LiteMedSamError
from ..sources import stems_of
from .content import shown

if TYPE_CHECKING:
    from .content import BoxesContent


def parts_of(stored: str) -> tuple[str, ...]:
    """Folders and name of a path as a tool of any system stores it."""
    return PurePosixPath(stored.replace("\\", "/")).parts


def fit(stored: str, path: Path) -> int:
    """How well a stored path names a scan.

    Parameters
    ----------
    stored : str
        From a file, with folders of whichever computer.
    path : Path
        Of the scan.

    Returns
    -------
    int
        0 for another name, 1 for the name with another suffix or without nnU-Net's number of a channel, more for the
        whole name and each folder above it.
    """
    # Late: the forms load without the file formats.
    from ...io.formats import stem_of

    theirs, ours = parts_of(stored), path.absolute().parts
    if not theirs or not ours or stem_of(theirs[-1]) not in stems_of(path.absolute()):
        return 0
    same = 0
    while same < min(len(theirs), len(ours)) and theirs[-1 - same] == ours[-1 - same]:
        same += 1
    return 1 + same


def check_size(where: str, width: Any, height: Any, content: BoxesContent) -> None:
    """Refuse a picture of another size than the scan's; a size that is not stated is not compared.

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
    scan = content.scan
    rows, columns = scan.voxels.shape[:2] if scan.is_volume is None else scan.grid[-2:]
    for what, stated, real in (("width", width, columns), ("height", height, rows)):
        if stated is not None and stated != real:
            raise LiteMedSamError(
                f"{where}: {what} {shown(stated)}, but the scan {scan.name} has {columns} × {rows} pixels",
                "draw the boxes on the scan at its own size, or correct this number",
            )


def check_pixels(content: BoxesContent, form: str) -> None:
    """Refuse boxes in pixels where boxes in millimetres are announced.

    Raises
    ------
    LiteMedSamError
    """
    if content.world:
        raise LiteMedSamError(f"{content.file}: {form} holds pixels, not millimetres", "leave --box-space out")
