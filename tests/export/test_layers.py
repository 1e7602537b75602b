"""Parts that both networks' graphs share equal their layers."""

import numpy as np
import pytest
import torch
from graph_parts import compare, outcome, randomised
from litemedsam.export import layers
from litemedsam.models.layers import ConvBN, neck
from torch import nn


def random_map(channels, size):
    return torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(2))


def test_a_local_convolution_equals_its_graph():
    layer = randomised(ConvBN(16, 16, 3, groups=16))
    compare(layer, lambda g, x: layers.local_convolution(g, x, layer, 9), random_map(16, 9), as_matrix=True)


@torch.inference_mode()
def test_a_feed_forward_part_has_its_residual():
    norm, first, second = (randomised(part) for part in (nn.LayerNorm(12), nn.Linear(12, 48), nn.Linear(48, 12)))
    x = torch.randn(7, 12, generator=torch.Generator().manual_seed(2))
    expected = (x + second(nn.functional.gelu(first(norm(x))))).numpy()
    found = outcome(lambda g, x: layers.feed_forward(g, x, norm, first, second), x.numpy(), (7, 12))
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_an_embedding_is_a_whole_neck():
    layer = randomised(neck(16, 32))
    build = lambda g, x: g.reshape(layers.embedding(g, x, layer, 6), -1, 32)  # noqa: E731
    compare(layer, build, random_map(16, 6), as_matrix=True)


@torch.inference_mode()
def test_pixels_of_a_transposed_convolution_are_a_linear_layer():
    layer = randomised(nn.ConvTranspose2d(5, 3, 2, 2))
    x = random_map(5, 4)
    weight, bias = layers.pixel_linear(layer)
    rows = x[0].permute(1, 2, 0).reshape(16, 5).double().numpy() @ weight.T + bias
    # (row, column, row within, column within, channel) to (channel, row, column).
    found = rows.reshape(4, 4, 2, 2, 3).transpose(4, 0, 2, 1, 3).reshape(3, 8, 8)
    np.testing.assert_allclose(found, layer(x)[0].numpy(), atol=1e-5)
    with pytest.raises(TypeError, match="ConvTranspose2d"):
        layers.pixel_linear(nn.Linear(2, 2))
