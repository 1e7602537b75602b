"""The states of an object that a user corrects. All are kept, so that undo and redo give exactly the same masks."""

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
    """The states of one object, with the index of the present state.

    Attributes
    ----------
    states : tuple of CorrectedObject
        The first is the mask of the box alone.
    corrections : tuple of Correction
        The corrections from each state to the next.
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
        """The history of an object before any correction."""
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
        """Predicted IoU; for a volume, the mean over the slices. Not confined to [0, 1]."""
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
        """The history with one state more. Undone states are dropped."""
        states = (*self.states[: self.at + 1], state)
        return ObjectHistory(states, (*self.applied, correction), self.at + 1, self.shape)

    def undo(self) -> ObjectHistory:
        """The history at the state before; at the first state, the same."""
        return ObjectHistory(self.states, self.corrections, max(0, self.at - 1), self.shape)

    def redo(self) -> ObjectHistory:
        """The history at the state that was undone last; at the last state, the same."""
        return ObjectHistory(self.states, self.corrections, min(len(self.states) - 1, self.at + 1), self.shape)
