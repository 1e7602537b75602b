"""What the first of some cases probably is, so that graphs can be loaded for it before it is read."""

from collections.abc import Sequence
from pathlib import Path

from ...archive import open_archive
from ...errors import LiteMedSamError

_NPZ = ".npz"
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
# More than are decoded at once.
_MANY = 100


def likely_kind(cases: Sequence[Path], folder: Path | None, given: Sequence[Sequence[float]] = ()) -> tuple[bool, int]:
    """Whether the first case is a volume, and how many objects it has; a guess that costs no more than a look.

    Parameters
    ----------
    cases : sequence of Path
        As the user named them; may not exist.
    folder : Path or None
        Where they lie instead.
    given : sequence of sequence of float
        Boxes of 4 or 6 numbers, if any.

    Returns
    -------
    volume : bool
    objects : int
        At least 1; many where that is not easily told.
    """
    if given:
        return len(given[0]) == 6, len(given)
    first = cases[0] if cases else min(folder.glob("*" + _NPZ), default=folder)
    if first.suffix.lower() in _PICTURES:
        return False, _MANY
    if first.suffix.lower() != _NPZ:
        return True, _MANY
    try:
        with open_archive(first) as archive:
            objects, numbers = archive.read("boxes").shape
    except (LiteMedSamError, KeyError, ValueError):
        # Told when the case itself is read.
        return False, _MANY
    return numbers == 6, max(objects, 1)
