"""The treatments of a case: the corrected one, and each model's published one, quirks included.

A protocol decides how a box enters the frame, how far a mask may leave its box, which slices of a volume belong to an
object, and how the mask of one slice becomes the box on the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from ...errors import LiteMedSamError
from .frame import RESIZE, Frame

if TYPE_CHECKING:
    from .region import Region

# A box grows by this many frame pixels from slice to slice.
MARGIN = 3
_HALF = 0.5


@dataclass(frozen=True)
class SliceRange:
    """The slices that an object's box covers, in the order of propagation.

    Attributes
    ----------
    middle : int
        The slice on which the given box itself is used.
    up, down : range
        The slices after it, upwards from middle + 1 and downwards from middle − 1.
    """

    middle: int
    up: range
    down: range


@dataclass(frozen=True)
class Passage:
    """What an object passes on from one slice of a volume to the next.

    Attributes
    ----------
    region : Region
        Its mask on the slice before.
    number : int
        Its label.
    given : ndarray
        Its own box (4,) in image pixels.
    upwards : bool
        Whether the next slice has the higher index.
    widths : tuple of float
        `ellipsoid_width` on the slice before and on the next one.
    """

    region: Region
    number: int
    given: np.ndarray
    upwards: bool
    widths: tuple[float, float]


class CaseProtocol(Protocol):
    """The treatment of boxes and slices; see the module's text."""

    name: str

    def box_in_frame(self, box: np.ndarray, frame: Frame) -> np.ndarray:
        """Convert a box (4,) in image pixels to frame pixels, float32 (4,)."""
        ...

    def bounded(self, region: Region, box: np.ndarray, frame: Frame) -> Region:
        """The part of a mask that remains within the bounds set by the object's own box (4,) in image pixels."""
        ...

    def slices(self, z_min: int, z_max: int) -> SliceRange:
        """The slices of an object; z_max is the index of its last slice."""
        ...

    def next_box(self, passage: Passage, frame: Frame) -> np.ndarray:
        """The box on the next slice, float32 (4,) in frame pixels; an empty mask gives it from the object's own box."""
        ...

    def next_scribble(self, passage: Passage, frame: Frame) -> np.ndarray | None:
        """The scribble on the next slice, bool (S, S); None if it is drawn from the box, as on the first slice."""
        ...


def ellipsoid_width(z: int, z_min: int, z_max: int) -> float:
    """The width of the ellipsoid that fills a box, on one slice, as a share of its largest width, in (0, 1].

    Parameters
    ----------
    z : int
        Within z_min and z_max.
    z_min, z_max : int
        First and last slice of the box.

    Notes
    -----
    √(1 − h²), h the distance of the slice's centre from the box's, in half thicknesses of the box.
    """
    height = (2 * z - z_min - z_max) / (z_max - z_min + 1)
    return float(np.sqrt(1 - height**2))


def _scaled(box: np.ndarray, frame: Frame) -> np.ndarray:
    return np.asarray(box, np.float64) * frame.scale


def _resized(box: np.ndarray, factor: float) -> np.ndarray:
    """Scale a box (4,) about its centre; sides include their last pixels and stay at least one pixel wide."""
    centre, sides = (box[:2] + box[2:]) / 2, box[2:] - box[:2] + 1
    half = np.maximum(sides * factor - 1, 0) / 2
    return np.concatenate([centre - half, centre + half])


def _within(box: np.ndarray, outer: np.ndarray) -> np.ndarray:
    inside: np.ndarray = np.clip(box, np.tile(outer[:2], 2), np.tile(outer[2:], 2))
    return inside


def _closed_range(z_min: int, z_max: int) -> SliceRange:
    middle = (z_min + z_max) // 2
    return SliceRange(middle, range(middle + 1, z_max + 1), range(middle - 1, z_min - 1, -1))


