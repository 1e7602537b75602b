"""A scan as a file holds it, and its way to a case and back to the file's own grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...errors import LiteMedSamError
from ..case import Case, checked_boxes, checked_case, checked_spacing
from .geometry import Geometry, View, radiological_view
from .intensity import Scaling, check_finite, usual_scaling


@dataclass(frozen=True)
class Scan:
    """What a file holds, before anything is done to it.

    Attributes
    ----------
    name : str
        Where it comes from, for messages.
    voxels : ndarray
        An image (H, W), a volume (D, H, W), either with a last axis of 3 colours (uint8) or without (any real
        type). The index of a box' x is the last axis', the first of NIfTI's and the column of a picture's.
    is_volume : bool or None
        None where the boxes decide it, as in npz files.
    geometry : Geometry or None
        Of a volume's grid, where the file tells it.
    spacing : ndarray or None
        float64, in mm along x, y and, for a volume, z; None where the file does not tell.
    modality : str
        As DICOM codes it (``CT``, ``MR``, ``PT``, …); empty where the file does not tell.
    inverted : bool
        Whether high values are dark.
    boxes : ndarray or None
        Those that the file itself holds.
    ready : bool
        Whether the voxels are pixels in 0..255 already and are never windowed.
    names : mapping of int to str
        Of the labels of a mask, where the file names them.
    origin : object
        What the file's format needs to write results like it.
    """

    name: str
    voxels: np.ndarray
    is_volume: bool | None = None
    geometry: Geometry | None = None
    spacing: np.ndarray | None = None
    modality: str = ""
    inverted: bool = False
    boxes: np.ndarray | None = None
    ready: bool = False
    names: Mapping[int, str] = field(default_factory=dict)
    origin: Any = None

    @property
    def coloured(self) -> bool:
        """Whether the last axis holds colours; False where it cannot be told."""
        return self.is_volume is not None and self.voxels.ndim == (4 if self.is_volume else 3)

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the label map: (H, W) or (D, H, W); for npz files all axes, colours included."""
        return self.voxels.shape[:-1] if self.coloured else self.voxels.shape

    def view(self) -> View | None:
        """How it is turned for the model; None for an image, which is seen as it is stored."""
        if self.is_volume is None or not self.is_volume:
            return None
        return View(self.grid) if self.geometry is None else radiological_view(self.geometry, self.grid)


def with_spacing(scan: Scan, spacing: Sequence[float] | None) -> Scan:
    """A scan whose file does not tell its spacing, with a given one; where it lies stays unknown.

    Parameters
    ----------
    scan : Scan
    spacing : sequence of float or None
        In mm along x, y and, for a volume, z; None leaves the scan as it is.

    Raises
    ------
    LiteMedSamError
        When the file tells its spacing or may hold one, and for other than one positive number per axis.
    """
    if spacing is None:
        return scan
    if scan.is_volume is None:
        raise LiteMedSamError(
            f"{scan.name}: an npz file has its spacing under the key spacing, (3,) in mm", "leave --spacing out"
        )
    if scan.spacing is not None:
        known = " × ".join(f"{mm:g}" for mm in scan.spacing)
        raise LiteMedSamError(f"{scan.name}: tells its own spacing, {known} mm", "leave --spacing out")
    axes = len(scan.grid)
    if np.size(spacing) != axes:
        what = "a volume" if scan.is_volume else "an image"
        raise LiteMedSamError(
            f"{scan.name}: a spacing of {np.size(spacing)} numbers for {what}, expected {axes}",
            "give one number per axis",
        )
    return replace(scan, spacing=checked_spacing(scan.name, spacing, axes))


@dataclass(frozen=True)
class Mask:
    """Labels that objects are taken from, on the grid of a scan.

    Attributes
    ----------
    labels : ndarray
        Integers (H, W) or (D, H, W), 0 for background.
    names : mapping of int to str
        Of those labels that the file names.
    """

    labels: np.ndarray
    names: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scribble:
    """What a user drew on one object.

    Attributes
    ----------
    strokes : tuple of ndarray
        Each float64 (k, 2) x, y or (k, 3) x, y, z, at least one place; straight lines join them.
    width : float
        Of all strokes, in voxels.
    """

    strokes: tuple[np.ndarray, ...]
    width: float


