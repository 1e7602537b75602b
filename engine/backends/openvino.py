"""Graphs run by OpenVINO."""

from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from ...errors import LiteMedSamError
from ..bundle.info import PRECISION_KEY
from ..bundle.onnx_metadata import read_metadata
from .compiled import compiled_before, keep_compiled
from .graph import remedy
from .offline_openvino import core, openvino

PRECISIONS = ("f32", "bf16")
# OpenVINO's names for a processor's precisions.
_PRECISION_OF = {"FP32": "f32", "BF16": "bf16", "INT8": "int8"}


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:160]


class OpenVinoGraph:
    """A graph compiled by OpenVINO for the CPU; see `litemedsam.engine.backends.graph.Graph`.

    Parameters
    ----------
    path : Path
        An ONNX file.
    precision : str
        ``f32`` or ``bf16``.
    threads, streams : int
        See `litemedsam.engine.backends.registry.load_graph`.

    Raises
    ------
    LiteMedSamError
        When the precision is unknown or the file is not a graph that OpenVINO reads.
    """

    name = "openvino"
    version = openvino.__version__.split("-")[0]

    def __init__(self, path: Path, precision: str, threads: int, streams: int = 1):
        self.check_precision(precision)
        self._path = path
        self.metadata = read_metadata(path)
        properties = {
            "INFERENCE_PRECISION_HINT": precision,
            "EXECUTION_MODE_HINT": "ACCURACY" if precision == "f32" else "PERFORMANCE",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
            # Encoder and decoder run side by side; pinned to the same processor, one would wait for the other.
            "ENABLE_CPU_PINNING": False,
            # Fused attention is slower than matrix products, but a quantised graph gains more from other fusions.
            "SNIPPETS_MODE": "ENABLE" if self.metadata.get(PRECISION_KEY) == "int8" else "DISABLE",
        }
        compiled = compiled_before(core(), path, precision, properties)
        if compiled is None:
            compiled = self._compile(path, properties)
            keep_compiled(path, precision, compiled)
        requests: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(streams):
            requests.put(compiled.create_infer_request())
        self._outputs = [port.get_any_name() for port in compiled.outputs]
        self.compiled: openvino.CompiledModel | None = compiled
        self._requests: SimpleQueue[openvino.InferRequest] | None = requests

    @staticmethod
    def native_precisions() -> frozenset[str]:
        """The precisions that OpenVINO lists as native to the processor."""
        named = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return frozenset(_PRECISION_OF[name] for name in named if name in _PRECISION_OF)

    @staticmethod
    def check_precision(precision: str) -> None:
        """See `litemedsam.engine.backends.graph.Graph.check_precision`."""
        if precision not in PRECISIONS:
            raise LiteMedSamError(
                f"back end openvino computes in {' or '.join(PRECISIONS)}, got precision {precision!r}"
            )

    @staticmethod
    def _compile(path: Path, properties: Mapping[str, Any]) -> openvino.CompiledModel:
        try:
            return core().compile_model(path, "CPU", dict(properties))
        except RuntimeError as error:
            raise LiteMedSamError(f"{path}: OpenVINO cannot load it ({_reason(error)})", remedy(error)) from error

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `litemedsam.engine.backends.graph.Graph.run`."""
        requests = self._requests
        if requests is None:
            raise LiteMedSamError(f"{self._path}: was closed", "load it again")
        request = requests.get()
        try:
            results = request.infer(dict(inputs), share_inputs=True, share_outputs=False)
        except (RuntimeError, ValueError, KeyError) as error:
            raise LiteMedSamError(f"{self._path}: OpenVINO cannot run it ({_reason(error)})", remedy(error)) from error
        finally:
            requests.put(request)
        return {name: results[name] for name in self._outputs}

    def close(self) -> None:
        """See `litemedsam.engine.backends.graph.Graph.close`."""
        self._requests = self.compiled = None
