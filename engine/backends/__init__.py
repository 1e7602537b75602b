"""The runtimes, each behind the same small interface."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import LiteMedSamError

# Where each back end's graph class is; imported when it is used.
BACKENDS = {
    "openvino": ("litemedsam.engine.backends.openvino", "OpenVinoGraph"),
    "onnxruntime": ("litemedsam.engine.backends.onnxruntime", "OnnxRuntimeGraph"),
}


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

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute all outputs by name; the arrays are the caller's own."""
        ...

    def close(self) -> None:
        """Free the runtime's memory; the graph cannot be run afterwards."""
        ...


def _graph_class(backend: str):
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


def load_graph(path: Path, backend: str, precision: str, threads: int) -> Graph:
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

    Returns
    -------
    Graph

    Raises
    ------
    LiteMedSamError
        When the back end is unknown or does not compute in that precision, or the file cannot be loaded.
    """
    graph_class = _graph_class(backend)
    if not path.is_file():
        raise LiteMedSamError(f"{path}: no such file", "give a bundle folder made by litemedsam-export")
    return graph_class(path, precision, threads)