@dataclass(frozen=True)
class Objects:
    """What is to be segmented in one scan, in indices of its stored voxels.

    Attributes
    ----------
    boxes : ndarray
        (N, 4) or (N, 6), see `Case`.
    names : tuple of str
        One per object, empty where it has none.
    points : mapping of int to ndarray
        Object number to float64 (k, 2) x, y or (k, 3) x, y, z; objects without points are not in it.
    scribbles : ndarray or None
        Integers of the grid's shape; object k's stroke where they are k.
    drawn : mapping of int to Scribble
        Object number to further strokes; objects without any are not in it.
    """

    boxes: np.ndarray
    names: tuple[str, ...] = ()
    points: Mapping[int, np.ndarray] = field(default_factory=dict)
    scribbles: np.ndarray | None = None
    drawn: Mapping[int, Scribble] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """A scan and its objects as the model sees them.

    Attributes
    ----------
    case : Case
    view : View or None
        How a volume was turned; None for an image.
    objects : Objects
        In indices as seen.
    boxes : ndarray
        float64 (N, 4) or (N, 6), in indices of the stored voxels.
    notes : tuple of str
        What the user should know.
    voxel_volume : float or None
        In cubic millimetres, of a grid whose geometry is known; a sheared one's is below its spacings' product.
    """

    case: Case
    view: View | None
    objects: Objects
    boxes: np.ndarray
    notes: tuple[str, ...] = ()
    voxel_volume: float | None = None

    def restore(self, labels: np.ndarray) -> np.ndarray:
        """A label map as seen, on the file's own grid."""
        return labels if self.view is None else self.view.restore(labels)


def _turned_objects(objects: Objects, view: View) -> Objects:
    return replace(
        objects,
        boxes=view.see_boxes(objects.boxes),
        points={number: view.see_points(points) for number, points in objects.points.items()},
        scribbles=None if objects.scribbles is None else view.see(objects.scribbles),
        drawn={
            number: replace(scribble, strokes=tuple(view.see_points(stroke) for stroke in scribble.strokes))
            for number, scribble in objects.drawn.items()
        },
    )


def _check_not_colours(scan: Scan, boxes: np.ndarray) -> None:
    """A volume three voxels wide is allowed, but wider boxes tell that colours are meant."""
    six = boxes.ndim == 2 and boxes.shape[1] == 6
    if six and scan.voxels.ndim == 3 and scan.voxels.shape[-1] == 3 and (boxes[:, [0, 3]] > 3).any():
        raise LiteMedSamError(
            f"{scan.name}: a box of 6 numbers for an image in colour, shape {scan.voxels.shape}", "give x0,y0,x1,y1"
        )


def _for_volume(scan: Scan, boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes)
    if boxes.ndim == 2 and boxes.shape[1] == 4:
        if scan.grid[0] != 1:
            raise LiteMedSamError(
                f"{scan.name}: a box of 4 numbers for a volume of {scan.grid[0]} slices",
                "give x0,y0,z0,x1,y1,z1; the range of slices may be short",
            )
        zero = np.zeros((len(boxes), 1))
        return np.hstack([boxes[:, :2], zero, boxes[:, 2:], zero])
    return boxes


def prepare(scan: Scan, objects: Objects, scaling: Scaling | None = None) -> Prepared:
    """Turn, scale and check a scan and its objects.

    Parameters
    ----------
    scan : Scan
    objects : Objects
        In indices of the stored voxels.
    scaling : Scaling, optional
        What is usual for the scan when absent; see `usual_scaling`. Colours and ready pixels stay as they are.

    Raises
    ------
    LiteMedSamError
        For NaN, and for boxes that do not fit; see `checked_case`.
    """
    notes: tuple[str, ...] = ()
    if scan.ready:
        pixels = scan.voxels
    elif scan.coloured:
        pixels = 255 - scan.voxels if scan.inverted else scan.voxels
    else:
        check_finite(scan.name, scan.voxels)
        if scaling is None:
            scaling, guessed = usual_scaling(scan.voxels, scan.modality)
            if guessed:
                notes = (f"{scan.name}: raw Hounsfield units, {scaling.text}; choose another with --window",)
        pixels = scaling.pixels(scan.name, scan.voxels)
        if scan.inverted:
            pixels = 255 - pixels
    if scan.is_volume is None:
        _check_not_colours(scan, objects.boxes)
        case = checked_case(scan.name, pixels, objects.boxes, scan.spacing)
        return Prepared(case, None, objects, case.boxes, notes)
    if not scan.is_volume:
        if objects.boxes.ndim == 2 and objects.boxes.shape[1] == 6:
            raise LiteMedSamError(
                f"{scan.name}: a box of 6 numbers for an image of {scan.grid[1]} × {scan.grid[0]} pixels",
                "give x0,y0,x1,y1",
            )
        boxes = checked_boxes(scan.name, objects.boxes, scan.grid)
        return Prepared(Case(scan.name, pixels, boxes, scan.spacing), None, objects, boxes, notes)
    view = scan.view()
    # Checked as the user gave them, so that messages show the user's own numbers.
    boxes = checked_boxes(scan.name, _for_volume(scan, objects.boxes), scan.grid, whole="xyz"[view.axes[2]])
    objects = _turned_objects(replace(objects, boxes=boxes), view)
    spacing = None if scan.spacing is None else view.see_spacing(scan.spacing)
    volume = None if scan.geometry is None else scan.geometry.voxel_volume
    return Prepared(Case(scan.name, view.see(pixels), objects.boxes, spacing), view, objects, boxes, notes, volume)
