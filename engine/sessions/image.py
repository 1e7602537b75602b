"""An opened image."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ..case import checked_boxes, checked_pixels
from ..inference.corrections import CorrectedObject, Corrector
from ..inference.frame import Frame
from ..inference.object_masks import ObjectDecoder, ObjectQuery
from ..inference.prompt import Target, image_prompts
from ..inference.streams import Streams
from ..system.calling_thread import CallingThread
from ..system.stopwatch import Stopwatch
from .arguments import box_array, check_image_form, correction, image_array, one_box, point_array, refuse_others
from .history import ObjectHistory

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..inference.embeddings import EmbeddingCache
    from ..inference.engine import Engine
    from ..inference.network import Embedding
    from ..inference.prompt import PromptSource


@dataclass(frozen=True)
class Prediction:
    """Masks of n boxes on one image.

    Attributes
    ----------
    masks : ndarray
        bool (n, H, W), in the order of the boxes; they may overlap.
    scores : ndarray
        float32 (n,), predicted IoU; not confined to [0, 1].
    logits : ndarray
        float32 (n, 256, 256) in the network's frame: the image's longer side scaled to 256 pixels, in the top
        left corner.
    """

    masks: np.ndarray
    scores: np.ndarray
    logits: np.ndarray


class ImageSession:
    """An image that is encoded once and queried as often as needed; any number of threads may query it at once.

    Its embedding counts towards the budget of the predictor that opened it. If other embeddings displace it, the next
    prediction encodes the image again; the masks are the same.

    Parameters
    ----------
    engine : Engine
    image : ndarray
        uint8 (H, W) or (H, W, 3) in RGB; other numbers in 0..255 are rounded.
    cache : EmbeddingCache
        Shared by the sessions of a predictor.

    Raises
    ------
    LiteMedSamError
        For other shapes or values.
    """

    def __init__(self, engine: Engine, image: ArrayLike, cache: EmbeddingCache):
        pixels = image_array(image)
        check_image_form(pixels)
        self._engine = engine
        # A copy: what the caller does to the array later must not change an embedding that is made again.
        self._pixels = np.array(checked_pixels("image", pixels))
        self._cache = cache
        self._key = (object(), None)
        self._encoding = Lock()
        self.encoded = 0
        self._embedding()

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the image."""
        height, width = self._pixels.shape[:2]
        return height, width

    def predict(
        self,
        boxes: ArrayLike | None = None,
        points: ArrayLike | None = None,
        scribbles: ArrayLike | None = None,
        **others: object,
    ) -> Prediction:
        """Segment the objects in the boxes.

        Parameters
        ----------
        boxes : array_like
            (n, 4), or (4,) for one, x_min, y_min, x_max, y_max in pixels of the image, ends included.
        points : array_like, optional
            (n, k, 2), or (k, 2) on one object, one to four points x, y on each; drawn automatically when absent.
        scribbles : array_like, optional
            bool (n, H, W), true along a stroke on each object; drawn automatically when absent.
        **others
            None; an argument of Segment Anything is answered with what takes its place.

        Returns
        -------
        Prediction

        Raises
        ------
        LiteMedSamError
            When a prompt has a wrong shape or lies outside the image, or the model takes no prompts of its kind.
        """
        refuse_others("predict", others)
        engine = self._engine
        boxes = checked_boxes("boxes", box_array(boxes, 4), self.shape)
        frame = Frame.of(*self.shape, engine.network.info.frame)
        source = image_prompts(
            point_array(points, len(boxes)), scribbles, len(boxes), frame, engine.network.info, engine.prompts
        )
        queries = [
            ObjectQuery(Target(number), engine.protocol.box_in_frame(box, frame), box)
            for number, box in enumerate(boxes, start=1)
        ]
        found = list(self._decoder(source).masks(self._embedding(), queries))
        return Prediction(
            np.stack([answer.region.full(*self.shape) for answer in found]),
            np.array([answer.score for answer in found], np.float32),
            np.stack([answer.logits for answer in found]),
        )

    def begin(self, box: ArrayLike) -> ObjectHistory:
        """Segment the object in a box, to correct it afterwards.

        Parameters
        ----------
        box : array_like
            (4,), as in `predict`.

        Returns
        -------
        ObjectHistory

        Raises
        ------
        LiteMedSamError
            As `predict`.
        """
        engine = self._engine
        (given,) = checked_boxes("box", one_box(box, 4), self.shape)
        frame = Frame.of(*self.shape, engine.network.info.frame)
        query = ObjectQuery(Target(1), engine.protocol.box_in_frame(given, frame), given)
        answers = self._decoder(engine.prompts).masks(self._embedding(), [query])
        return ObjectHistory.begun(CorrectedObject.of(given, answers), self.shape)

    def correct(
        self,
        object: ObjectHistory,
        add: ArrayLike | None = None,
        remove: ArrayLike | None = None,
        add_stroke: ArrayLike | None = None,
        remove_stroke: ArrayLike | None = None,
    ) -> ObjectHistory:
        """Repair an object's mask.

        Parameters
        ----------
        object : ObjectHistory
            From `begin` or `correct` of this session.
        add, remove : array_like, optional
            (k, 2), or (2,) for one: points x, y that the mask lacks, and points that do not belong to it.
        add_stroke, remove_stroke : array_like, optional
            bool (H, W), true along strokes that add to the mask and that remove from it.

        Returns
        -------
        ObjectHistory
            With one state more; every point lies on its side of the new mask. `object` itself does not change.

        Raises
        ------
        LiteMedSamError
            When there is no point and no stroke, a point lies outside the image, a stroke has another shape, or the
            model does not take corrections.
        """
        made = correction(self.shape, add, remove, add_stroke, remove_stroke)
        corrector = Corrector(self._decoder(self._engine.prompts), lambda z: self._embedding())
        return object.corrected(made, corrector.correct(object.state, made))

    def _decoder(self, source: PromptSource) -> ObjectDecoder:
        return ObjectDecoder(self._engine.network, self._engine.protocol, source, CallingThread(), 0, Stopwatch())

    def _embedding(self) -> Embedding:
        embedding = self._cache.get(self._key)
        if embedding is None:
            with self._encoding:
                embedding = self._cache.get(self._key)
                if embedding is None:
                    engine = self._engine
                    wanted = engine.policy.wanted(False, 1, engine.network.streams)
                    engine.network.prepare(Streams(wanted.encoding, wanted.decoding))
                    embedding = engine.network.encode(self._pixels)
                    self.encoded += 1
                    self._cache.put(self._key, embedding)
        return embedding

    def close(self) -> None:
        """Free the embedding's memory; a later prediction encodes the image again."""
        self._cache.discard(self._key)

    def __enter__(self) -> ImageSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
