"""The masks of a session's objects: computed in the background, kept as long as an undo may need them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError

if TYPE_CHECKING:
    from ...engine.inference.case_segmenter import Progress
    from .objects import Box, Prompt

# Masks that no present object has; an undo computes them again once they are dropped.
_KEPT_BYTES = 256_000_000
_REMEDY = "undo the last step, or move the box"


@dataclass(frozen=True)
class ObjectMask:
    """One object's mask, confined to its box.

    Attributes
    ----------
    low : tuple of int
        x, y and, of a volume, z of the first voxel, as seen.
    mask : ndarray
        bool (h, w) or (d, h, w).
    score : float
        Predicted IoU.
    """

    low: tuple[int, ...]
    mask: np.ndarray
    score: float

    @property
    def window(self) -> tuple[slice, ...]:
        """The mask's place in an array of the whole grid as seen."""
        starts = self.low[::-1]
        return tuple(slice(start, start + size) for start, size in zip(starts, self.mask.shape, strict=True))

    @property
    def voxels(self) -> int:
        """The number of pixels or voxels."""
        return int(np.count_nonzero(self.mask))

    @classmethod
    def of(cls, whole: np.ndarray, box: Box, score: float) -> ObjectMask:
        """The part within a box of a mask (H, W) or (D, H, W), which is empty outside."""
        rank = whole.ndim
        low, high = box[:rank], box[rank:]
        window = tuple(slice(a, b + 1) for a, b in zip(low[::-1], high[::-1], strict=True))
        return cls(tuple(low), whole[window].copy(), score)


class _NotWanted(Exception):
    """Ends a computation whose box the user has changed."""


Predict = Callable[["Prompt", "Progress"], ObjectMask]


class MaskKeeper:
    """Computes the masks of prompts and keeps them; for several threads.

    A mask depends on its prompt, the image and the settings alone, so that an undone step needs no new computation.

    Parameters
    ----------
    predict : callable
        Prompt and progress to mask; raises `LiteMedSamError`.
    pool : Executor
        Where it runs, one prompt of this session at a time.
    publish : callable
        Called with an event's name and content, from any thread.
    """

    def __init__(self, predict: Predict, pool: Executor, publish: Callable[[str, dict[str, object]], None]):
        self._predict = predict
        self._pool = pool
        self._publish = publish
        self._change = Condition()
        self._found: OrderedDict[Prompt, ObjectMask | LiteMedSamError] = OrderedDict()
        self._wanted: tuple[Prompt, ...] = ()
        self._running = False

    def want(self, prompts: Iterable[Prompt]) -> None:
        """The prompts of the present objects; those without a mask are computed, and others no longer."""
        with self._change:
            self._wanted = tuple(dict.fromkeys(prompts))
            # What failed is tried again when it is drawn again.
            for prompt in [prompt for prompt, found in self._found.items() if isinstance(found, LiteMedSamError)]:
                if prompt not in self._wanted:
                    del self._found[prompt]
            self._trim()
            if not self._running and self._next() is not None:
                self._running = True
                self._pool.submit(self._work)

    def get(self, prompt: Prompt) -> ObjectMask | LiteMedSamError | None:
        """The mask of a prompt, the error that it ended with, or None while it is computed."""
        with self._change:
            return self._found.get(prompt)

    def wait(self, prompts: Sequence[Prompt], seconds: float) -> bool:
        """Wait until all of some prompts are computed, for a limited time; whether they are."""
        with self._change:
            return self._change.wait_for(lambda: all(prompt in self._found for prompt in prompts), seconds)

    def _next(self) -> Prompt | None:
        return next((prompt for prompt in self._wanted if prompt not in self._found), None)

    def _trim(self) -> None:
        free = [prompt for prompt in self._found if prompt not in self._wanted]
        sizes = {prompt: found.mask.nbytes for prompt, found in self._found.items() if isinstance(found, ObjectMask)}
        total = sum(sizes.values())
        for prompt in free:
            if total <= _KEPT_BYTES:
                break
            total -= sizes.get(prompt, 0)
            del self._found[prompt]

    def _work(self) -> None:
        while True:
            with self._change:
                prompt = self._next()
                if prompt is None:
                    self._running = False
                    self._change.notify_all()
                    return
            found = self._computed(prompt)
            with self._change:
                if found is not None:
                    self._found[prompt] = found
                self._change.notify_all()
            if found is not None:
                self._publish("masks", {})

    def _computed(self, prompt: Prompt) -> ObjectMask | LiteMedSamError | None:
        """The mask or error of a prompt; None if it is no longer wanted."""

        def progress(done: int, total: int) -> None:
            if prompt not in self._wanted:
                raise _NotWanted
            self._publish("progress", {"done": done, "total": total})

        try:
            return self._predict(prompt, progress)
        except _NotWanted:
            return None
        except LiteMedSamError as error:
            return error
        except MemoryError:
            return LiteMedSamError("there is not enough memory for this mask", _REMEDY)
        except Exception as error:  # noqa: BLE001 - the worker's thread must outlive a runtime's failure
            return LiteMedSamError(f"the model failed ({type(error).__name__})", _REMEDY)
