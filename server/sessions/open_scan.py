"""A scan that is open: its values on screen, its place in the patient, and the engine's session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.inference.prompt import POINTS, check_correctable, check_taken
from ...engine.io.format_choice import format_choice
from ...engine.io.formats import format_of
from ...engine.objects.objects import ObjectPrompt, Objects
from ...engine.objects.prepare import Prepared, prepare
from ...engine.objects.user_prompts import user_prompts
from ...engine.running.job import Request
from ...engine.scan.intensity import scaling_named
from ...engine.sessions.volume import VolumeSession
from ...errors import LiteMedSamError
from .corrections import read_corrections
from .display import Display
from .masks import ObjectMask
from .planes import Plane, planes_of
from .repairs import Repairs

if TYPE_CHECKING:
    from ...engine.inference.case_segmenter import Progress
    from ...engine.inference.prompt import PromptSource
    from ...engine.predictor import Predictor
    from ...engine.scan.scan import Scan
    from ...engine.sessions.image import ImageSession
    from .objects import Box, Correction, Point


@dataclass(frozen=True)
class Reading:
    """How a file is to be read; the options of ``litemedsam-infer``.

    Attributes
    ----------
    window : str
        What the model sees, see `litemedsam.engine.scan.intensity.scaling_named`; the usual scaling where empty.
    time_point : int or None
        ``--frame``.
    series : str
        ``--series``; empty for none.
    allow_uneven : bool
        ``--allow-uneven``.
    """

    window: str = ""
    time_point: int | None = None
    series: str = ""
    allow_uneven: bool = False

    @property
    def arguments(self) -> list[str]:
        """The same as arguments of ``litemedsam-infer``."""
        given = [("--window", self.window), ("--frame", self.time_point), ("--series", self.series)]
        words = [word for option, value in given if value not in ("", None) for word in (option, str(value))]
        return [*words, *(["--allow-uneven"] if self.allow_uneven else [])]


@dataclass(frozen=True)
class OpenScan:
    """A scan that is open.

    Attributes
    ----------
    name : str
        For people and for the names of results; without folders.
    reading : Reading
    scan : Scan
    prepared : Prepared
        With one box, the whole grid; the pixels of its case are left out (all zero, without memory of their own).
    display : Display
    planes : tuple of Plane
        The first is the one that the model sees.
    session : ImageSession or VolumeSession
    predictor : Predictor
    own_format : str
        A key of `litemedsam.engine.io.formats.FORMATS`.
    """

    name: str
    reading: Reading
    scan: Scan
    prepared: Prepared
    display: Display
    planes: tuple[Plane, ...]
    session: ImageSession | VolumeSession
    predictor: Predictor
    own_format: str

    @classmethod
    def read(cls, path: Path, name: str, reading: Reading, predictor: Predictor) -> OpenScan:
        """Open a file, or the folder of a series.

        Parameters
        ----------
        path : Path
        name : str
            Takes the place of the path in messages.
        reading : Reading
        predictor : Predictor

        Raises
        ------
        LiteMedSamError
            For files that cannot be read, and options that do not suit them.
        """
        try:
            return cls._read(path, name, reading, predictor)
        except LiteMedSamError as error:
            # The server's own folders are nothing for the client.
            raise LiteMedSamError(error.message.replace(str(path), name), error.remedy or None) from error

    @classmethod
    def _read(cls, path: Path, name: str, reading: Reading, predictor: Predictor) -> OpenScan:
        scaling = scaling_named(reading.window) if reading.window else None
        formats = format_choice(reading.series or None, reading.allow_uneven)
        scan = Request(path, time_point=reading.time_point, formats=formats).read()
        if scan.is_volume is None:
            # An npz file leaves it to its boxes; here the shape decides.
            coloured = scan.voxels.ndim == 3 and scan.voxels.shape[2] == 3
            rank = 2 if scan.voxels.ndim == 2 or coloured else 3
            grid = scan.voxels.shape[:rank]
        else:
            grid = scan.grid
        whole = np.array([[*(0.0 for _ in grid), *(float(size - 1) for size in grid[::-1])]])
        prepared = prepare(scan, Objects.of_boxes(name, whole), scaling)
        case = prepared.case
        session = predictor.open(case.pixels, volume=case.is_volume)
        planes = planes_of(case.grid, prepared.view, scan.geometry if case.is_volume else None, case.spacing)
        display = Display.of(scan, prepared.view, scaling)
        zeros = np.broadcast_to(np.uint8(0), case.pixels.shape)
        prepared = replace(prepared, case=replace(case, pixels=zeros))
        return cls(name, reading, scan, prepared, display, planes, session, predictor, format_of(path).name)

    @property
    def grid(self) -> tuple[int, ...]:
        """(H, W) or (D, H, W) as seen."""
        return self.prepared.case.grid

    @property
    def nbytes(self) -> int:
        """Memory of the values and of the engine's pixels, in bytes."""
        return int(self.scan.voxels.nbytes + np.prod(self.prepared.case.pixels.shape, dtype=np.int64))

    def plane(self, name: str) -> Plane:
        """The plane of a name.

        Raises
        ------
        LiteMedSamError
            When the scan has none of that name.
        """
        found = next((plane for plane in self.planes if plane.name == name), None)
        if found is None:
            known = ", ".join(plane.name for plane in self.planes)
            raise LiteMedSamError(f"plane {name[:20]!r}, expected one of: {known}")
        return found

    @cached_property
    def repairs(self) -> Repairs:
        """The corrected objects of this scan."""
        return Repairs(self.session)

    def checked_box(self, box: object) -> Box:
        """A box within the grid as seen.

        Raises
        ------
        LiteMedSamError
            For other than 4 or 6 whole numbers in order and inside.
        """
        rank = len(self.grid)
        good = isinstance(box, list) and len(box) == 2 * rank
        if not (good and all(isinstance(value, int) and not isinstance(value, bool) for value in box)):  # type: ignore[attr-defined]
            raise LiteMedSamError(f"box is {str(box)[:60]}, expected {2 * rank} whole numbers")
        numbers: Box = tuple(box)  # type: ignore[arg-type]
        for axis, size, low, high in zip("xyz", self.grid[::-1], numbers[:rank], numbers[rank:], strict=False):
            if not 0 <= low <= high < size:
                raise LiteMedSamError(f"box: {axis} from {low} to {high}, expected an ascending range in 0..{size - 1}")
        return numbers

    def checked_points(self, points: object) -> tuple[Point, ...]:
        """Points within the grid as seen.

        Raises
        ------
        LiteMedSamError
            For other than up to four places of whole numbers inside, and where the model takes no points.
        """
        if not isinstance(points, list) or len(points) > POINTS:
            raise LiteMedSamError(f"points is {str(points)[:60]}, expected a list of at most {POINTS} points")
        if points:
            check_taken(self.predictor.network.info, ("points",))
        return tuple(map(self._checked_place, points))

    def checked_corrections(self, corrections: object) -> tuple[Correction, ...]:
        """Corrections within the grid as seen.

        Raises
        ------
        LiteMedSamError
            As `read_corrections`, and where the model takes none.
        """
        found = read_corrections(corrections, self._checked_place)
        if found:
            check_correctable(self.predictor.network.info)
        return found

    def _checked_place(self, place: object) -> Point:
        good = isinstance(place, list) and len(place) == len(self.grid)
        good = good and all(isinstance(k, int) and not isinstance(k, bool) for k in place)  # type: ignore[attr-defined]
        if not (good and all(0 <= k < n for k, n in zip(place, self.grid[::-1], strict=True))):  # type: ignore[call-overload]
            size = " × ".join(map(str, self.grid[::-1]))
            raise LiteMedSamError(f"a point is {str(place)[:60]}, expected whole numbers within {size}")
        return tuple(place)  # type: ignore[arg-type]

    def extended(self, box: Box, progress: Progress) -> Box:
        """A box of one slice, from the first slice of its object to the last.

        Parameters
        ----------
        box : Box
        progress : callable
            See `VolumeSession.extend`.

        Raises
        ------
        LiteMedSamError
            For an image, and for a box of several slices.
        """
        if not isinstance(self.session, VolumeSession):
            raise LiteMedSamError(f"{self.name}: an image has no further slices")
        x_min, y_min, first, x_max, y_max, last = box
        if first != last:
            raise LiteMedSamError(
                f"the box covers slices {first} to {last}, expected one slice to search from",
                "set its range to the slice where the object is clearest",
            )
        found = self.session.extend([x_min, y_min, x_max, y_max], first, progress)
        return (x_min, y_min, int(found[2]), x_max, y_max, int(found[5]))

    def encode(self, k: int) -> None:
        """Encode a slice before a box is drawn on it; an image is encoded when it is opened."""
        if isinstance(self.session, VolumeSession):
            self.session.encode(k)

    def predict(
        self,
        box: Box,
        progress: Progress,
        points: np.ndarray | None = None,
        corrections: tuple[Correction, ...] = (),
    ) -> ObjectMask:
        """The mask of a box.

        Parameters
        ----------
        box : Box
        progress : callable
            See `VolumeSession.predict`.
        points : ndarray, optional
            float64 (k, 2) or (k, 3) on the object, as seen; of each slice the last four count.
        corrections : tuple of Correction, optional
            In order; a model that takes them takes no points.

        Raises
        ------
        LiteMedSamError
            As `VolumeSession.predict`, and for points that the model does not take.
        """
        if corrections:
            history = self.repairs.history(box, corrections, progress)
            return ObjectMask.of(history.mask, _around(box, history.mask), float(history.score))
        boxes = np.array([box], np.float64)
        if isinstance(self.session, VolumeSession):
            prompts = None if points is None else self._prompts(boxes[0], points)
            volume = self.session.predict(boxes, prompts, progress)
            return ObjectMask.of(volume.masks[0], box, float(volume.scores[0]))
        progress(0, 1)
        image = self.session.predict(boxes, None if points is None else points[None, -POINTS:])
        return ObjectMask.of(image.masks[0], box, float(image.scores[0]))

    def _prompts(self, box: np.ndarray, points: np.ndarray) -> PromptSource:
        """The prompts of one object with points on some of its slices."""
        slices = np.rint(points[:, 2])
        kept = np.concatenate([points[slices == z][-POINTS:] for z in np.unique(slices)])
        objects = Objects((ObjectPrompt(box, points=kept),))
        case = replace(self.prepared.case, boxes=objects.boxes)
        prepared = replace(self.prepared, case=case, objects=objects)
        return user_prompts(prepared, self.predictor.prompts, self.predictor.network.info)

    def measure(self, mask: ObjectMask) -> dict[str, float | None]:
        """Volume in ml or area in mm², where the size of a voxel is known."""
        spacing, voxel = self.prepared.case.spacing, self.prepared.voxel_volume
        if len(self.grid) == 2:
            return {"mm2": None if spacing is None else mask.voxels * float(spacing[0] * spacing[1])}
        if voxel is None and spacing is not None:
            voxel = float(np.prod(spacing))
        return {"ml": None if voxel is None else mask.voxels * voxel / 1000}

    def voxel(self, place: tuple[int, ...]) -> dict[str, Any]:
        """What lies at a voxel as seen: its index in the file, its place in mm (RAS) and its value.

        Raises
        ------
        LiteMedSamError
            For a place outside.
        """
        if len(place) != len(self.grid) or not all(0 <= k < n for k, n in zip(place, self.grid[::-1], strict=True)):
            size = " × ".join(map(str, self.grid[::-1]))
            raise LiteMedSamError(f"voxel {place}, expected one within {size}")
        stored = self.prepared.view.stored_point(np.array(place, np.float64))
        geometry = self.scan.geometry if len(self.grid) == 3 else None
        mm = None if geometry is None else (geometry.affine @ [*stored, 1.0])[:3].round(3).tolist()
        value = self.display.values[place[::-1]]
        return {"index": [int(k) for k in stored], "mm": mm, "value": value.tolist()}

    def close(self) -> None:
        """Free the embeddings."""
        self.session.close()


def _around(box: Box, mask: np.ndarray) -> Box:
    """A box, grown to the mask (H, W) or (D, H, W) that corrections have let out of it."""
    rank = mask.ndim
    low, high = list(box[:rank]), list(box[rank:])
    for axis in range(rank):
        others = tuple(k for k in range(rank) if k != rank - 1 - axis)
        found = np.flatnonzero(mask.any(axis=others))
        if len(found):
            low[axis], high[axis] = min(low[axis], int(found[0])), max(high[axis], int(found[-1]))
    return (*low, *high)
