"""Swin-LiteMedSAM's recipe: the encoder gives what the decoder adds, in the order of its pixels."""

import onnx
import pytest
import torch
from litemedsam.export.recipe import decoder_graph, encoder_graph
from litemedsam.export.swin_litemedsam import RECIPE
from litemedsam.models import SwinLiteMedSAM


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return SwinLiteMedSAM(64).eval()


def shapes(ports):
    return {port.name: tuple(size.dim_value for size in port.type.tensor_type.shape.dim) for port in ports}


def test_the_graphs_fit_together(model):
    encoder, decoder = encoder_graph(RECIPE, model, {}), decoder_graph(RECIPE, model, {})
    given = shapes(encoder.graph.output)
    assert given == RECIPE.shapes(model)
    assert given == {"image_embedding": (1, 256, 256), "deep_skip": (1, 256, 256), "shallow_skip": (1, 256, 4, 64)}
    taken = shapes(decoder.graph.input)
    assert {name: taken[name] for name in given} == given
    assert list(taken)[len(given) :] == ["boxes", "points", "scribbles"]


def test_nothing_of_the_image_is_left_to_the_decoder(model):
    """Neither a convolution nor a neck: what depends on the image alone is computed once."""
    decoder = decoder_graph(RECIPE, model, {})
    assert "Conv" not in {node.op_type for node in decoder.graph.node}
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor).shape for tensor in decoder.graph.initializer}
    assert (640, 256) not in stored.values()
