"""Graphs run by OpenVINO."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from ...errors import LiteMedSamError
from ..onnx_metadata import read_metadata
from .compiled import compiled_before, keep_compiled
from .offline_openvino import openvino

PRECISIONS = ("f32", "bf16")


@cache
def _core() -> openvino.Core:
    # Never freed: it owns the stack that this process' signal handlers run on, on processors with AMX.
    return openvino.Core()


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:160]


class OpenVinoGraph:
    """A graph compiled by OpenVINO for the CPU; see `litemedsam.engine.backends.Graph`.

    Parameters
    ----------
    path : Path
        An ONNX file.
    precision : str
        ``f32`` or ``bf16``.
    threads : int
        At least 1.

    Raises
    ------
    LiteMedSamError
        When the precision is unknown or the file is not a graph that OpenVINO reads.
    """

    name = "openvino"
    version = openvino.__version__.split("-")[0]

    def __init__(self, path: Path, precision: str, threads: int):
        if precision not in PRECISIONS:
            raise LiteMedSamError(
                f"back end openvino computes in {' or '.join(PRECISIONS)}, got precision {precision!r}"
            )
        self._path = path
        self._turn = Lock()
        self.metadata = read_metadata(path)
        properties = {
            "INFERENCE_PRECISION_HINT": precision,
            "EXECUTION_MODE_HINT": "ACCURACY" if precision == "f32" else "PERFORMANCE",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        core = _core()
        self.compiled = compiled_before(core, path, precision, properties)
        if self.compiled is None:
            self.compiled = self._compile(core, path, properties)
            keep_compiled(path, precision, self.compiled)
        self._request = self.compiled.create_infer_request()
        self._outputs = [port.get_any_name() for port in self.compiled.outputs]

    @staticmethod
    def _compile(core: openvino.Core, path: Path, properties: Mapping) -> openvino.CompiledModel:
        try:
            return core.compile_model(path, "CPU", dict(properties))
        except RuntimeError as error:
            raise LiteMedSamError(
                f"{path}: OpenVINO cannot load it ({_reason(error)})", "export the bundle again"
            ) from error

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `litemedsam.engine.backends.Graph.run`."""
        try:
            # A request serves one caller at a time, and computes with all threads.
            with self._turn:
                results = self._request.infer(dict(inputs), share_inputs=True, share_outputs=False)
        except (RuntimeError, ValueError, KeyError) as error:
            raise LiteMedSamError(
                f"{self._path}: OpenVINO cannot run it ({_reason(error)})", "export the bundle again"
            ) from error
        return {name: results[name] for name in self._outputs}

    def close(self) -> None:
        """See `litemedsam.engine.backends.Graph.close`."""
        self._request = self.compiled = None
        self.compiled = None
