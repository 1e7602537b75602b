"""The runtimes by name; each is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LiteMedSamError

if TYPE_CHECKING:
    from .graph import Graph

# Where each back end's graph class is.
BACKENDS = {
    "openvino": ("litemedsam.engine.backends.openvino", "OpenVinoGraph"),
    "onnxruntime": ("litemedsam.engine.backends.onnxruntime", "OnnxRuntimeGraph"),
}


def _graph_class(backend: str) -> type[Graph]:
    if backend not in BACKENDS:
        raise LiteMedSamError(f"unknown back end {backend!r}; expected one of: {', '.join(BACKENDS)}")
    module, name = BACKENDS[backend]
    graph_class: type[Graph] = getattr(import_module(module), name)
    return graph_class


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
        When the back end is unknown or does not compute in that precision, or the file cannot be loaded.
    """
    graph_class = _graph_class(backend)
    if not path.is_file():
        raise LiteMedSamError(f"{path}: no such file", "give a bundle folder made by litemedsam-export")
    return graph_class(path, precision, threads, streams)
