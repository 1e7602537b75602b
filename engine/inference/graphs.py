"""The graphs of a bundle: chosen, checked, and loaded in the background."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ...errors import LiteMedSamError
from ..backends.registry import check_setting, load_graph, native_precisions
from ..bundle.digests import check_file
from ..bundle.info import DECODER, BundleInfo
from ..bundle.onnx_metadata import read_metadata
from ..bundle.precision import Choice, encoder_file, floats_beside, resolve

if TYPE_CHECKING:
    from ..backends.graph import Graph
    from .streams import Streams


class StreamedGraph:
    """A graph that loads in the background, for a number of concurrent runs.

    Parameters
    ----------
    load : callable
        Loads the graph for a number of streams; see `backends.registry.load_graph`.
    """

    def __init__(self, load: Callable[[int], Graph]):
        self._load = load
        self._choosing = Lock()
        # One thread, so that no two loads of this graph are in memory at once.
        self._background = ThreadPoolExecutor(1)
        self._loading: Future[Graph] | None = None
        self._streams = 0
        self._process = os.getpid()

    @property
    def streams(self) -> int:
        """The number of streams that the graph is loaded for; 0 before it is loaded."""
        return self._streams

    def begin(self, streams: int) -> None:
        """Start loading the graph for a number of concurrent runs, replacing the copy loaded for another number.

        Runs under way finish on the old copy.
        """
        with self._exclusive():
            self._begin(streams)

    def _exclusive(self) -> Lock:
        """The lock of this graph; valid only in the process that made it.

        Raises
        ------
        LiteMedSamError
            In a forked child, where waiting for copies of the lock or of the runtime's threads would never end.
        """
        if os.getpid() != self._process:
            raise LiteMedSamError(
                "a predictor was made before this process was forked",
                'make one in each process, or start processes with multiprocessing.get_context("spawn")',
            )
        return self._choosing

    def _begin(self, streams: int) -> Future[Graph]:
        loading = self._loading
        failed = loading is not None and loading.done() and loading.exception() is not None
        if loading is None or failed or streams != self._streams:
            # Free the old copy before the new one loads.
            self._loading = None
            loading = self._background.submit(self._load, streams)
            self._loading, self._streams = loading, streams
        return loading

    def prepare(self, streams: int) -> None:
        """Start loading as `begin` does, and wait until the graph is loaded.

        Raises
        ------
        LiteMedSamError
            When the graph cannot be loaded.
        """
        with self._exclusive():
            loading = self._begin(streams)
        loading.result()

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `litemedsam.engine.backends.graph.Graph.run`; one run at a time unless prepared for more."""
        with self._exclusive():
            loading = self._begin(self._streams or 1)
        return loading.result().run(inputs)

    def close(self) -> None:
        """Free the runtime's memory; the next run loads the graph again."""
        if os.getpid() != self._process:
            return
        with self._choosing:
            if self._loading is not None and self._loading.exception() is None:
                self._loading.result().close()
            self._loading, self._streams = None, 0


@dataclass(frozen=True)
class Graphs:
    """The two graphs of a bundle and their settings.

    Attributes
    ----------
    bundle : Path
        A folder made by ``litemedsam-export``.
    backend : str
    threads : int
    choice : Choice
        The precision and the reason for it.
    info : BundleInfo
    encoder, decoder : StreamedGraph
    """

    bundle: Path
    backend: str
    threads: int
    choice: Choice
    info: BundleInfo
    encoder: StreamedGraph
    decoder: StreamedGraph

    @classmethod
    def open(cls, bundle: Path, backend: str, precision: str, threads: int) -> Graphs:
        """Choose and check a bundle's graphs without loading them.

        Parameters
        ----------
        bundle : Path
        backend, threads
            See `backends.registry.load_graph`.
        precision : str
            See `bundle.precision.resolve`. With an int8 encoder, floats are computed in bf16 if the processor has it,
            otherwise in f32.

        Raises
        ------
        LiteMedSamError
            When the folder is not a bundle or the precision is unknown; or when the graphs are damaged, take weights
            from other files or do not belong together.
        """
        native = native_precisions(backend)
        choice = resolve(bundle, precision, native)
        if not bundle.is_dir():
            raise LiteMedSamError(f"{bundle}: no such bundle folder", "make one with litemedsam-export")
        floats = floats_beside(choice.precision, native)
        check_setting(backend, floats)
        files = (encoder_file(bundle, choice.precision), bundle / DECODER)
        # Checked before a runtime opens them, because a runtime tries other formats on an unknown file.
        info, other = (BundleInfo.from_metadata(path, read_metadata(path)) for path in files)
        with ThreadPoolExecutor(len(files)) as pool:
            for _ in pool.map(check_file, files):
                pass
        if info.weights_sha256 != other.weights_sha256:
            raise LiteMedSamError(
                f"{bundle}: encoder and decoder come from different checkpoints", "export the bundle again"
            )
        loaders = (partial(load_graph, path, backend, floats, threads) for path in files)
        return cls(bundle, backend, threads, choice, info, *map(StreamedGraph, loaders))

    def begin(self, streams: Streams) -> None:
        """Start loading both graphs, each for its number of concurrent runs."""
        self.encoder.begin(streams.encoding)
        self.decoder.begin(streams.decoding)