class Corrected:
    """Closed range of slices, unrounded boxes, masks cut at their boxes, every object treated alike.

    Where frame pixels are smaller than the image's, a box ends where its last pixel does.
    """

    name = "corrected"

    def box_in_frame(self, box: np.ndarray, frame: Frame) -> np.ndarray:
        """See `CaseProtocol.box_in_frame`; at a scale s above 1, pixel x covers the frame's x·s to (x + 1)·s − 1."""
        framed = _scaled(box, frame)
        last = np.array([frame.scaled_width, frame.scaled_height]) - 1
        # A box may end on the image's far edge, beyond its last pixel.
        framed[2:] = np.maximum(framed[2:], np.minimum(framed[2:] + frame.scale - 1, last))
        return framed.astype(np.float32)

    def bounded(self, region: Region, box: np.ndarray, frame: Frame) -> Region:
        """See `CaseProtocol.bounded`; a mask ends where its box does, at whole pixels."""
        low, high = np.floor(box[:2]), np.ceil(box[2:])
        return region.within((*low.astype(int), *high.astype(int)))

    def slices(self, z_min: int, z_max: int) -> SliceRange:
        """See `CaseProtocol.slices`; z_min and z_max belong to the object."""
        return _closed_range(z_min, z_max)

    def next_box(self, passage: Passage, frame: Frame) -> np.ndarray:
        """See `CaseProtocol.next_box`; never beyond the object's own box."""
        own, extent = self.box_in_frame(passage.given, frame), passage.region.extent()
        if extent is None:
            return own
        box = self.box_in_frame(np.array(extent), frame) + np.array([-MARGIN, -MARGIN, MARGIN, MARGIN], np.float32)
        return _within(box, own)

    def next_scribble(self, passage: Passage, frame: Frame) -> np.ndarray | None:
        """See `CaseProtocol.next_scribble`; none."""
        return None


class CorrectedEllipsoid(Corrected):
    """As `Corrected`, for weights that start from the ellipse in a box: in a volume, from the ellipsoid in the box.

    Masks of such weights follow the size of their boxes, which therefore have to shrink towards the object's ends.
    """

    def next_box(self, passage: Passage, frame: Frame) -> np.ndarray:
        """See `CaseProtocol.next_box`.

        Half-way between the ellipsoid's section and the previous mask, which is resized as the ellipsoid's section is.
        """
        own, extent = self.box_in_frame(passage.given, frame), passage.region.extent()
        before, here = passage.widths
        section = _resized(own, here)
        if extent is None:
            return section.astype(np.float32)
        passed_on = _within(_resized(self.box_in_frame(np.array(extent), frame), here / before), own)
        between: np.ndarray = (section + passed_on) / 2
        return between.astype(np.float32)


class CornerEllipsoid(CorrectedEllipsoid):
    """As `CorrectedEllipsoid`, for weights that learnt from boxes whose two corners were scaled."""

    def box_in_frame(self, box: np.ndarray, frame: Frame) -> np.ndarray:
        """See `CaseProtocol.box_in_frame`."""
        return _scaled(box, frame).astype(np.float32)


class CorrectedEllipsoidMask(CorrectedEllipsoid):
    """As `CorrectedEllipsoid`; and the scribble on a slice is the mask of the previous slice."""

    def next_scribble(self, passage: Passage, frame: Frame) -> np.ndarray | None:
        """See `CaseProtocol.next_scribble`: the mask, resized about its centre as the ellipsoid's section is."""
        extent = passage.region.extent()
        if extent is None:
            return None
        before, here = passage.widths
        factor, scale = here / before, frame.scale
        centre = (np.array(extent[:2]) + np.array(extent[2:])) / 2
        # Pixel centres lie half a pixel inside, in the image as in the frame.
        corner = np.array([passage.region.left, passage.region.top])
        shift = ((corner - centre) * factor + centre + 0.5) * scale - 0.5
        matrix = np.array([[factor * scale, 0, shift[0]], [0, factor * scale, shift[1]]])
        # The rim of zeros keeps interpolation from ending at the rectangle.
        rim = np.pad(passage.region.mask.astype(np.float32), 1)
        matrix[:, 2] -= factor * scale
        size = (frame.size, frame.size)
        moved = cv2.warpAffine(rim, matrix, size, flags=cv2.INTER_LINEAR) >= _HALF
        return moved if moved.any() else None


