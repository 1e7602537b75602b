"""The Python interface: set an image once, then predict as many boxes as you like."""

from dataclasses import dataclass, replace
from pathlib import Path
from threading import local

import cv2
import numpy as np

from ..errors import LiteMedSamError
from .bundle.info import default_bundle
from .bundle.precision import AUTOMATIC
from .case import Case, Segmentation, checked_boxes, checked_case, checked_pixels
from .inference.budget import MemoryBudget
from .inference.embeddings import DEFAULT_MEGABYTES
from .inference.frame import Frame
from .inference.graphs import Graphs
from .inference.network import Embedding, Network
from .inference.prompt import POINTS, AutomaticPrompts, GivenPrompts, PromptSource, Target
from .inference.propagation import CaseSegmenter
from .inference.protocols import protocol_named
from .inference.region import to_region
from .system.resources import MEGABYTE, available_processors, streams_for
from .system.stopwatch import Stopwatch


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


class _OfThread(local):
    """What each thread has of its own."""

    embedding: Embedding | None = None


class Predictor:
    """Box-prompted segmentation on the CPU.

    Several threads may share one: the graphs, which are most of the memory, are loaded once, and their answers do not
    depend on who else asks. Each thread has its own image: `set_image` is for the `predict` of the same thread.
    `segment` and `segment_case` keep nothing. The graphs compute for one thread at a time, with all `threads`; what
    lies around them runs side by side. After `close`, in any thread, the predictor is of no more use to any.

    Parameters
    ----------
    bundle : path, optional
        A folder made by ``litemedsam-export``; the package's default model when absent.
    backend : str
        ``openvino`` or ``onnxruntime``.
    precision : str
        ``f32``, the same on every machine; ``bf16``; ``int8``; or ``auto``, the fastest that the processor computes
        natively and that the bundle's accuracy card vouches for, see `litemedsam.engine.bundle.precision`.
    protocol : str
        ``corrected``, or ``published`` for the way of the model's published script with boxes and volumes.
    threads : int, optional
        As many as the process may use when absent.
    seed : int
        Of the automatic points and scribbles, at least 0.
    cache_mb : float
        Budget for a volume's embeddings, in megabytes; less is used where the container's memory is short.
    graphs : Graphs, optional
        Opened before; they settle `bundle`, `backend`, `precision` and `threads`.

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
    >>> predictor = Predictor()
    >>> predictor.set_image(image)
    >>> prediction = predictor.predict([[38, 28, 102, 72]])
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
        cache_mb: float = DEFAULT_MEGABYTES,
        graphs: Graphs | None = None,
    ):
        if threads is not None and threads < 1:
            raise LiteMedSamError(f"threads is {threads}, expected at least 1")
        if seed < 0:
            raise LiteMedSamError(f"seed is {seed}, expected at least 0")
        if not cache_mb >= 0:
            raise LiteMedSamError(f"cache_mb is {cache_mb}, expected at least 0")
        if graphs is None:
            folder = default_bundle() if bundle is None else Path(bundle)
            graphs = Graphs.open(folder, backend, precision, threads or available_processors())
        self.bundle, self.backend, self.threads = graphs.bundle, graphs.backend, graphs.threads
        self.choice = graphs.choice
        self.precision = self.choice.precision
        self.network = Network.of(graphs)
        info = self.network.info
        self.protocol = protocol_named(protocol, info.published_protocol, info.scribble)
        self.prompts: PromptSource = AutomaticPrompts(seed, info.prompts, info.scribble)
        self.memory = MemoryBudget.of_process()
        self.cache_bytes = int(cache_mb * MEGABYTE)
        self._own = _OfThread()

    def set_image(self, image: np.ndarray) -> None:
        """Encode an image; the embedding serves every `predict` until the next image.

        Parameters
        ----------
        image : ndarray
            uint8 (H, W) or (H, W, 3) in RGB; other numbers in 0..255 are rounded.

        Raises
        ------
        LiteMedSamError
            For other shapes or values.
        """
        image = np.asarray(image)
        if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            raise LiteMedSamError(f"image has shape {image.shape}, expected (H, W) or (H, W, 3)")
        self.network.prepare(1, 1)
        self._own.embedding = self.network.encode(checked_pixels("image", image))

    def predict(
        self, boxes: np.ndarray, points: np.ndarray | None = None, scribbles: np.ndarray | None = None
    ) -> Prediction:
        """Segment what lies in the boxes.

        Parameters
        ----------
        boxes : array_like
            (n, 4), or (4,) for one, x_min, y_min, x_max, y_max in pixels of the image, ends included.
        points : array_like, optional
            (n, 4, 2), four points x, y on each object; made automatically when absent.
        scribbles : array_like, optional
            bool (n, H, W), true along a stroke on each object; made automatically when absent.

        Returns
        -------
        Prediction

        Raises
        ------
        LiteMedSamError
            When no image is set, a prompt has a wrong shape or lies outside the image, or the model takes no
            prompts of its kind.
        """
        embedding = self._own.embedding
        if embedding is None:
            raise LiteMedSamError("no image is set in this thread", "call set_image(image) before predict")
        frame = embedding.frame
        for kind, given in (("points", points), ("scribbles", scribbles)):
            if given is not None and kind not in self.network.info.prompts:
                taken = ", ".join(self.network.info.prompts)
                raise LiteMedSamError(
                    f"the model {self.network.info.model} takes no {kind}, only: {taken}", f"leave out the {kind}"
                )
        boxes = checked_boxes("boxes", np.atleast_2d(boxes), (frame.height, frame.width))
        source = GivenPrompts(
            None if points is None else _points_in_frame(points, len(boxes), frame),
            None if scribbles is None else _scribbles_in_frame(scribbles, len(boxes), frame),
            self.prompts,
        )
        prompts = [
            source.prompt(Target(number), self.protocol.box_in_frame(box, frame), embedding.foreground)
            for number, box in enumerate(boxes, start=1)
        ]
        decoded = self.network.decode(embedding, prompts)
        regions = (
            self.protocol.bounded(to_region(logits, frame), box, frame)
            for logits, box in zip(decoded.logits, boxes, strict=True)
        )
        masks = np.stack([region.full(frame.height, frame.width) for region in regions])
        return Prediction(masks, decoded.scores, decoded.logits)

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
        return self.segment_case(checked_case("arrays", np.asarray(imgs), np.asarray(boxes)))

    def segment_case(self, case: Case, progress=None, prompts: PromptSource | None = None) -> Segmentation:
        """Segment a case; see `CaseSegmenter.segment`, and `MemoryBudget.cache_bytes` for what is refused.

        Points and scribbles are automatic without `prompts`.
        """
        encoding, decoding = streams_for(self.threads, case.is_volume, len(case.boxes))
        streams = self.memory.streams(case, decoding)
        cache_bytes = self.memory.cache_bytes(case, self.cache_bytes, streams)
        watch = Stopwatch()
        with watch.stage("load"):
            self.network.prepare(min(encoding, streams), streams)
        segmenter = CaseSegmenter(self.network, self.protocol, prompts or self.prompts, cache_bytes, streams)
        result = segmenter.segment(case, progress)
        return replace(result, seconds={**watch.seconds, **result.seconds})

    def close(self) -> None:
        """Free the runtimes' memory."""
        self._own = _OfThread()
        self.network.close()


