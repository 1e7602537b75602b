"""The list of rectangles and points that SAM's demonstrations and browser tools write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import LiteMedSamError
from .content import BoxesContent, check_keys, numbers, shown
from .own import objects_of_entries

if TYPE_CHECKING:
    from ..objects import Objects


class Rectangles:
    """Rectangles, with points where there is one rectangle; see `litemedsam.engine.objects.forms.content.BoxesForm`.

    ::

        [{"type": "rectangle", "data": [12, 20, 80, 77]}, {"type": "point", "data": [30, 40], "label": 1}]
    """

    def recognises(self, value: Any) -> bool:
        """See `BoxesForm.recognises`."""
        return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)

    def objects(self, content: BoxesContent) -> Objects:
        """See `BoxesForm.objects`."""
        return objects_of_entries(content.file, _entries(content.file, content.value), content.scan, content.world)


def _entries(file: Path, entries: list[Any]) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = []
    points = []
    for number, entry in enumerate(entries, start=1):
        where = f"{file}: entry {number}"
        check_keys(where, entry, ("type", "data"), ("label",))
        if entry["type"] == "rectangle":
            objects.append({"box": numbers(where, "data", entry["data"], (4,))})
        elif entry["type"] == "point":
            if entry.get("label", 1) != 1:
                raise LiteMedSamError(f"{where}: a point off the object; this model knows points on it only")
            points.append(numbers(where, "data", entry["data"], (2,)))
        else:
            raise LiteMedSamError(f"{where}: type {shown(entry['type'])}, expected rectangle or point")
    if points and len(objects) != 1:
        raise LiteMedSamError(
            f"{file}: points beside {len(objects)} rectangles cannot be told apart",
            "give the points inside their object, in the form with version and objects",
        )
    if points:
        objects[0]["points"] = points
    return objects
