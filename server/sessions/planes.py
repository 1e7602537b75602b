"""The planes that a volume is shown in: what goes across, what down, and which side of the patient is at each edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.scan.geometry import patient_axes

if TYPE_CHECKING:
    from ...engine.scan.geometry import Geometry, View

_POSITIVE, _NEGATIVE = "RAS", "LPI"
# For the plane through each of the patient's axes R, A, S: the axis across, the axis down. Across goes towards left or
# posterior, down towards posterior or inferior: a radiologist's view.
_LAYOUTS = {2: ("axial", 0, 1), 1: ("coronal", 0, 2), 0: ("sagittal", 1, 2)}
# Without a place in the patient: the axis through, the axis across, the axis down.
_PLAIN = (("xy", 2, 0, 1), ("xz", 1, 0, 2), ("yz", 0, 1, 2))


@dataclass(frozen=True)
class Plane:
    """One way to cut a volume as seen; an image has a single plane.

    Attributes
    ----------
    name : str
        ``axial``, ``coronal`` or ``sagittal``; ``xy``, ``xz`` or ``yz`` where the place in the patient is unknown;
        ``image``.
    through, across, down : int
        Axes of the volume as seen, 0 for x, 1 for y, 2 for z; `through` is 2 for an image.
    across_reversed, down_reversed : bool
        Whether the picture's columns or rows run against their axis.
    width, height, count : int
        Columns, rows and slices.
    pixel : tuple of float
        Width and height of a pixel in mm, or (1, 1) where it is unknown.
    marks : tuple of str
        The patient's direction at the left, right, top and bottom edge, such as ``R``; empty where it is unknown.
    """

    name: str
    through: int
    across: int
    down: int
    across_reversed: bool
    down_reversed: bool
    width: int
    height: int
    count: int
    pixel: tuple[float, float]
    marks: tuple[str, str, str, str]

    def cut(self, seen: np.ndarray, k: int) -> np.ndarray:
        """Slice k of an array as seen, (H, W) of an image or (D, H, W) of a volume, each perhaps with colours.

        Returns
        -------
        ndarray
            (height, width), or with colours (height, width, 3); a view of the same memory.
        """
        page = seen if self.name == "image" else seen.take(k, axis=2 - self.through)
        if self.down < self.across:
            page = page.swapaxes(0, 1)
        if self.down_reversed:
            page = page[::-1]
        return page[:, ::-1] if self.across_reversed else page

    def to_json(self) -> dict[str, Any]:
        """The plane for the page."""
        return {
            "name": self.name,
            "through": self.through,
            "across": self.across,
            "down": self.down,
            "acrossReversed": self.across_reversed,
            "downReversed": self.down_reversed,
            "width": self.width,
            "height": self.height,
            "count": self.count,
            "pixel": list(self.pixel),
            "marks": dict(zip(("left", "right", "top", "bottom"), self.marks, strict=True)),
        }


def planes_of(
    shape: tuple[int, ...], view: View, geometry: Geometry | None, spacing: np.ndarray | None
) -> tuple[Plane, ...]:
    """The planes of a scan; the first is the one that the model sees.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (D, H, W) as seen.
    view : View
        How the scan was turned.
    geometry : Geometry or None
        Of the volume as stored.
    spacing : ndarray or None
        In mm along x, y and, of a volume, z as seen.

    Returns
    -------
    tuple of Plane
        One for an image and for a volume of one slice, else three.
    """
    sizes = shape[::-1]
    lengths = (1.0,) * 3 if spacing is None else tuple(float(mm) for mm in spacing)
    if len(shape) == 2:
        pixel = (lengths[0], lengths[1])
        return (Plane("image", 2, 0, 1, False, False, sizes[0], sizes[1], 1, pixel, ("",) * 4),)
    if geometry is None:
        planes = [_plane(name, (through, across, down), (1, 1, 1), ("", "", ""), sizes, lengths)
                  for name, through, across, down in _PLAIN]  # fmt: skip
        return tuple(planes[:1] if sizes[2] == 1 else planes)
    along = patient_axes(geometry.affine)
    seen = [along[axis] for axis in view.axes]
    signs = [
        int(np.sign(geometry.affine[along[axis], axis])) * (-1 if turned else 1)
        for axis, turned in zip(view.axes, view.reversed, strict=True)
    ]
    names = ["", "", ""]
    for k in range(3):
        names[k] = (_POSITIVE if signs[k] > 0 else _NEGATIVE)[seen[k]]
    found = []
    for through in (2, 1, 0):
        name, across, down = _LAYOUTS[seen[through]]
        axes = through, seen.index(across), seen.index(down)
        # Columns and rows run towards left, posterior and inferior: against R, A and S.
        wanted = (1, -signs[axes[1]], -signs[axes[2]])
        found.append(_plane(name, axes, wanted, (names[0], names[1], names[2]), sizes, lengths))
    return tuple(found[:1] if sizes[2] == 1 else found)


def _plane(
    name: str,
    axes: tuple[int, int, int],
    signs: tuple[int, int, int],
    towards: tuple[str, str, str],
    sizes: tuple[int, ...],
    lengths: tuple[float, ...],
) -> Plane:
    through, across, down = axes
    marks = (*_ends(towards[across], signs[1] < 0), *_ends(towards[down], signs[2] < 0))
    return Plane(
        name,
        *axes,
        signs[1] < 0,
        signs[2] < 0,
        sizes[across],
        sizes[down],
        sizes[through],
        (lengths[across], lengths[down]),
        marks,
    )


def _ends(towards: str, turned: bool) -> tuple[str, str]:
    """The letters at the start and the end of an axis that runs towards a direction, perhaps seen from its end."""
    if not towards:
        return "", ""
    letters = _POSITIVE + _NEGATIVE
    opposite = letters[(letters.index(towards) + 3) % 6]
    return (towards, opposite) if turned else (opposite, towards)
