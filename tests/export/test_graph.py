"""The writer of graphs: constants once, weights in half precision, names as asked for."""

import numpy as np
import onnx
import pytest
import torch
from graph_parts import F32, outcome
from litemedsam.export.graph import LARGE, GraphWriter, Port


def test_an_equal_constant_is_stored_once():
    g = GraphWriter()
    assert g.constant(np.ones(3)) == g.constant(np.ones(3, np.float32))
    names = {g.constant(np.ones(3)), g.constant([1, 1, 1]), g.constant(np.ones((1, 3))), g.constant(np.zeros(3))}
    assert len(names) == 4


@pytest.mark.parametrize("half", [False, True])
def test_large_weights_may_be_stored_in_half_precision(half):
    g = GraphWriter(half)
    large, small = np.full((LARGE + 1, 1), 0.1, np.float32), np.full(1, 0.1, np.float32)
    g.named(g.add(g.matmul("x", g.constant(large)), g.constant(small)), "y")
    model = g.model("sum", [Port("x", F32, (1, LARGE + 1))], [Port("y", F32, (1, 1))], {"b": "2", "a": "1"})
    kinds = {tuple(tensor.dims): tensor.data_type for tensor in model.graph.initializer}
    floats = onnx.TensorProto.FLOAT
    assert kinds[large.shape] == (onnx.TensorProto.FLOAT16 if half else floats)
    assert kinds[small.shape] == floats
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(1, 1, 1), (3, 1, 4), (3, 2, 4), (2, 2, 1)])
def test_a_convolution_is_padded_as_pytorch_s_is_here(kernel, stride, groups):
    layer = torch.nn.Conv2d(4, 8, kernel, stride, (kernel - stride + 1) // 2, groups=groups)
    x = torch.randn(1, 4, 12, 12)
    expected = layer(x).detach().numpy()
    weight, bias = (part.detach().numpy() for part in (layer.weight, layer.bias))
    found = outcome(lambda g, x: g.convolution(x, weight, bias, stride, groups), x.numpy(), expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_graph_that_does_not_fit_its_ports_is_refused():
    g = GraphWriter()
    g.named(g.relu("x"), "y")
    with pytest.raises(Exception, match="nference"):
        g.model("part", [Port("x", F32, (1, 2))], [Port("y", F32, (1, 3))], {})
