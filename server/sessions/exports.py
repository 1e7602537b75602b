"""Results of a session as files: the same bytes as of ``litemedsam-infer`` with the session's prompts."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...engine.case import Segmentation, label_dtype
from ...engine.io.formats import FORMATS, Format, result_name, stem_of
from ...engine.objects.objects import Objects
from ...engine.running.job import SegmentedScan
from ...engine.running.outputs import LabelMap
from ...errors import LiteMedSamError
from .corrections import as_prompt

if TYPE_CHECKING:
    from .masks import ObjectMask
    from .objects import DrawnObject, Point
    from .open_scan import OpenScan

PROMPTS = "prompts"
_TYPES = {".json": "application/json", ".png": "image/png", ".dcm": "application/dicom"}


@dataclass(frozen=True)
class Export:
    """A file for the user.

    Attributes
    ----------
    name : str
    content : bytes
    """

    name: str
    content: bytes

    @property
    def media_type(self) -> str:
        """Of HTTP."""
        return _TYPES.get(Path(self.name).suffix, "application/octet-stream")


def stored_boxes(opened: OpenScan, objects: Sequence[DrawnObject]) -> np.ndarray:
    """The boxes (N, 4) or (N, 6) in indices of the stored voxels, float64."""
    return opened.prepared.view.stored_boxes(np.array([each.box for each in objects], np.float64))


def prompts_json(opened: OpenScan, objects: Sequence[DrawnObject]) -> Export:
    """The prompts in this project's own form of ``--boxes``."""
    view = opened.prepared.view

    def stored(place: Point) -> list[int]:
        index: list[int] = view.stored_point(np.array(place)).astype(int).tolist()
        return index

    entries = []
    for each, box in zip(objects, stored_boxes(opened, objects).astype(int).tolist(), strict=True):
        entry: dict[str, object] = {"name": each.name} if each.name else {}
        entry["box"] = box
        if each.points:
            entry["points"] = [stored(point) for point in each.points]
        if each.corrections:
            entry["corrections"] = [as_prompt(made, stored) for made in each.corrections]
        entries.append(entry)
    content = json.dumps({"version": 1, "space": "voxel", "objects": entries}, indent=1, ensure_ascii=False)
    return Export(f"{stem_of(opened.name)}.boxes.json", content.encode() + b"\n")


def formats_of(opened: OpenScan) -> list[str]:
    """Names of the formats that can hold a result, the scan's own first, and `PROMPTS`."""
    own = opened.own_format
    # Of an npz file only its boxes say what it is.
    scan = replace(opened.scan, is_volume=len(opened.grid) == 3)
    found = [own] if FORMATS[own].result_suffixes else []
    for name, kind in FORMATS.items():
        if name in found or not kind.result_suffixes:
            continue
        try:
            kind.check_result(Path(_file_name(opened, kind)), scan, [""])
        except LiteMedSamError:
            # Such as a DICOM SEG of a photograph.
            continue
        found.append(name)
    return [*found, PROMPTS]


def export(opened: OpenScan, objects: Sequence[DrawnObject], masks: Sequence[ObjectMask], form: str) -> Export:
    """The label map as a file.

    Parameters
    ----------
    opened : OpenScan
    objects : sequence of DrawnObject
        At least one.
    masks : sequence of ObjectMask
        One per object.
    form : str
        A name in `formats_of`.

    Raises
    ------
    LiteMedSamError
        When the format cannot hold the result.
    """
    if form == PROMPTS:
        return prompts_json(opened, objects)
    kind = FORMATS[form]
    done = segmented(opened, objects, masks)
    name = _file_name(opened, kind)
    with tempfile.TemporaryDirectory(prefix="litemedsam-export-") as folder:
        path = Path(folder) / f"result{_suffix(name)}"
        kind.check_result(path, opened.scan, done.names)
        LabelMap(kind).write(path, done)
        return Export(name, path.read_bytes())


def segmented(opened: OpenScan, objects: Sequence[DrawnObject], masks: Sequence[ObjectMask]) -> SegmentedScan:
    """The same value that `litemedsam.engine.running.job.segment_file` gives for these boxes."""
    labels = np.zeros(opened.grid, label_dtype(len(objects)))
    for number, mask in enumerate(masks, start=1):
        part = labels[mask.window]
        np.maximum(part, mask.mask.astype(labels.dtype) * labels.dtype.type(number), out=part)
    boxes = stored_boxes(opened, objects)
    drawn = Objects.of_boxes(opened.name, boxes, [each.name for each in objects])
    view = opened.prepared.view
    seen = drawn.seen(view)
    prepared = replace(opened.prepared, case=replace(opened.prepared.case, boxes=seen.boxes), objects=seen, boxes=boxes)
    scores = np.array([mask.score for mask in masks], np.float32)
    areas = np.array([mask.voxels for mask in masks], np.int64)
    return SegmentedScan(opened.scan, prepared, Segmentation(labels, scores, {}, 0, areas, seen.boxes))


def command(opened: OpenScan, settings: Sequence[str]) -> str:
    """The command line that gives the same bytes; `settings` are further arguments."""
    words = ["litemedsam-infer", opened.name, "--boxes", f"{stem_of(opened.name)}.boxes.json"]
    return shlex.join([*words, *opened.reading.arguments, *settings])


def _file_name(opened: OpenScan, kind: Format) -> str:
    """``scan.mask.nii.gz`` for ``scan.nii.gz``, so that a download never has the scan's name."""
    name = result_name(Path(opened.name), kind)
    suffix = _suffix(name)
    return f"{name[: len(name) - len(suffix)]}.mask{suffix}"


def _suffix(name: str) -> str:
    return name[len(stem_of(name)) :]
