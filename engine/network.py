"""A loaded bundle: images to embeddings, prompts to logits."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np

from ..errors import LiteMedSamError
from .backends import Graph, check_setting, load_graph, native_precisions
from .bundle import DECODER, BundleInfo
from .onnx_metadata import read_metadata
from .precision import encoder_file, floats_beside
from .preprocess import Frame, to_frame
from .prompts import SCRIBBLES, Prompt

# More prompts in one call save little time and cost about 50 MB each.
PROMPTS_PER_CALL = 2

_REMEDY = "export the checkpoint again with litemedsam-export"

# The decoder's prompt inputs, of which a bundle names those it has.
_PROMPT_INPUTS = {
    "boxes": lambda prompt: prompt.box,
    "points": lambda prompt: prompt.points,
    "scribbles": lambda prompt: prompt.scribble.astype(np.uint8),
}


@dataclass(frozen=True)
class Embedding:
    """What the decoder needs of one image.

    Attributes
    ----------
    frame : Frame
        How the image lies in the frame.
    foreground : ndarray
        bool (S, S), every pixel brighter than the image's darkest.
    arrays : mapping of str to ndarray
        The encoder's outputs by name, float32; owned by this object.
    """

    frame: Frame
    foreground: np.ndarray
    arrays: Mapping[str, np.ndarray]

    @property
    def nbytes(self) -> int:
        """Memory of the arrays, in bytes."""
        return self.foreground.nbytes + sum(array.nbytes for array in self.arrays.values())


@dataclass(frozen=True)
class Decoded:
    """The decoder's answers to n prompts.

    Attributes
    ----------
    logits : ndarray
        float32 (n, S, S) in the frame; the object is where they are positive.
    scores : ndarray
        float32 (n,), predicted IoU; not confined to [0, 1].
    """

    logits: np.ndarray
    scores: np.ndarray


class StreamedGraph:
    """A graph that is loaded when it is needed, for as many runs at once as are needed.

    Parameters
    ----------
    load : callable
        Gives the graph for a number of streams; see `litemedsam.engine.backends.load_graph`.
    """

    def __init__(self, load: Callable[[int], Graph]):
        self._load = load
        self._loading = Lock()
        self._graph: Graph | None = None
        self._streams = 0

    def prepare(self, streams: int) -> None:
        """Load it for a number of streams, in place of one for another number; who runs that one ends with it."""
        with self._loading:
            self._prepare(streams)

    def _prepare(self, streams: int) -> Graph:
        if streams != self._streams:
            # Not both at once in memory.
            self._graph, self._streams = None, 0
            self._graph, self._streams = self._load(streams), streams
        return self._graph

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `litemedsam.engine.backends.Graph.run`; one run at a time unless prepared for more."""
        with self._loading:
            graph = self._prepare(self._streams or 1)
        return graph.run(inputs)

    def close(self) -> None:
        """Free the runtime's memory; it is loaded again when it is needed."""
        with self._loading:
            if self._graph is not None:
                self._graph.close()
            self._graph, self._streams = None, 0


