"""Runtimes by name, and graphs that every runtime refuses."""

import onnx
import pytest
from litemedsam.engine.backends.registry import BACKENDS, load_graph
from litemedsam.engine.bundle.info import ENCODER
from litemedsam.engine.bundle.packaged import bundle_folder
from litemedsam.engine.inference.network import Network

from litemedsam import LiteMedSamError


def test_an_unknown_precision_is_refused(backend):
    with pytest.raises(LiteMedSamError, match="precision 'f8'"):
        load_graph(bundle_folder() / ENCODER, backend, "f8", 1)


def test_an_unknown_back_end_is_refused():
    with pytest.raises(LiteMedSamError, match="expected one of: openvino, onnxruntime"):
        load_graph(bundle_folder() / ENCODER, "abacus", "f32", 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_no_graph_is_refused_by_every_runtime(own_bundle, backend):
    with pytest.raises(LiteMedSamError, match="no such file"):
        load_graph(own_bundle / "other.onnx", backend, "f32", 1)
    with pytest.raises(LiteMedSamError, match="unknown back end 'tvm'; expected one of: openvino, onnxruntime"):
        load_graph(own_bundle / ENCODER, "tvm", "f32", 1)
    with pytest.raises(LiteMedSamError, match="computes in"):
        load_graph(own_bundle / ENCODER, backend, "f16", 1)
    graph = onnx.load(own_bundle / ENCODER)
    graph.graph.node[0].op_type = "Invented"
    onnx.save(graph, own_bundle / ENCODER)
    with pytest.raises(LiteMedSamError, match="cannot load it"):
        load_graph(own_bundle / ENCODER, backend, "f32", 1)
    (own_bundle / ENCODER).write_bytes(b"")
    with pytest.raises(LiteMedSamError, match=r"cannot load it|not a graph"):
        load_graph(own_bundle / ENCODER, backend, "f32", 1)
    with pytest.raises(LiteMedSamError, match="not a graph of a litemedsam bundle"):
        Network.load(own_bundle, backend, "f32", 1)
