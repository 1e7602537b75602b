"""An opened volume."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from ..case import Case, checked_boxes, checked_pixels, label_dtype
from ..inference.corrections import CorrectedObject, Corrector
from ..inference.embeddings import EmbeddingCache, SliceEmbeddings
from ..inference.object_masks import ObjectDecoder, ObjectMask
from ..inference.propagation import propagate
from ..inference.range_search import RangeSearch
from ..system.calling_thread import CallingThread
from ..system.resources import require_memory
from ..system.stopwatch import Stopwatch
from .arguments import box_array, correction, image_array, one_box
from .history import ObjectHistory

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..inference.case_segmenter import Progress
    from ..inference.engine import Engine
    from ..inference.prompt import PromptSource


@dataclass(frozen=True)
class VolumePrediction:
    """Masks of n boxes in one volume.

    Attributes
    ----------
    masks : ndarray
        bool (n, D, H, W), in the order of the boxes; they may overlap.
    scores : ndarray
        float32 (n,), the mean over an object's slices of the predicted IoU; not confined to [0, 1].
    """

    masks: np.ndarray
    scores: np.ndarray

    @cached_property
    def labels(self) -> np.ndarray:
        """(D, H, W), 0 for background and k + 1 for object k; where objects overlap, the highest."""
        labels = np.zeros(self.masks.shape[1:], label_dtype(len(self.masks)))
        for number, mask in enumerate(self.masks, start=1):
            labels[mask] = number
        return labels


class VolumeSession:
    """A volume whose slices are encoded when a box first covers them; any number of threads may query it at once.

    The embeddings count towards the budget of the predictor that opened it. Slices beyond the budget are encoded again;
    the masks are the same.

    Parameters
    ----------
    engine : Engine
    volume : ndarray
        uint8 (D, H, W) or (D, H, W, 3) in RGB; other numbers in 0..255 are rounded.
    cache : EmbeddingCache
        Shared by the sessions of a predictor.

    Raises
    ------
    LiteMedSamError
        For other shapes or values.
    """

    def __init__(self, engine: Engine, volume: ArrayLike, cache: EmbeddingCache):
        pixels = image_array(volume)
        if pixels.ndim not in (3, 4) or (pixels.ndim == 4 and pixels.shape[3] != 3):
            raise LiteMedSamError(f"volume has shape {pixels.shape}, expected (D, H, W) or (D, H, W, 3)")
        self._engine = engine
        # A copy: what the caller does to the array later must not change slices that are encoded afterwards.
        self._pixels = np.array(checked_pixels("volume", pixels))
        self._cache = cache
        self._owner = object()
        self._embeddings = SliceEmbeddings(
            lambda z: engine.network.encode(self._pixels[z]), cache, self._owner, retain=True
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W) of the volume."""
        depth, height, width = self._pixels.shape[:3]
        return depth, height, width

    @property
    def encoded(self) -> int:
        """The number of slices encoded so far, repetitions included."""
        return self._embeddings.encoded

    def encode(self, slice_index: int) -> None:
        """Encode a slice now, so that a box which is still being drawn on it gets its mask sooner.

        Parameters
        ----------
        slice_index : int
            A slice that is encoded already, or by another thread, is not encoded again.

        Raises
        ------
        LiteMedSamError
            When the volume has no such slice, or a graph cannot be loaded.
        """
        height, width = self.shape[1:]
        whole = np.array([[0, 0, slice_index, width - 1, height - 1, slice_index]], float)
        self._prepare(checked_boxes("slice", whole, self.shape))
        self._embeddings.slice(slice_index)

    def _prepare(self, boxes: np.ndarray) -> tuple[int, int]:
        """Load the graphs for some boxes; see `litemedsam.engine.inference.engine.Engine.prepare`."""
        return self._engine.prepare(Case("volume", self._pixels, boxes))

    def predict(
        self, boxes: np.ndarray, prompts: PromptSource | None = None, progress: Progress | None = None
    ) -> VolumePrediction:
        """Segment the objects in the boxes.

        Parameters
        ----------
        boxes : array_like
            (n, 6), or (6,) for one, x_min, y_min, z_min, x_max, y_max, z_max in voxels, ends included.
        prompts : PromptSource, optional
            Makes points and scribbles; automatic when absent.
        progress : callable, optional
            Called with (done, total) slices; may raise to cancel.

        Returns
        -------
        VolumePrediction

        Raises
        ------
        LiteMedSamError
            When a box has a wrong shape or lies outside the volume, or the masks do not fit into memory.
        """
        boxes = checked_boxes("boxes", box_array(boxes, 6), self.shape)
        require_memory("volume: the masks", len(boxes) * int(np.prod(self.shape)))
        masks = np.zeros((len(boxes), *self.shape), bool)
        scores: list[list[float]] = [[] for _ in boxes]
        for found in self._masks(boxes, prompts, progress):
            k = found.target.number - 1
            masks[k, found.target.slice_index][found.region.window] |= found.region.mask
            scores[k].append(float(found.score))
        return VolumePrediction(masks, np.array([np.mean(values) for values in scores], np.float32))

    def _masks(
        self, boxes: np.ndarray, prompts: PromptSource | None, progress: Progress | None
    ) -> Iterator[ObjectMask]:
        engine = self._engine
        streams, cache_bytes = self._prepare(boxes)
        self._cache.shrink(cache_bytes)
        pool = ThreadPoolExecutor(streams)
        decoder = ObjectDecoder(engine.network, engine.protocol, prompts or engine.prompts, pool, streams, Stopwatch())
        try:
            yield from propagate(boxes, self._embeddings, decoder, progress or (lambda done, total: None))
        finally:
            pool.shutdown(cancel_futures=True)

    def extend(self, box: ArrayLike, slice_index: int, progress: Progress | None = None) -> np.ndarray:
        """Find the slices of an object that is drawn on one slice.

        Parameters
        ----------
        box : array_like
            (4,), x_min, y_min, x_max, y_max in pixels of the slice, ends included.
        slice_index : int
        progress : callable, optional
            Called with (done, total) slices, of which there are at most as many; may raise to cancel.

        Returns
        -------
        ndarray
            float64 (6,), the same box from the first slice of the object to its last, for `predict` and `begin`.

        Raises
        ------
        LiteMedSamError
            When the box has a wrong shape or lies outside the volume.
        """
        x_min, y_min, x_max, y_max = one_box(box, 4, "extend")[0]
        drawn = np.array([[x_min, y_min, slice_index, x_max, y_max, slice_index]], float)
        boxes = checked_boxes("box", drawn, self.shape)
        search = RangeSearch(self._decoder(boxes), self._embeddings.slice, self._pixels)
        extended: np.ndarray = search.completed(boxes, {1}, progress or (lambda done, total: None))[0]
        return extended

    def _decoder(self, boxes: np.ndarray) -> ObjectDecoder:
        """A decoder for a few objects, in the calling thread."""
        engine = self._engine
        self._prepare(boxes)
        return ObjectDecoder(engine.network, engine.protocol, engine.prompts, CallingThread(), 0, Stopwatch())

    def begin(self, box: ArrayLike, progress: Progress | None = None) -> ObjectHistory:
        """Segment the object in a box, to correct it afterwards.

        Parameters
        ----------
        box : array_like
            (6,), as in `predict`.
        progress : callable, optional
            As in `predict`.

        Returns
        -------
        ObjectHistory
            Keeps 256 KB for each slice of the box.

        Raises
        ------
        LiteMedSamError
            As `predict`.
        """
        boxes = checked_boxes("box", one_box(box, 6), self.shape)
        return ObjectHistory.begun(CorrectedObject.of(boxes[0], self._masks(boxes, None, progress)), self.shape)

    def correct(
        self,
        object: ObjectHistory,
        slice_index: int,
        add: ArrayLike | None = None,
        remove: ArrayLike | None = None,
        add_stroke: ArrayLike | None = None,
        remove_stroke: ArrayLike | None = None,
    ) -> ObjectHistory:
        """Repair an object's mask on one slice, and follow the change through its neighbours.

        Parameters
        ----------
        object : ObjectHistory
            From `begin` or `correct` of this session.
        slice_index : int
            Within the object's box.
        add, remove, add_stroke, remove_stroke : array_like, optional
            As `ImageSession.correct` takes them, on that slice.

        Returns
        -------
        ObjectHistory
            With one state more. Slices on both sides change where they lack the same, up to one where the points are
            on their sides already; slices that were corrected themselves never change. `object` itself does not change.

        Raises
        ------
        LiteMedSamError
            As `ImageSession.correct`, and when the object's box leaves the slice out.
        """
        made = correction(self.shape[1:], add, remove, add_stroke, remove_stroke, slice_index)
        corrector = Corrector(self._decoder(object.box[None]), self._embeddings.slice)
        return object.corrected(made, corrector.correct(object.state, made))

    def close(self) -> None:
        """Free the embeddings' memory; a later prediction encodes slices again."""
        self._cache.discard_where(lambda key: isinstance(key, tuple) and key[0] is self._owner)

    def __enter__(self) -> VolumeSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