class Network:
    """The two graphs of a bundle.

    Parameters
    ----------
    info : BundleInfo
    encoder, decoder : StreamedGraph
    """

    def __init__(self, info: BundleInfo, encoder: StreamedGraph, decoder: StreamedGraph):
        self.info = info
        self.encoder = encoder
        self.decoder = decoder

    @classmethod
    def load(cls, bundle: Path, backend: str, precision: str, threads: int) -> "Network":
        """Load a bundle's graphs.

        Parameters
        ----------
        bundle : Path
            A folder made by ``litemedsam-export``.
        backend, threads
            See `litemedsam.engine.backends.load_graph`.
        precision : str
            ``f32``, ``bf16``, or ``int8`` for the quantised encoder, beside which floats are bf16 where the processor
            has it and f32 elsewhere.

        Raises
        ------
        LiteMedSamError
            When the folder is not a bundle, takes prompts of an unknown kind, or the graphs cannot be loaded or do
            not belong together.
        """
        if not bundle.is_dir():
            raise LiteMedSamError(f"{bundle}: no such bundle folder", "make one with litemedsam-export")
        floats = floats_beside(precision, native_precisions(backend))
        check_setting(backend, floats)
        files = (encoder_file(bundle, precision), bundle / DECODER)
        # Before a runtime sees them: some try many other formats on what they do not know.
        info, other = (BundleInfo.from_metadata(path, read_metadata(path)) for path in files)
        unknown = [kind for kind in info.prompts if kind not in _PROMPT_INPUTS]
        if unknown:
            raise LiteMedSamError(
                f"{bundle}: its decoder takes {', '.join(unknown)}; this version makes {', '.join(_PROMPT_INPUTS)}",
                "use a newer version of litemedsam",
            )
        if info.scribble not in SCRIBBLES:
            raise LiteMedSamError(
                f"{bundle}: asks for the scribble {info.scribble!r}; this version makes {', '.join(SCRIBBLES)}",
                "use a newer version of litemedsam",
            )
        if info.weights_sha256 != other.weights_sha256:
            raise LiteMedSamError(
                f"{bundle}: encoder and decoder come from different checkpoints", "export the bundle again"
            )
        return cls(info, *(StreamedGraph(partial(load_graph, path, backend, floats, threads)) for path in files))

    def prepare(self, encoding: int, decoding: int) -> None:
        """Load both graphs, at the same time.

        Parameters
        ----------
        encoding, decoding : int
            From how many threads at once `encode` and `decode` will be called.

        Raises
        ------
        LiteMedSamError
            When a graph cannot be loaded.
        """
        with ThreadPoolExecutor(1) as beside:
            decoder = beside.submit(self.decoder.prepare, decoding)
            self.encoder.prepare(encoding)
            decoder.result()

    def encode(self, image: np.ndarray) -> Embedding:
        """Everything that depends on the image alone.

        Parameters
        ----------
        image : ndarray
            uint8 (H, W) or (H, W, 3).
        """
        pixels, frame = to_frame(image, self.info.frame)
        outputs = self.encoder.run({"image": pixels[None]})
        self._check_outputs("encoder", outputs, self.info.embedding)
        return Embedding(frame, pixels.any(axis=0), {name: outputs[name] for name in self.info.embedding})

    def _check_outputs(self, graph: str, outputs: Mapping[str, np.ndarray], expected: Sequence[str]) -> None:
        missing = [name for name in expected if name not in outputs]
        if missing:
            raise LiteMedSamError(f"the model {self.info.model}: its {graph} gives no {', '.join(missing)}", _REMEDY)

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> Decoded:
        """Logits of n prompts on one image, each independent of the others."""
        parts = []
        for start in range(0, len(prompts), PROMPTS_PER_CALL):
            chosen = prompts[start : start + PROMPTS_PER_CALL]
            feed = {name: np.stack([_PROMPT_INPUTS[name](prompt) for prompt in chosen]) for name in self.info.prompts}
            answers = self.decoder.run({**embedding.arrays, **feed})
            self._check_outputs("decoder", answers, ("logits", "iou"))
            shapes = answers["logits"].shape, answers["iou"].shape
            if shapes != ((len(chosen), self.info.frame, self.info.frame), (len(chosen),)):
                raise LiteMedSamError(
                    f"the model {self.info.model}: its decoder gives {shapes[0]} and {shapes[1]} for {len(chosen)} "
                    f"prompts in a frame of {self.info.frame} pixels",
                    _REMEDY,
                )
            parts.append(answers)
        return Decoded(*(np.concatenate([part[name] for part in parts]) for name in ("logits", "iou")))

    def close(self) -> None:
        """Free the runtimes' memory."""
        self.encoder.close()
        self.decoder.close()
