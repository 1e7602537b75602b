"""What a user of nnInteractive's clients draws, and the object that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ....errors import LiteMedSamError

if TYPE_CHECKING:
    from ....engine.inference.case_segmenter import Progress
    from ....engine.predictor import Predictor
    from ....engine.sessions.history import ObjectHistory
    from ....engine.sessions.volume import VolumeSession

Place = tuple[int, int, int]
"""Index of a voxel along the array's three axes."""

# The clients wait for 60 seconds.
_PATIENCE_SECONDS = 45.0


class TurnedVolume:
    """A volume that is cut into slices along any of its axes; each direction is opened when it is first used.

    Parameters
    ----------
    predictor : Predictor
    pixels : ndarray
        uint8 (A, B, C).
    """

    def __init__(self, predictor: Predictor, pixels: np.ndarray):
        self._predictor = predictor
        self.pixels = pixels
        self._sessions: dict[int, VolumeSession] = {}

    @property
    def nbytes(self) -> int:
        """Memory of the pixels, in bytes, if all directions are used."""
        return int(self.pixels.nbytes) * 4

    def along(self, axis: int) -> VolumeSession:
        """The volume in slices along an axis; the other two are its rows and columns."""
        if axis not in self._sessions:
            session = self._predictor.open(np.moveaxis(self.pixels, axis, 0), volume=True)
            self._sessions[axis] = session  # type: ignore[assignment]
        return self._sessions[axis]

    def close(self) -> None:
        """Free the embeddings."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()


def turned(place: Sequence[int], axis: int) -> list[int]:
    """x, y, z of a place in slices along an axis."""
    row, column = (k for n, k in enumerate(place) if n != axis)
    return [column, row, place[axis]]


@dataclass(frozen=True)
class SegmentedObject:
    """An object as it is after some interactions.

    Attributes
    ----------
    axis : int
        The slices are cut along it.
    history : ObjectHistory
    """

    axis: int
    history: ObjectHistory

    @property
    def mask(self) -> np.ndarray:
        """bool (A, B, C)."""
        return np.moveaxis(self.history.mask, 0, self.axis)


class Interaction(Protocol):
    """Something that a user draws."""

    def applied(self, volume: TurnedVolume, before: SegmentedObject | None) -> SegmentedObject:
        """The object after it.

        Parameters
        ----------
        volume : TurnedVolume
        before : SegmentedObject or None

        Raises
        ------
        LiteMedSamError
            When it makes no sense here.
        """
        ...


@dataclass(frozen=True)
class DrawnBox:
    """A box, which begins the object anew; flat along one axis, it is followed along that axis to the object's ends.

    Attributes
    ----------
    low, high : Place
        First and last voxel.
    """

    low: Place
    high: Place

    def applied(self, volume: TurnedVolume, before: SegmentedObject | None) -> SegmentedObject:
        """See `Interaction.applied`."""
        flat = [axis for axis in range(3) if self.low[axis] == self.high[axis] and volume.pixels.shape[axis] > 1]
        axis = flat[0] if len(flat) == 1 else 0
        session, progress = volume.along(axis), _within(_PATIENCE_SECONDS)
        x_min, y_min, first = turned(self.low, axis)
        x_max, y_max, last = turned(self.high, axis)
        box = np.array([x_min, y_min, first, x_max, y_max, last], float)
        if first == last:
            box = session.extend([x_min, y_min, x_max, y_max], first, progress)
        return SegmentedObject(axis, session.begin(box, progress))


@dataclass(frozen=True)
class SetPoint:
    """A point that corrects the object.

    Attributes
    ----------
    place : Place
    adds : bool
        Whether it belongs to the object.
    """

    place: Place
    adds: bool

    def applied(self, volume: TurnedVolume, before: SegmentedObject | None) -> SegmentedObject:
        """See `Interaction.applied`."""
        present = _begun(before)
        x, y, z = turned(self.place, present.axis)
        add, remove = ([[x, y]], None) if self.adds else (None, [[x, y]])
        return replace(present, history=volume.along(present.axis).correct(present.history, z, add, remove))


@dataclass(frozen=True)
class DrawnScribble:
    """A scribble that corrects the object on every slice that it touches within the object's box.

    Attributes
    ----------
    origin : Place
        Of the mask's first voxel.
    mask : ndarray
        bool, of three axes, true along the scribble.
    adds : bool
    """

    origin: Place
    mask: np.ndarray
    adds: bool

    def applied(self, volume: TurnedVolume, before: SegmentedObject | None) -> SegmentedObject:
        """See `Interaction.applied`."""
        present = _begun(before)
        session, axis = volume.along(present.axis), present.axis
        pages = np.moveaxis(self.mask, axis, 0)
        left, top, first = turned(self.origin, axis)
        low, high = present.history.box[[2, 5]]
        history = present.history
        drawn = [k for k in np.flatnonzero(pages.any(axis=(1, 2))) if low <= first + k <= high]
        if not drawn:
            raise LiteMedSamError("the scribble lies on no slice of the object's box", "draw it on the box's slices")
        for k in drawn:
            page = np.zeros(session.shape[1:], bool)
            page[top : top + pages.shape[1], left : left + pages.shape[2]] = pages[k]
            add, remove = (page, None) if self.adds else (None, page)
            history = session.correct(history, int(first + k), add_stroke=add, remove_stroke=remove)
        return replace(present, history=history)


def _begun(before: SegmentedObject | None) -> SegmentedObject:
    if before is None:
        raise LiteMedSamError("there is no box yet", "draw a box around the object first")
    return before


def _within(seconds: float) -> Progress:
    """A watcher of progress that ends what takes too long."""
    end = monotonic() + seconds

    def progress(done: int, total: int) -> None:
        if monotonic() > end:
            raise LiteMedSamError(
                f"the object takes more than {seconds:g} seconds", "draw a box with its slices, or a smaller one"
            )

    return progress
