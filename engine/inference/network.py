"""A loaded bundle: images to embeddings, prompts to logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ...errors import LiteMedSamError
from .automatic_prompts import SCRIBBLES
from .frame import Frame, to_frame
from .graphs import Graphs, StreamedGraph
from .streams import Streams

if TYPE_CHECKING:
    from ..bundle.info import BundleInfo
    from .prompt import Prompt

# More prompts in one call save little time and cost about 50 MB each.
PROMPTS_PER_CALL = 2

_REMEDY = "export the checkpoint again with litemedsam-export"

_Input: TypeAlias = "Callable[[Prompt], np.ndarray | None]"
# The decoder's prompt inputs by kind; a bundle names the kinds that its decoder takes.
_PROMPT_INPUTS: dict[str, _Input] = {
    "boxes": lambda prompt: prompt.box,
    "points": lambda prompt: prompt.points,
    "scribbles": lambda prompt: None if prompt.scribble is None else prompt.scribble.astype(np.uint8),
}
# The same of a decoder that takes labels; a prompt without points gets one that stands for none.
_NO_POINT, _NO_LABEL = np.zeros((1, 2), np.float32), np.full(1, -1)
_LABELLED_INPUTS: dict[str, _Input] = {
    "boxes": lambda prompt: prompt.box,
    "points": lambda prompt: _NO_POINT if prompt.labels is None else prompt.points,
    "labels": lambda prompt: _NO_LABEL if prompt.labels is None else prompt.labels,
    "scribbles": lambda prompt: None if prompt.scribble is None else prompt.scribble.astype(np.float32),
}


@dataclass(frozen=True)
class Embedding:
    """Everything that the decoder needs from one image.

    Attributes
    ----------
    frame : Frame
        The place of the image in the frame.
    foreground : ndarray
        bool (S, S), true where the image is brighter than its darkest pixel.
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
        float32 (n, S, S) in the frame; positive on the object.
    scores : ndarray
        float32 (n,), predicted IoU; not confined to [0, 1].
    """

    logits: np.ndarray
    scores: np.ndarray


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
    def of(cls, graphs: Graphs) -> Network:
        """The network of a bundle's graphs.

        Raises
        ------
        LiteMedSamError
            When the decoder takes prompts of an unknown kind, or the bundle names an unknown scribble.
        """
        info = graphs.info
        unknown = [kind for kind in info.prompts if kind not in _LABELLED_INPUTS]
        if unknown:
            raise LiteMedSamError(
                f"{graphs.bundle}: its decoder takes {', '.join(unknown)}; "
                f"this version makes {', '.join(_LABELLED_INPUTS)}",
                "use a newer version of litemedsam",
            )
        if info.scribble not in SCRIBBLES:
            raise LiteMedSamError(
                f"{graphs.bundle}: asks for the scribble {info.scribble!r}; this version makes {', '.join(SCRIBBLES)}",
                "use a newer version of litemedsam",
            )
        return cls(info, graphs.encoder, graphs.decoder)

    @classmethod
    def load(cls, bundle: Path, backend: str, precision: str, threads: int) -> Network:
        """Open a bundle's graphs and make its network; see `Graphs.open` for arguments and errors."""
        return cls.of(Graphs.open(bundle, backend, precision, threads))

    @property
    def streams(self) -> Streams | None:
        """The streams that both graphs are loaded for; None before they are."""
        held = Streams(self.encoder.streams, self.decoder.streams)
        return held if held.encoding and held.decoding else None

    def prepare(self, streams: Streams) -> None:
        """Load both graphs at the same time.

        Parameters
        ----------
        streams : Streams
            The numbers of threads that will call `encode` and `decode` at once.

        Raises
        ------
        LiteMedSamError
            When a graph cannot be loaded.
        """
        self.decoder.begin(streams.decoding)
        self.encoder.prepare(streams.encoding)
        self.decoder.prepare(streams.decoding)

    def encode(self, image: np.ndarray) -> Embedding:
        """Compute everything that depends on the image alone.

        Parameters
        ----------
        image : ndarray
            uint8 (H, W) or (H, W, 3).
        """
        pixels, frame = to_frame(image, self.info.frame)
        outputs = self.encoder.run({"image": pixels[None]})
        self._check_outputs("encoder", outputs, self.info.embedding)
        return Embedding(frame, np.any(pixels, axis=0), {name: outputs[name] for name in self.info.embedding})

    def _check_outputs(self, graph: str, outputs: Mapping[str, np.ndarray], expected: Sequence[str]) -> None:
        missing = [name for name in expected if name not in outputs]
        if missing:
            raise LiteMedSamError(f"the model {self.info.model}: its {graph} gives no {', '.join(missing)}", _REMEDY)

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> Decoded:
        """Decode n prompts on one image, each independently of the others; all have as many points."""
        parts = []
        inputs = _LABELLED_INPUTS if self.info.takes_corrections else _PROMPT_INPUTS
        for start in range(0, len(prompts), PROMPTS_PER_CALL):
            chosen = prompts[start : start + PROMPTS_PER_CALL]
            feed = {
                name: np.stack([np.asarray(inputs[name](prompt)) for prompt in chosen]) for name in self.info.prompts
            }
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
