"""An object that a user corrects: every state is kept, so that undo and redo give the very same masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..inference.corrections import CorrectedObject
    from ..inference.prompt import Correction


@dataclass(frozen=True)
class ObjectHistory:
    """The states of one object, and which of them is the present one.

    Attributes
    ----------
    states : tuple of CorrectedObject
        The first is the box's own.
    corrections : tuple of Correction
        What led from each state to the next.
    at : int
        Index of the present state.
    shape : tuple of int
        (H, W) of an image, (D, H, W) of a volume.
    """

    states: tuple[CorrectedObject, ...]
    corrections: tuple[Correction, ...]
    at: int
    shape: tuple[int, ...]

    @classmethod
    def begun(cls, state: CorrectedObject, shape: tuple[int, ...]) -> ObjectHistory:
        """The history of an object that was not corrected yet."""
        return cls((state,), (), 0, shape)

    @property
    def state(self) -> CorrectedObject:
        """The present state."""
        return self.states[self.at]

    @property
    def box(self) -> np.ndarray:
        """(4,) or (6,), the box that the user gave."""
        return self.state.box

    @property
    def score(self) -> np.float32:
        """Predicted IoU, in a volume the mean over the slices; not confined to [0, 1]."""
        return self.state.score

    @property
    def applied(self) -> tuple[Correction, ...]:
        """The corrections that led to the present state."""
        return self.corrections[: self.at]

    @cached_property
    def mask(self) -> np.ndarray:
        """The present mask, bool (H, W) or (D, H, W)."""
        mask = np.zeros(self.shape, bool)
        pages = mask if mask.ndim == 3 else mask[None]
        for z, one in self.state.slices.items():
            pages[z][one.region.window] |= one.region.mask
        return mask

    def corrected(self, correction: Correction, state: CorrectedObject) -> ObjectHistory:
        """The history with a further state; states that were undone are forgotten."""
        states = (*self.states[: self.at + 1], state)
        return ObjectHistory(states, (*self.applied, correction), self.at + 1, self.shape)

    def undo(self) -> ObjectHistory:
        """The state before; the first state stays."""
        return ObjectHistory(self.states, self.corrections, max(0, self.at - 1), self.shape)

    def redo(self) -> ObjectHistory:
        """The state that was undone last; the last state stays."""
        return ObjectHistory(self.states, self.corrections, min(len(self.states) - 1, self.at + 1), self.shape)
