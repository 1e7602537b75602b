"""Clients of nnInteractive's protocol, each with one image and one object at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from ....engine.scan.intensity import check_finite, usual_scaling
from ....errors import LiteMedSamError
from ...refusal import CONFLICT, FULL, GONE, Refusal
from .interactions import TurnedVolume

if TYPE_CHECKING:
    from ....engine.predictor import Predictor
    from .interactions import Interaction, SegmentedObject

IDLE_SECONDS, LIVENESS_SECONDS = 600.0, 60.0
"""A lease ends when nothing is drawn, and when no heartbeat comes, for so long."""

# Steps that can be undone.
_MOST_STEPS = 20
_BUFFERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "bool", "float32")
_IMAGE = "the image"


@dataclass(frozen=True)
class Change:
    """The part of the target buffer that a prediction has changed.

    Attributes
    ----------
    box : list of (int, int)
        First index, and the one after the last, along each axis.
    values : ndarray
        The new content of that part, in the buffer's type.
    """

    box: list[tuple[int, int]]
    values: np.ndarray


class Lease:
    """One client's image, object and target buffer; one call at a time.

    Parameters
    ----------
    key : str
    predictor : Predictor
    """

    def __init__(self, key: str, predictor: Predictor):
        self.key = key
        self.used = self.alive = monotonic()
        self._predictor = predictor
        self._volume: TurnedVolume | None = None
        self._states: list[SegmentedObject | None] = [None]
        self._waiting: list[Interaction] = []
        self._buffer = np.dtype(np.uint8)
        self._calling = Lock()

    @property
    def nbytes(self) -> int:
        """Memory of the image, in bytes."""
        return 0 if self._volume is None else self._volume.nbytes

    def set_image(self, image: np.ndarray) -> None:
        """Take an image, and forget the one before.

        Parameters
        ----------
        image : ndarray
            Numbers (1, A, B, C); Hounsfield units are told by their range, as those of files without a modality.

        Raises
        ------
        LiteMedSamError
            For other shapes, NaN or infinity.
        """
        if image.ndim != 4 or image.shape[0] != 1 or image.size == 0:
            raise LiteMedSamError(f"an image of shape {image.shape}, expected (1, A, B, C)", "send one channel")
        if image.dtype.kind not in "uif":
            raise LiteMedSamError(f"an image of type {image.dtype}, expected numbers")
        values = image[0]
        check_finite(_IMAGE, values)
        scaling, _ = usual_scaling(values, "")
        volume = TurnedVolume(self._predictor, scaling.pixels(_IMAGE, values))
        with self._calling:
            self._forget()
            self._volume = volume

    def set_buffer(self, shape: object, dtype: object) -> None:
        """Take the shape and type of the client's target buffer.

        Raises
        ------
        LiteMedSamError
            Before an image, and for other shapes than the image's, or other types.
        """
        with self._calling:
            expected = list(self._opened().pixels.shape)
            if shape != expected:
                raise LiteMedSamError(f"a target buffer of shape {str(shape)[:60]}, expected {expected}")
            if dtype not in _BUFFERS:
                raise LiteMedSamError(
                    f"a target buffer of type {str(dtype)[:20]!r}, expected one of: {', '.join(_BUFFERS)}"
                )
            self._buffer = np.dtype(dtype)
            self._reset()

    def shape(self) -> tuple[int, int, int]:
        """(A, B, C) of the image; raises where there is none."""
        a, b, c = self._opened().pixels.shape
        return a, b, c

    def interact(self, interaction: Interaction, run: bool) -> Change | None:
        """Take an interaction, and predict unless the client wants to do so later.

        Returns
        -------
        Change or None
            None where nothing was predicted, or nothing has changed.

        Raises
        ------
        LiteMedSamError
            As `Interaction.applied`; the object stays as it was.
        """
        with self._calling:
            self._waiting.append(interaction)
            return self._predicted() if run else None

    def predict(self) -> tuple[bool, Change | None]:
        """Predict what waits; whether anything did, and the change. Raises as `interact`."""
        with self._calling:
            return (True, self._predicted()) if self._waiting else (False, None)

    def _predicted(self) -> Change | None:
        volume, waiting, state = self._opened(), self._waiting, self._states[-1]
        self._waiting = []
        for interaction in waiting:
            state = interaction.applied(volume, state)
        self._states = [*self._states, state][-_MOST_STEPS - 1 :]
        return self._change(self._states[-2], state)

    def undo(self) -> tuple[bool, Change | None]:
        """Go back one prediction; whether there was one, and the change."""
        with self._calling:
            if len(self._states) == 1:
                return False, None
            gone = self._states.pop()
            return True, self._change(gone, self._states[-1])

    def reset(self) -> None:
        """Forget the object."""
        with self._calling:
            self._reset()

    def _reset(self) -> None:
        self._states, self._waiting = [None], []

    def close(self) -> None:
        """Free the image's memory."""
        with self._calling:
            self._forget()

    def _forget(self) -> None:
        self._reset()
        if self._volume is not None:
            self._volume.close()
        self._volume = None

    def _opened(self) -> TurnedVolume:
        if self._volume is None:
            raise Refusal(CONFLICT, "there is no image yet", "set the image first")
        return self._volume

    def _change(self, before: SegmentedObject | None, after: SegmentedObject | None) -> Change | None:
        masks = [state.mask for state in (before, after) if state is not None]
        extents = [np.array(extent) for mask in masks if (extent := _extent(mask)) is not None]
        if not extents:
            return None
        low, high = np.min(extents, axis=0)[:, 0], np.max(extents, axis=0)[:, 1]
        box = [(int(a), int(b)) for a, b in zip(low, high, strict=True)]
        part = tuple(slice(a, b) for a, b in box)
        if after is None:
            return Change(box, np.zeros(high - low, self._buffer))
        return Change(box, after.mask[part].astype(self._buffer))


