"""The Python interface to arrays: open an image or a volume once, then predict as many boxes as you like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import local
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LiteMedSamError
from .bundle.packaged import bundle_folder
from .bundle.precision import AUTOMATIC
from .case import Case, Segmentation, checked_case
from .inference.automatic_prompts import AutomaticPrompts
from .inference.budget import MemoryBudget
from .inference.case_segmenter import CaseSegmenter, Corrections, Progress
from .inference.embeddings import EmbeddingCache
from .inference.engine import Engine
from .inference.graphs import Graphs
from .inference.network import Network
from .inference.protocols import CaseProtocol, protocol_named
from .inference.streams import Growing, StreamPolicy
from .sessions.arguments import box_array, image_array, refuse_others
from .settings import DEFAULT_CACHE_MB, EngineSettings
from .system.resources import MEGABYTE
from .system.stopwatch import Stopwatch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .inference.mask_sinks import MaskSink
    from .inference.prompt import PromptSource
    from .sessions.image import ImageSession, Prediction
    from .sessions.volume import VolumeSession

__all__ = ["Prediction", "Predictor"]


class _OfThread(local):
    """Each thread's own image."""

    session: ImageSession | None = None


class Predictor:
    """Box-prompted segmentation on the CPU.

    Several threads may share a predictor: its graphs are loaded once, and results do not depend on concurrent calls.
    `open` gives a session, which any thread may use. `set_image` and `predict` are the pair that users of Segment
    Anything know; each thread has its own image. `segment` and `segment_case` keep nothing. The graphs compute for one
    thread at a time, with all `threads`; the rest runs side by side. `close`, or the end of a with-block, frees the
    graphs; the next use loads them again.

    Parameters
    ----------
    bundle : path, optional
        A folder made by ``litemedsam-export``; the package's default model when absent.
    backend, precision, protocol, threads, seed, cache_mb
        See `litemedsam.engine.settings.EngineSettings`.
    graphs : Graphs, optional
        Opened before; they settle `bundle`, `backend`, `precision` and `threads`.
    policy : StreamPolicy, optional
        `Growing` when absent.

    Raises
    ------
    LiteMedSamError
        When the bundle cannot be loaded or a setting is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from litemedsam import Predictor
    >>> image = np.zeros((120, 160), np.uint8)
    >>> image[30:70, 40:100] = 200
    >>> with Predictor() as predictor:
    ...     session = predictor.open(image)
    ...     prediction = session.predict([[38, 28, 102, 72]])
    >>> prediction.masks.shape, prediction.masks.dtype, prediction.logits.shape
    ((1, 120, 160), dtype('bool'), (1, 256, 256))
    """

    def __init__(
        self,
        bundle: str | Path | None = None,
        backend: str = "openvino",
        precision: str = AUTOMATIC,
        protocol: str = "corrected",
        threads: int | None = None,
        seed: int = 0,
        cache_mb: float = DEFAULT_CACHE_MB,
        graphs: Graphs | None = None,
        policy: StreamPolicy | None = None,
    ):
        folder = None if bundle is None else Path(bundle)
        settings = EngineSettings(folder, backend, precision, protocol, threads, seed, cache_mb)
        if graphs is None:
            graphs = Graphs.open(bundle_folder(folder), backend, precision, settings.processors)
        self.settings = settings
        self.bundle, self.backend, self.threads = graphs.bundle, graphs.backend, graphs.threads
        self.choice = graphs.choice
        self.precision = self.choice.precision
        network = Network.of(graphs)
        info = network.info
        self._engine = Engine(
            network,
            protocol_named(protocol, info.published_protocol, info.scribble, info.passage),
            AutomaticPrompts(seed, info.first_prompts, info.scribble),
            policy or Growing(self.threads),
            MemoryBudget.of_process(),
            int(settings.cache_mb * MEGABYTE),
        )
        self._cache = EmbeddingCache(self._engine.cache_bytes)
        self._own = _OfThread()

    @classmethod
    def of(
        cls, settings: EngineSettings, graphs: Graphs | None = None, policy: StreamPolicy | None = None
    ) -> Predictor:
        """A predictor of given settings; raises what the constructor raises."""
        return cls(
            settings.bundle,
            settings.backend,
            settings.precision,
            settings.protocol,
            settings.threads,
            settings.seed,
            settings.cache_mb,
            graphs,
            policy,
        )

    @property
    def network(self) -> Network:
        """The loaded bundle."""
        return self._engine.network

    @property
    def protocol(self) -> CaseProtocol:
        """How boxes and slices are treated."""
        return self._engine.protocol

    @property
    def prompts(self) -> PromptSource:
        """The automatic prompts."""
        return self._engine.prompts

    def open(self, image: np.ndarray, volume: bool | None = None) -> ImageSession | VolumeSession:
        """Open an image or a volume.

        Parameters
        ----------
        image : ndarray
            uint8; an image (H, W) or (H, W, 3), or a volume (D, H, W) or (D, H, W, 3), colours in RGB. Other numbers in
            0..255 are rounded.
        volume : bool, optional
            Whether it is a volume. When absent, three axes are a volume unless the last has length 3.

        Returns
        -------
        ImageSession or VolumeSession
            Its embeddings are kept within the predictor's budget, which all sessions share.

        Raises
        ------
        LiteMedSamError
            For other shapes or values.
        """
        # Late, because the command opens no sessions.
        from .sessions.image import ImageSession
        from .sessions.volume import VolumeSession

        image = image_array(image)
        if volume is None:
            volume = image.ndim == 4 or (image.ndim == 3 and image.shape[2] != 3)
        return (VolumeSession if volume else ImageSession)(self._engine, image, self._cache)

    def set_image(self, image: ArrayLike, **others: object) -> None:
        """Encode an image; the embedding serves every `predict` of this thread until the next image.

        Parameters
        ----------
        image : ndarray
            uint8 (H, W) or (H, W, 3) in RGB; other numbers in 0..255 are rounded.
        **others
            None, see `ImageSession.predict`.

        Raises
        ------
        LiteMedSamError
            For other shapes or values; no image is set then.
        """
        from .sessions.image import ImageSession

        refuse_others("set_image", others)
        self._own.session = None
        # A cache of its own: the image set last is never displaced by sessions.
        self._own.session = ImageSession(self._engine, image, EmbeddingCache(_UNLIMITED))

    def predict(
        self,
        boxes: ArrayLike | None = None,
        points: ArrayLike | None = None,
        scribbles: ArrayLike | None = None,
        **others: object,
    ) -> Prediction:
        """Segment objects of the image that this thread set; see `ImageSession.predict`.

        Raises
        ------
        LiteMedSamError
            When no image is set in this thread, and as `ImageSession.predict`.
        """
        refuse_others("predict", others)
        session = self._own.session
        if session is None:
            raise LiteMedSamError("no image is set in this thread", "call set_image(image) before predict")
        return session.predict(boxes, points, scribbles)

    def segment(self, imgs: np.ndarray, boxes: np.ndarray) -> Segmentation:
        """Segment an image or a volume into a label map.

        Parameters
        ----------
        imgs : ndarray
            uint8; an image (H, W) or (H, W, 3), or a volume (D, H, W) or (D, H, W, 3).
        boxes : array_like
            (N, 4) for an image, (N, 6) x_min, y_min, z_min, x_max, y_max, z_max for a volume, ends included.

        Returns
        -------
        Segmentation

        Raises
        ------
        LiteMedSamError
            For other shapes or values.
        """
        imgs = image_array(imgs)
        numbers = 6 if imgs.ndim == 4 or (imgs.ndim == 3 and imgs.shape[2] != 3) else 4
        return self.segment_case(checked_case("arrays", imgs, box_array(boxes, numbers)))

    def segment_case(
        self,
        case: Case,
        progress: Progress | None = None,
        prompts: PromptSource | None = None,
        masks: MaskSink | None = None,
        corrections: Corrections | None = None,
    ) -> Segmentation:
        """Segment a case.

        Parameters
        ----------
        case : Case
        progress : callable, optional
            See `CaseSegmenter.segment`.
        prompts : PromptSource, optional
            Automatic points and scribbles when absent.
        masks : MaskSink, optional
        corrections : mapping of int to sequence of Correction, optional
            See `CaseSegmenter.segment`.

        Returns
        -------
        Segmentation

        Raises
        ------
        LiteMedSamError
            When the case does not fit into memory or a graph cannot be loaded.
        """
        engine, watch = self._engine, Stopwatch()
        with watch.stage("load"):
            streams, cache_bytes = engine.prepare(case)
        segmenter = CaseSegmenter(engine.network, engine.protocol, prompts or engine.prompts, cache_bytes, streams)
        result = segmenter.segment(case, progress, masks, corrections)
        return replace(result, seconds={**watch.seconds, **result.seconds})

    def close(self) -> None:
        """Free the graphs' and the embeddings' memory; sessions stay valid and load them again."""
        self._own = _OfThread()
        self._cache.discard_where(lambda key: True)
        self.network.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_UNLIMITED = 1 << 62
