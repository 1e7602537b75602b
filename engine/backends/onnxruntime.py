"""Graphs run by ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import LiteMedSamError
from .graph import remedy
from .offline_onnxruntime import onnxruntime

state = onnxruntime.capi.onnxruntime_pybind11_state
_ERRORS = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NoSuchFile,
    state.NotImplemented,
    state.RuntimeException,
    RuntimeError,
    ValueError,
)


def _reason(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:160]


class OnnxRuntimeGraph:
    """A graph run by ONNX Runtime on the CPU; see `litemedsam.engine.backends.graph.Graph`.

    Parameters
    ----------
    path : Path
        An ONNX file.
    precision : str
        ``f32``; ONNX Runtime has no bfloat16 on the CPU.
    threads, streams : int
        See `litemedsam.engine.backends.registry.load_graph`.

    Raises
    ------
    LiteMedSamError
        When the precision is not ``f32``, or the file is not a graph that ONNX Runtime reads.
    """

    name = "onnxruntime"
    version = onnxruntime.__version__

    def __init__(self, path: Path, precision: str, threads: int, streams: int = 1):
        self.check_precision(precision)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads // streams
        options.inter_op_num_threads = 1
        # Errors only, because in a container without a writable home it warns about telemetry.
        options.log_severity_level = 3
        # Return the memory of a large batch to the system.
        options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        except _ERRORS as error:
            raise LiteMedSamError(f"{path}: ONNX Runtime cannot load it ({_reason(error)})", remedy(error)) from error
        self._path = path
        self._outputs = [port.name for port in self._session.get_outputs()]

    @staticmethod
    def native_precisions() -> frozenset[str]:
        """``f32`` alone; a quantised encoder runs, but measurements show no gain."""
        return frozenset({"f32"})

    @staticmethod
    def check_precision(precision: str) -> None:
        """See `litemedsam.engine.backends.graph.Graph.check_precision`."""
        if precision != "f32":
            raise LiteMedSamError(
                f"back end onnxruntime computes in f32, got precision {precision!r}", "use --backend openvino"
            )

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `litemedsam.engine.backends.graph.Graph.run`."""
        try:
            return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))
        except _ERRORS as error:
            raise LiteMedSamError(
                f"{self._path}: ONNX Runtime cannot run it ({_reason(error)})", remedy(error)
            ) from error

    def close(self) -> None:
        """See `litemedsam.engine.backends.graph.Graph.close`."""
        self._session = None