def _extent(mask: np.ndarray) -> list[tuple[int, int]] | None:
    """First index, and the one after the last, along each axis; None for an empty mask."""
    found = []
    for axis in range(mask.ndim):
        others = tuple(k for k in range(mask.ndim) if k != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        if not len(inside):
            return None
        found.append((int(inside[0]), int(inside[-1]) + 1))
    return found


class Leases:
    """All leases of a server, within its limits of number and memory.

    Parameters
    ----------
    predictor : callable
        Gives the predictor, perhaps after it has been loaded.
    most : int
    most_bytes : int
        Memory of all images.
    """

    def __init__(self, predictor: Callable[[], Predictor], most: int, most_bytes: int):
        self._predictor = predictor
        self.most = most
        self.most_bytes = most_bytes
        self._leases: dict[str, Lease] = {}
        self._changing = Lock()

    def claim(self) -> Lease:
        """A new lease.

        Raises
        ------
        LiteMedSamError
            When there are too many.
        """
        predictor = self._predictor()
        self.tidy()
        with self._changing:
            if len(self._leases) >= self.most:
                raise Refusal(
                    FULL, f"{len(self._leases)} clients are connected, expected at most {self.most}", "try again later"
                )
            lease = Lease(secrets.token_urlsafe(18), predictor)
            self._leases[lease.key] = lease
            return lease

    def get(self, key: str, working: bool = True) -> Lease:
        """The lease of a key, which counts as alive and, if it works, as used.

        Raises
        ------
        LiteMedSamError
            When there is none.
        """
        with self._changing:
            lease = self._leases.get(key)
            if lease is None:
                raise Refusal(GONE, "this lease is unknown or has ended", "connect again")
            lease.alive = monotonic()
            if working:
                lease.used = lease.alive
            return lease

    def room(self, lease: Lease) -> int:
        """Bytes that a lease's next image may take, with all other images in memory."""
        with self._changing:
            return max(0, self.most_bytes - sum(each.nbytes for each in self._leases.values() if each is not lease))

    def release(self, key: str) -> None:
        """End a lease; raises as `get`."""
        lease = self.get(key)
        with self._changing:
            self._leases.pop(key, None)
        lease.close()

    def tidy(self) -> None:
        """End the leases of clients that have gone or do nothing."""
        now = monotonic()
        with self._changing:
            over = [
                lease
                for lease in self._leases.values()
                if now - lease.alive > LIVENESS_SECONDS or now - lease.used > IDLE_SECONDS
            ]
            for lease in over:
                del self._leases[lease.key]
        for lease in over:
            lease.close()

    def close(self) -> None:
        """End all leases."""
        with self._changing:
            leases, self._leases = list(self._leases.values()), {}
        for lease in leases:
            lease.close()
