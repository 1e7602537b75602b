"""Boxes drawn as regions of interest in 3D Slicer (``.mrk.json``)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import LiteMedSamError
from ...case import check_box_count
from ..objects import ObjectPrompt, Objects
from ..sources import geometry_of
from .content import check_needed, finite_numbers, list_of, name_of, pixels_between, shown

if TYPE_CHECKING:
    from ...scan.geometry import Geometry
    from .content import BoxesContent

_TO_RAS = {"LPS": np.array([-1.0, -1.0, 1.0]), "RAS": np.ones(3)}
_MILLIMETRES = {"mm": 1.0, "um": 0.001}
# A region is turned when one of its axes leaves the voxels' own by this sine.
_STRAIGHT = 1e-3
_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))


class SlicerRois:
    """The ROIs of a markups file; see `litemedsam.engine.objects.forms.content.BoxesForm`.

    ::

        {"markups": [{"type": "ROI", "name": "liver", "coordinateSystem": "LPS", "coordinateUnits": "mm",
                      "center": [12.5, -8, 40], "size": [60, 45, 30],
                      "orientation": [-1, 0, 0, 0, -1, 0, 0, 0, 1]}]}

    All voxels count that a region touches. Of a region that is turned against the voxels, the box around it counts,
    with a note. After Slicer's schema of markups, version 1.0.3, where the columns of ``orientation`` are the axes.
    """

    def recognises(self, value: Any) -> bool:
        """See `BoxesForm.recognises`."""
        return isinstance(value, dict) and "markups" in value

    def objects(self, content: BoxesContent) -> Objects:
        """See `BoxesForm.objects`."""
        file = str(content.file)
        prompts: list[ObjectPrompt] = []
        notes: list[str] = []
        others = 0
        for number, markup in enumerate(list_of(file, "markups", content.value["markups"]), start=1):
            where = f"{file}: markup {number}"
            check_needed(where, markup, ("type",))
            if markup["type"] != "ROI":
                others += 1
                continue
            geometry = geometry_of(content.scan)
            box, turned = _box(geometry, *_region(where, markup))
            prompts.append(ObjectPrompt(box, name_of(where, "name", markup.get("name", ""))))
            if turned:
                notes.append(f"{where}: is turned against the voxels, the box around it counts")
        if not prompts:
            raise LiteMedSamError(f"{file}: holds no ROI", "draw a Markups ROI around each object")
        check_box_count(file, prompts)
        if others:
            notes.append(f"{file}: {others} markups of other types than ROI are left aside")
        return Objects(tuple(prompts), notes=tuple(notes))


def _region(where: str, markup: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Centre (3,) and edges (3, 3), one in each column, of a region, in RAS millimetres."""
    space, units = markup.get("coordinateSystem", "LPS"), markup.get("coordinateUnits", "mm")
    if isinstance(units, list) and units:
        # A DICOM code: value, scheme, meaning.
        units = units[0]
    if not isinstance(space, str) or space not in _TO_RAS:
        raise LiteMedSamError(f"{where}: coordinateSystem is {shown(space)}, expected LPS or RAS")
    if not isinstance(units, str) or units not in _MILLIMETRES:
        raise LiteMedSamError(f"{where}: coordinateUnits is {shown(units)}, expected mm or um")
    if markup.get("insideOut") is True:
        raise LiteMedSamError(f"{where}: is inside out", "clear Inside out in Slicer's Markups module")
    centre = finite_numbers(where, "center", _centre(markup), 3)
    size = finite_numbers(where, "size", markup.get("size"), 3)
    axes = finite_numbers(where, "orientation", markup.get("orientation", np.eye(3).ravel().tolist()), 9).reshape(3, 3)
    if (size <= 0).any():
        raise LiteMedSamError(f"{where}: size is {shown(markup['size'])}, expected lengths above 0")
    if (np.abs(axes) > 2).any() or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise LiteMedSamError(f"{where}: orientation is {shown(markup['orientation'])}, expected a rotation")
    scale = _TO_RAS[space] * _MILLIMETRES[units]
    return centre * scale, scale[:, None] * axes * size


def _centre(markup: dict[str, Any]) -> Any:
    """The centre; files written by hand have it as the only control point, as Slicer accepts."""
    if "center" in markup:
        return markup["center"]
    points = markup.get("controlPoints")
    first = points[0] if isinstance(points, list) and len(points) == 1 else None
    return first.get("position") if isinstance(first, dict) else None


def _box(geometry: Geometry, centre: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, bool]:
    """The voxels that a region touches, float64 (6,), and whether it is turned against them."""
    corners = geometry.to_indices(centre + _CORNERS @ edges.T)
    # Voxel i reaches from i - 0.5 to i + 0.5.
    box = pixels_between(corners.min(axis=0) + 0.5, corners.max(axis=0) + 0.5)
    steps = (np.linalg.inv(geometry.affine[:3, :3]) @ edges) * geometry.spacing[:, None]
    along = np.sort(np.abs(steps) / np.linalg.norm(steps, axis=0), axis=0)
    return box, bool((along[1] > _STRAIGHT).any())
