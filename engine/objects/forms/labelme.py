"""What labelme and programs after it draw on a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import LiteMedSamError
from ...case import check_box_count
from ..objects import ObjectPrompt, Objects
from .content import check_needed, finite_numbers, list_of, name_of, pixels_between, shown
from .picture import check_pixels, check_size, fit

if TYPE_CHECKING:
    from .content import BoxesContent

# Which corners around a shape count. A rotated rectangle is a polygon of four corners.
_OUTLINED = ("polygon", "rectangle", "rotation", "oriented_rectangle")


class Labelme:
    """The boxes around labelme's shapes; see `litemedsam.engine.objects.forms.content.BoxesForm`.

    ::

        {"imagePath": "case.png", "imageWidth": 640, "imageHeight": 480, "imageData": null, "shapes": [
            {"label": "polyp", "shape_type": "rectangle", "points": [[12, 20], [81, 78]], "group_id": null}]}

    Rectangles, polygons, circles and masks count; points and lines enclose nothing and are left aside with a note.
    Pixel i reaches from i to i + 1. Shapes of one label and one ``group_id`` are one object. After
    https://github.com/wkentaro/labelme.
    """

    def recognises(self, value: Any) -> bool:
        """See `BoxesForm.recognises`."""
        return isinstance(value, dict) and "shapes" in value

    def objects(self, content: BoxesContent) -> Objects:
        """See `BoxesForm.objects`."""
        file = str(content.file)
        check_pixels(content, "labelme")
        _check_picture(content)
        boxes: dict[Any, tuple[str, np.ndarray]] = {}
        left: dict[str, int] = {}
        for number, shape in enumerate(list_of(file, "shapes", content.value["shapes"]), start=1):
            where = f"{file}: shape {number}"
            check_needed(where, shape, ("label", "points"))
            kind = name_of(where, "shape_type", shape.get("shape_type") or "polygon")
            box = _box(where, kind, shape["points"])
            if box is None:
                left[kind] = left.get(kind, 0) + 1
                continue
            name, group = name_of(where, "label", shape["label"]), shape.get("group_id")
            together = (name, group) if isinstance(group, int | str) else number
            boxes[together] = name, _around(box, boxes.get(together, (name, box))[1])
        if not boxes:
            raise LiteMedSamError(f"{file}: no shape that encloses an object", "draw a rectangle around each object")
        check_box_count(file, boxes)
        kinds = ", ".join(f"{count} × {kind}" for kind, count in left.items())
        notes = (f"{file}: shapes that enclose nothing are left aside: {kinds}",) if left else ()
        return Objects(tuple(ObjectPrompt(box, name) for name, box in boxes.values()), notes=notes)


def _check_picture(content: BoxesContent) -> None:
    file, value = content.file, content.value
    drawn = value.get("imagePath")
    if isinstance(drawn, str) and drawn and not fit(drawn, content.path):
        raise LiteMedSamError(
            f"{file}: was drawn on {shown(drawn)}, not on {content.path.name}",
            "give the file of this picture, or correct imagePath",
        )
    check_size(str(file), value.get("imageWidth"), value.get("imageHeight"), content)


def _box(where: str, kind: str, points: Any) -> np.ndarray | None:
    """The pixels around a shape, float64 (4,); None for one that encloses nothing."""
    if kind not in (*_OUTLINED, "circle", "mask"):
        return None
    places = np.array([finite_numbers(where, "point", point, 2) for point in list_of(where, "points", points)])
    if len(places) < 2:
        raise LiteMedSamError(f"{where}: {len(places)} points, expected at least 2 of a {kind}")
    if kind == "circle":
        centre, rim = places[:2]
        radius = np.hypot(*(rim - centre))
        return pixels_between(centre - radius, centre + radius)
    low, high = places.min(axis=0), places.max(axis=0)
    # The corners of a mask are its first and last pixels, not edges.
    return np.concatenate([np.rint(low), np.rint(high)]) if kind == "mask" else pixels_between(low, high)


def _around(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.concatenate([np.minimum(first[:2], second[:2]), np.maximum(first[2:], second[2:])])
