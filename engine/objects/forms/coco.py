"""COCO's object detection: one file for many pictures."""

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


class Coco:
    """Boxes of the picture that has the scan's file name; see `litemedsam.engine.objects.forms.content.BoxesForm`.

    ::

        {"images": [{"id": 7, "file_name": "case.png", "width": 640, "height": 480}],
         "categories": [{"id": 1, "name": "polyp"}],
         "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [12, 20, 69, 58]}]}

    ``bbox`` is x, y, width and height, where pixel i reaches from i to i + 1. Categories become names. Annotations of
    crowds are left aside, and so are outlines; notes say so. After https://cocodataset.org/#format-data.
    """

    def recognises(self, value: Any) -> bool:
        """See `BoxesForm.recognises`."""
        return isinstance(value, dict) and "annotations" in value and "images" in value

    def objects(self, content: BoxesContent) -> Objects:
        """See `BoxesForm.objects`."""
        file = str(content.file)
        check_pixels(content, "COCO")
        image = _image(content)
        names = _names(file, content.value.get("categories", []))
        prompts: list[ObjectPrompt] = []
        crowds = outlines = 0
        for number, entry in enumerate(list_of(file, "annotations", content.value["annotations"]), start=1):
            where = f"{file}: annotation {number}"
            check_needed(where, entry, ("image_id",))
            if _key(entry["image_id"]) != _key(image["id"]):
                continue
            if entry.get("iscrowd"):
                crowds += 1
                continue
            outlines += bool(entry.get("segmentation"))
            prompts.append(ObjectPrompt(_box(where, entry), names.get(_key(entry.get("category_id")), "")))
        if not prompts:
            raise LiteMedSamError(
                f"{file}: holds no box for {content.path}", "annotate this picture, or leave it out of the run"
            )
        check_box_count(file, prompts)
        notes = [f"{file}: {crowds} annotations of crowds are left aside"] if crowds else []
        if outlines:
            notes.append(f"{file}: {outlines} outlines are left aside, their boxes count")
        return Objects(tuple(prompts), notes=tuple(notes))


class CocoResults:
    """COCO's results, which cannot be matched with pictures; see `litemedsam.engine.objects.forms.content.BoxesForm`.

    ::

        [{"image_id": 7, "category_id": 1, "bbox": [12, 20, 69, 58], "score": 0.9}]
    """

    def recognises(self, value: Any) -> bool:
        """See `BoxesForm.recognises`."""
        return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "image_id" in value[0]

    def objects(self, content: BoxesContent) -> Objects:
        """Refuse them."""
        raise LiteMedSamError(
            f"{content.file}: COCO results, which name no pictures",
            "put them under annotations, beside the images of their dataset",
        )


def _key(identity: Any) -> Any:
    """An identity that can be compared and looked up; None for what is none."""
    return identity if isinstance(identity, int | str) and not isinstance(identity, bool) else None


def _image(content: BoxesContent) -> dict[str, Any]:
    """The entry of the picture that has the scan's name."""
    file = str(content.file)
    images = list_of(file, "images", content.value["images"])
    fitting: dict[Any, tuple[int, dict[str, Any]]] = {}
    for number, image in enumerate(images, start=1):
        where = f"{file}: image {number}"
        check_needed(where, image, ("id", "file_name"))
        if _key(image["id"]) is None:
            raise LiteMedSamError(f"{where}: id is {shown(image['id'])}, expected a whole number")
        found = fit(name_of(where, "file_name", image["file_name"]), content.path)
        if found:
            fitting[image["id"]] = found, image
    if not fitting:
        raise LiteMedSamError(
            f"{file}: none of its {len(images)} images is named {content.path.name}",
            "give the file of this picture, or correct file_name",
        )
    best = max(found for found, _ in fitting.values())
    chosen = [image for found, image in fitting.values() if found == best]
    if len(chosen) > 1:
        raise LiteMedSamError(
            f"{file}: {len(chosen)} images are named {chosen[0]['file_name']}", "give file_name the folders, too"
        )
    check_size(f"{file}: image {chosen[0]['file_name']}", chosen[0].get("width"), chosen[0].get("height"), content)
    return chosen[0]


def _names(file: str, categories: Any) -> dict[Any, str]:
    """The categories' names."""
    names = {}
    for number, category in enumerate(list_of(file, "categories", categories), start=1):
        where = f"{file}: category {number}"
        check_needed(where, category, ("id", "name"))
        names[_key(category["id"])] = name_of(where, "name", category["name"])
    names.pop(None, None)
    return names


def _box(where: str, entry: dict[str, Any]) -> np.ndarray:
    check_needed(where, entry, ("bbox",))
    corner, size = np.split(finite_numbers(where, "bbox", entry["bbox"], 4), 2)
    if (size < 0).any():
        raise LiteMedSamError(f"{where}: bbox is {shown(entry['bbox'])}, expected x, y, width, height")
    return pixels_between(corner, corner + size)