def _points_in_frame(points: np.ndarray, count: int, frame: Frame) -> np.ndarray:
    points = np.asarray(points)
    if points.dtype.kind not in "uif" or points.shape != (count, POINTS, 2):
        raise LiteMedSamError(
            f"points has shape {points.shape} and type {points.dtype}, expected numbers ({count}, {POINTS}, 2)"
        )
    inside = (points >= 0) & (points <= [frame.width, frame.height])
    if not inside.all():
        number = int(np.flatnonzero(~inside.all(axis=(1, 2)))[0]) + 1
        raise LiteMedSamError(
            f"object {number}: a point lies outside the image of {frame.width} × {frame.height} pixels"
        )
    return (points * frame.scale).astype(np.float32)


def _scribbles_in_frame(scribbles: np.ndarray, count: int, frame: Frame) -> np.ndarray:
    scribbles = np.asarray(scribbles)
    if scribbles.dtype.kind not in "bui" or scribbles.shape != (count, frame.height, frame.width):
        raise LiteMedSamError(
            f"scribbles has shape {scribbles.shape} and type {scribbles.dtype}, "
            f"expected bool ({count}, {frame.height}, {frame.width})"
        )
    framed = np.zeros((count, frame.size, frame.size), bool)
    for target, scribble in zip(framed, scribbles, strict=True):
        # Any touch counts, so that a thin stroke survives shrinking.
        touched = cv2.resize(
            (scribble > 0).astype(np.float32), (frame.scaled_width, frame.scaled_height), interpolation=cv2.INTER_AREA
        )
        target[: frame.scaled_height, : frame.scaled_width] = touched > 0
    return framed
