"""ONNX Runtime alone: its precision, its threads, and its errors in one line."""

import numpy as np
import pytest
from litemedsam.engine.backends.onnxruntime import OnnxRuntimeGraph
from litemedsam.engine.bundle.info import ENCODER

from litemedsam import LiteMedSamError


def test_it_computes_in_f32_alone(tiny_bundle):
    assert OnnxRuntimeGraph.native_precisions() == {"f32"}
    OnnxRuntimeGraph.check_precision("f32")
    for make in (OnnxRuntimeGraph.check_precision, lambda name: OnnxRuntimeGraph(tiny_bundle / ENCODER, name, 1)):
        with pytest.raises(LiteMedSamError, match="computes in f32, got precision 'bf16'; use --backend openvino"):
            make("bf16")


def test_streams_divide_the_threads(tiny_bundle):
    graph = OnnxRuntimeGraph(tiny_bundle / ENCODER, "f32", 4, 2)
    assert graph._session.get_session_options().intra_op_num_threads == 2


@pytest.mark.parametrize(
    "inputs", [{}, {"image": np.zeros((1, 3, 5, 5), np.float32)}, {"image": np.zeros((1, 3, 64, 64), np.int64)}]
)
def test_inputs_that_do_not_fit_are_one_line(tiny_bundle, inputs):
    graph = OnnxRuntimeGraph(tiny_bundle / ENCODER, "f32", 1)
    with pytest.raises(LiteMedSamError, match=r"encoder.onnx: ONNX Runtime cannot run it \(.*; export the") as error:
        graph.run(inputs)
    assert "\n" not in str(error.value)
