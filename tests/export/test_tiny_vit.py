"""LiteMedSAM's graphs: every rewritten part equals its layer, and the bundle is complete."""

import numpy as np
import onnx
import pytest
import torch
from graph_parts import compare, randomised
from litemedsam.export import fold, tiny_vit
from litemedsam.export.litemedsam import RECIPE
from litemedsam.export.recipe import decoder_graph, encoder_graph
from litemedsam.export.writer import RECIPES
from litemedsam.models import LiteMedSAM
from litemedsam.models.checkpoint import MODELS
from litemedsam.models.tiny_vit import MBConv, PatchMerging, TinyViTBlock, WindowAttention


@pytest.mark.parametrize(("size", "window"), [(14, 7), (16, 7), (8, 14), (13, 4)])
def test_a_block_equals_its_graph_whether_or_not_the_windows_tile_the_map(size, window):
    block = randomised(TinyViTBlock(64, 2, window))
    x = torch.randn(1, 64, size, size, generator=torch.Generator().manual_seed(2))
    compare(block, lambda g, x: tiny_vit._block(g, x, block, size), x, as_matrix=True)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_merging_equals_its_graph(stride):
    merging = randomised(PatchMerging(16, 24, stride))
    x = torch.randn(1, 16, 12, 12, generator=torch.Generator().manual_seed(2))
    compare(merging, lambda g, x: tiny_vit._merging(g, x, merging), x, as_matrix=False)


def test_an_inverted_bottleneck_equals_its_graph():
    block = randomised(MBConv(8))
    x = torch.randn(1, 8, 12, 12, generator=torch.Generator().manual_seed(2))

    def build(g, x):
        return tiny_vit._bottleneck(g, g.convolution(x, *fold.conv_bn(block.conv1)), x, block)

    compare(block, build, x, as_matrix=False)


def test_window_order_covers_the_map_once_and_marks_the_padding():
    order = tiny_vit.window_order(9, 7)
    assert order.shape == (4 * 49,)
    assert np.count_nonzero(order == 81) == 14 * 14 - 81
    np.testing.assert_array_equal(np.sort(order)[:81], np.arange(81))
    np.testing.assert_array_equal(order[:8], [0, 1, 2, 3, 4, 5, 6, 9])


def test_padded_positions_need_neither_key_nor_value():
    attention = randomised(WindowAttention(64, 2, 7))
    _, bias, _, _ = tiny_vit._projections(attention)
    assert bias[:64].any()
    assert not bias[64:].any()


@pytest.fixture(scope="module")
def graphs():
    torch.manual_seed(0)
    model = LiteMedSAM(64).eval()
    return model, encoder_graph(RECIPE, model, {}), decoder_graph(RECIPE, model, {})


def test_the_graphs_take_and_give_what_the_recipe_says(graphs):
    _, encoder, decoder = graphs
    assert [port.name for port in encoder.graph.output] == ["image_embedding"]
    assert [port.name for port in decoder.graph.input] == ["image_embedding", "boxes"]
    assert [port.name for port in decoder.graph.output] == ["logits", "iou"]


def test_nothing_of_training_or_padding_is_left_in_the_encoder(graphs):
    _, encoder, _ = graphs
    kinds = {node.op_type for node in encoder.graph.node}
    assert not kinds & {"BatchNormalization", "Pad", "Slice", "ScatterND", "Where", "Shape", "If"}


@torch.inference_mode()
def test_the_stem_is_one_product_shorter(graphs):
    model, encoder, _ = graphs
    names = {tensor.name: onnx.numpy_helper.to_array(tensor).shape for tensor in encoder.graph.initializer}
    weights = [names[node.input[1]] for node in encoder.graph.node if node.op_type == "Conv"]
    assert weights[:3] == [(32, 3, 1, 1), (64, 32, 1, 1), (256, 32, 1, 1)]
    assert model.image_encoder.layers[0].blocks[0].conv1.c.weight.shape == (256, 64, 1, 1)


def test_every_model_has_a_recipe():
    assert set(RECIPES) == {model.name for model in MODELS}
