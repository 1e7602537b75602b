"""OpenVINO alone: its settings, several runs at once, and its errors in one line."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from litemedsam.engine.backends.openvino import OpenVinoGraph
from litemedsam.engine.bundle.info import ENCODER

from litemedsam import LiteMedSamError


def image(seed):
    return {"image": np.random.default_rng(seed).random((1, 3, 64, 64), np.float32)}


def test_threads_and_streams_are_those_that_were_asked_for(tiny_bundle):
    graph = OpenVinoGraph(tiny_bundle / ENCODER, "f32", 2, 2)
    found = {name: graph.compiled.get_property(name) for name in ("INFERENCE_NUM_THREADS", "NUM_STREAMS")}
    assert found == {"INFERENCE_NUM_THREADS": 2, "NUM_STREAMS": 2}
    assert graph.compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


def test_more_threads_than_streams_take_turns(tiny_bundle):
    graph = OpenVinoGraph(tiny_bundle / ENCODER, "f32", 2, 2)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda seed: graph.run(image(seed))["image_embedding"], range(20)))
    for seed, answer in enumerate(answers):
        np.testing.assert_allclose(answer, image(seed)["image"].mean(axis=1), atol=1e-6)


def test_its_precisions_are_known():
    assert "f32" in OpenVinoGraph.native_precisions() <= {"f32", "bf16", "int8"}
    with pytest.raises(LiteMedSamError, match="computes in f32 or bf16, got precision 'int8'"):
        OpenVinoGraph.check_precision("int8")


@pytest.mark.parametrize("inputs", [{}, {"image": np.zeros((1, 3, 5, 5), np.float32)}, {"picture": np.zeros(1)}])
def test_inputs_that_do_not_fit_are_one_line(tiny_bundle, inputs):
    graph = OpenVinoGraph(tiny_bundle / ENCODER, "f32", 1)
    if inputs:
        with pytest.raises(LiteMedSamError, match=r"encoder.onnx: OpenVINO cannot run it \(.*; export the") as error:
            graph.run(inputs)
        assert "\n" not in str(error.value)
    # A run that failed gives its place back.
    assert graph.run(image(0))["image_embedding"].shape == (1, 64, 64)


def test_a_closed_graph_says_so(tiny_bundle):
    graph = OpenVinoGraph(tiny_bundle / ENCODER, "f32", 1)
    graph.close()
    with pytest.raises(LiteMedSamError, match=r"encoder\.onnx: was closed; load it again"):
        graph.run(image(0))
