"""The runtimes, each behind the same small interface."""

import mmap
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import LiteMedSamError
from ..digests import check_digest

# Where each back end's graph class is; imported when it is used.
BACKENDS = {
    "openvino": ("litemedsam.engine.backends.openvino", "OpenVinoGraph"),
    "onnxruntime": ("litemedsam.engine.backends.onnxruntime", "OnnxRuntimeGraph"),
}
# The key under which ONNX names the file of a tensor that is kept outside; no graph of ours holds the word.
_EXTERNAL = b"location"


class Graph(Protocol):
    """One loaded graph.

    Attributes
    ----------
    name : str
        The back end's name.
    version : str
        The runtime's version.
    metadata : dict of str to str
        What the graph's file carries.
    """

    name: str
    version: str
    metadata: dict[str, str]

    @staticmethod
    def check_precision(precision: str) -> None:
        """Refuse a precision that the back end does not compute in, by `LiteMedSamError`."""
        ...

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all outputs by name; the arrays are the caller's own. Several threads may call it at once."""
        ...

    def close(self) -> None:
        """Free the runtime's memory; the graph cannot be run afterwards."""
        ...


def _graph_class(backend: str) -> type[Graph]:
    if backend not in BACKENDS:
        raise LiteMedSamError(f"unknown back end {backend!r}; expected one of: {', '.join(BACKENDS)}")
    module, name = BACKENDS[backend]
    return getattr(import_module(module), name)


def native_precisions(backend: str) -> frozenset[str]:
    """The precisions in which a back end gains time on this processor, ``f32`` among them.

    Raises
    ------
    LiteMedSamError
        When the back end is unknown.
    """
    return _graph_class(backend).native_precisions()


def check_setting(backend: str, precision: str) -> None:
    """Refuse what `load_graph` would refuse, before any file is read.

    Raises
    ------
    LiteMedSamError
        When the back end is unknown or does not compute in that precision.
    """
    _graph_class(backend).check_precision(precision)


def runtime_version(backend: str) -> str:
    """The version of a back end's runtime."""
    return _graph_class(backend).version


def load_graph(path: Path, backend: str, precision: str, threads: int, streams: int = 1) -> Graph:
    """Load a graph with a runtime.

    Parameters
    ----------
    path : Path
        An ONNX file.
    backend : str
        A key of `BACKENDS`.
    precision : str
        In which floats are multiplied, ``f32`` or ``bf16``.
    threads : int
        At least 1.
    streams : int
        How many runs share the threads, from 1 to `threads`. With one, a single run is fastest; with several, many
        runs are, each in a thread of the caller's. The results are the same.

    Returns
    -------
    Graph

    Raises
    ------
    LiteMedSamError
        When the back end is unknown or does not compute in that precision, or the file cannot be loaded, is not the
        one that the bundle was written with, or takes weights from other files.
    """
    graph_class = _graph_class(backend)
    if not path.is_file():
        raise LiteMedSamError(f"{path}: no such file", "give a bundle folder made by litemedsam-export")
    check_digest(path)
    _check_alone(path)
    return graph_class(path, precision, threads, streams)


def _check_alone(path: Path) -> None:
    """Refuse a graph that names other files for its weights: they could be any that this user may read."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            alone = content.find(_EXTERNAL) < 0
    except (OSError, ValueError) as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error})", "export the bundle again") from error
    if not alone:
        raise LiteMedSamError(f"{path}: takes weights from other files", "store them in the graph itself")
