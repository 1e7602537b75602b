"""Functional groups: where an enhanced image of many frames keeps what single images say of themselves."""

import math
from typing import Any


def functional_groups(image: Any) -> tuple[Any, Any] | None:
    """The functional groups of an enhanced image (per frame, shared), or None; either of them may be empty."""
    if "PerFrameFunctionalGroupsSequence" not in image and "SharedFunctionalGroupsSequence" not in image:
        return None
    shared = image.get("SharedFunctionalGroupsSequence") or [{}]
    return image.get("PerFrameFunctionalGroupsSequence") or (), shared[0]


def in_own_group(groups: tuple[Any, Any], frame: int, name: str) -> Any:
    """The first item of a sequence in a frame's own group; None where that group lacks it."""
    per_frame = groups[0]
    return _first(per_frame[frame], name) if len(per_frame) else None


def in_group(groups: tuple[Any, Any], frame: int, name: str) -> Any:
    """The first item of a sequence, of a frame's own group or else of the shared one; None where both lack it."""
    own = in_own_group(groups, frame, name)
    return _first(groups[1], name) if own is None else own


def _first(group: Any, name: str) -> Any:
    return group[name].value[0] if name in group and len(group[name].value) else None


def number_in(where: Any, key: str) -> float | None:
    """A number that a data set states under a keyword; None where it is missing or no finite number."""
    try:
        number = float(where.get(key))
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None
