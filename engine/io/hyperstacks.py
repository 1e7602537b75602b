"""What a microscope's TIFF says of its pages."""

import re
from pathlib import Path
from typing import Any

from ...errors import LiteMedSamError

DESCRIPTION = 270
"""The tag of a TIFF that holds it."""
# ImageJ writes lines such as ``channels=3``; OME-TIFF holds XML with attributes such as ``SizeC="3"``.
_IMAGEJ = {"channels": "channels", "slices": "slices", "frames": "time points", "images": "images"}
_OME = {"SizeC": "channels", "SizeZ": "slices", "SizeT": "time points"}
_LONGEST = 1_000_000


def _counts(text: str) -> dict[str, int]:
    if text.startswith("ImageJ="):
        lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        found = {name: lines.get(key, "") for key, name in _IMAGEJ.items()}
    elif "<OME" in text and (pixels := re.search(r"<(?:\w+:)?Pixels\s[^>]*>", text)):
        attributes = dict(re.findall(r'(\w+)="(\d{1,9})"', pixels.group()))
        found = {name: attributes.get(key, "") for key, name in _OME.items()}
    else:
        return {}
    return {
        name: int(value) for name, value in found.items() if value.isascii() and value.isdigit() and len(value) < 10
    }


def described(description: Any) -> bool:
    """Whether the first page's ``ImageDescription`` says what the pages are."""
    return isinstance(description, str) and len(description) <= _LONGEST and bool(_counts(description))


def check_pages(path: Path, description: Any, pages: int, colours: int) -> None:
    """Refuse a TIFF whose pages are not the slices of one volume.

    Parameters
    ----------
    path : Path
        For messages.
    description : object
        The first page's ``ImageDescription``; see `described`.
    pages : int
        How many pages the file holds.
    colours : int
        How many channels each page holds.

    Raises
    ------
    LiteMedSamError
        For several channels in pages, for time points of a volume, and for a stack that lies behind a single page.
    """
    if not described(description):
        return
    counts = _counts(description)
    several = {name: count for name, count in counts.items() if count > 1 and name != "images"}
    if several.get("channels", 1) <= colours:
        several.pop("channels", None)
    held = ", ".join(f"{count} {name}" for name, count in several.items())
    if pages == 1 and counts.get("images", 1) > 1:
        raise LiteMedSamError(
            f"{path}: a stack of {counts['images']} images behind a single page, as ImageJ writes those beyond 4 GB",
            "save it in parts, or as NIfTI",
        )
    if pages > 1 and ("channels" in several or len(several) > 1):
        raise LiteMedSamError(
            f"{path}: a hyperstack of {held}; its {pages} pages are not the slices of one volume",
            "save one channel and one time point, or choose a page with --frame",
        )
