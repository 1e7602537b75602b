"""The runtimes by name; each is imported on first use."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LiteMedSamError

if TYPE_CHECKING:
    from .graph import Graph

# The module and the name of each back end's graph class.
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
    """The precisions that save time with a back end on this processor; always includes ``f32``.

    Raises
    ------
    LiteMedSamError
        When the back end is unknown.
    """
    return _graph_class(backend).native_precisions()


def check_setting(backend: str, precision: str) -> None:
    """Refuse a setting that `load_graph` would refuse, before any file is read.

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
        Precision of floats, ``f32`` or ``bf16``.
    threads : int
        At least 1.
    streams : int
        Number of concurrent runs that share the threads, from 1 to `threads`. One stream is fastest for a single run;
        several are fastest for many runs, each in its own calling thread. The results are the same.

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
