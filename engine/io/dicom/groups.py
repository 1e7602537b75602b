"""Functional groups: where an enhanced image of many frames keeps what single images say of themselves."""

from typing import Any


def functional_groups(image: Any) -> tuple[Any, Any] | None:
    """The functional groups of an enhanced image (per frame, shared), or None."""
    if "PerFrameFunctionalGroupsSequence" not in image:
        return None
    shared = image.get("SharedFunctionalGroupsSequence") or [{}]
    return image.PerFrameFunctionalGroupsSequence, shared[0]


def in_group(groups: tuple[Any, Any], frame: int, name: str) -> Any:
    """The first item of a sequence, of a frame's own group or else of the shared one; None where both lack it."""
    per_frame, shared = groups
    for group in (per_frame[frame], shared):
        if name in group and len(group[name].value):
            return group[name].value[0]
    return None