class PublishedLiteMedSAM:
    """The baseline's published script: closed range of slices, truncated boxes, area-averaged label masks.

    Source: https://github.com/bowang-lab/MedSAM, branch LiteMedSAM, of 23 May 2024.
    """

    name = "published"

    def box_in_frame(self, box: np.ndarray, frame: Frame) -> np.ndarray:
        """See `CaseProtocol.box_in_frame`; corners truncated to whole pixels."""
        corners: np.ndarray = np.trunc(_scaled(box, frame))
        return corners.astype(np.float32)

    def bounded(self, region: Region, box: np.ndarray, frame: Frame) -> Region:
        """See `CaseProtocol.bounded`; the whole mask."""
        return region

    def slices(self, z_min: int, z_max: int) -> SliceRange:
        """See `CaseProtocol.slices`; z_min and z_max belong to the object."""
        return _closed_range(z_min, z_max)

    def next_box(self, passage: Passage, frame: Frame) -> np.ndarray:
        """See `CaseProtocol.next_box`; depends on the object's number, and may reach into the padding.

        A mask that vanishes in the frame counts as empty.
        """
        dtype = np.dtype(np.uint8 if passage.number <= np.iinfo(np.uint8).max else np.uint16)
        label = passage.region.full(frame.height, frame.width).astype(dtype)
        label *= dtype.type(passage.number)
        scaled = cv2.resize(label, (frame.scaled_width, frame.scaled_height), interpolation=RESIZE)
        columns, rows = np.flatnonzero(scaled.any(axis=0)), np.flatnonzero(scaled.any(axis=1))
        if len(rows) == 0:
            return self.box_without_mask(passage, frame)
        box = np.array([columns[0] - MARGIN, rows[0] - MARGIN, columns[-1] + MARGIN, rows[-1] + MARGIN])
        inside: np.ndarray = np.clip(box, 0, frame.size)
        return inside.astype(np.float32)

    def next_scribble(self, passage: Passage, frame: Frame) -> np.ndarray | None:
        """See `CaseProtocol.next_scribble`; none."""
        return None

    def box_without_mask(self, passage: Passage, frame: Frame) -> np.ndarray:
        """The box after a slice with an empty mask, float32 (4,) in frame pixels."""
        return self.box_in_frame(passage.given, frame)


class PublishedSwinLiteMedSAM(PublishedLiteMedSAM):
    """Swin-LiteMedSAM's published script: an earlier state of the baseline's, with an open range of slices.

    Source: https://github.com/RuochenGao/Swin_LiteMedSAM. That script fails if a mask vanishes in the frame; here such
    a mask counts as empty.
    """

    def slices(self, z_min: int, z_max: int) -> SliceRange:
        """See `CaseProtocol.slices`; the first and the last slice are left out, but never the middle."""
        middle = (z_min + z_max) // 2
        return SliceRange(middle, range(middle + 1, z_max), range(middle - 1, z_min, -1))

    def box_without_mask(self, passage: Passage, frame: Frame) -> np.ndarray:
        """See `PublishedLiteMedSAM.box_without_mask`; not truncated on the way down."""
        scaled = _scaled(passage.given, frame).astype(np.float32)
        return np.trunc(scaled) if passage.upwards else scaled


CORRECTED = Corrected()
# The corrected ways from slice to slice, by the names that bundles use.
PASSAGES = {
    "margin": CORRECTED,
    "ellipsoid": CorrectedEllipsoid(),
    "ellipsoid_corners": CornerEllipsoid(),
    "ellipsoid_mask": CorrectedEllipsoidMask(),
}
# For bundles without a passage, by the name of their automatic scribble.
_PASSAGE_OF_SCRIBBLE = {"ellipse": "ellipsoid_corners"}
# The published protocols, by the names that bundles use.
PUBLISHED = {"swin_litemedsam": PublishedSwinLiteMedSAM(), "litemedsam": PublishedLiteMedSAM()}


def protocol_named(name: str, pipeline: str, scribble: str = "stroke", passage: str = "") -> CaseProtocol:
    """The protocol of a name.

    Parameters
    ----------
    name : str
        ``corrected`` or ``published``.
    pipeline : str
        The published one: a key of `PUBLISHED`.
    scribble : str
        The automatic scribble's name, a key of `inference.automatic_prompts.SCRIBBLES`.
    passage : str
        The corrected one: a key of `PASSAGES`. If it is empty, the scribble decides.

    Raises
    ------
    LiteMedSamError
        When there is no such protocol.
    """
    if name == CORRECTED.name:
        asked = passage or _PASSAGE_OF_SCRIBBLE.get(scribble, "margin")
        if asked not in PASSAGES:
            raise LiteMedSamError(
                f"the model asks for the passage {asked!r}; this version knows: {', '.join(PASSAGES)}",
                "use a newer version of litemedsam",
            )
        return PASSAGES[asked]
    if name != "published":
        raise LiteMedSamError(f"unknown protocol {name!r}; expected one of: corrected, published")
    if pipeline not in PUBLISHED:
        raise LiteMedSamError(
            f"the model asks for the published protocol {pipeline!r}; this version knows: {', '.join(PUBLISHED)}",
            "use the protocol corrected, or a newer version of litemedsam",
        )
    return PUBLISHED[pipeline]
