"""Shared layers against PyTorch's own."""

import torch
from litemedsam.models.layers import ConvBN, LayerNorm2d, neck


@torch.inference_mode()
def test_a_layer_norm_of_a_map_is_that_of_its_pixels():
    torch.manual_seed(0)
    own = LayerNorm2d(6)
    torch.nn.init.normal_(own.weight)
    torch.nn.init.normal_(own.bias)
    x = torch.randn(2, 6, 3, 5) * 4 + 2
    expected = torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), (6,), own.weight, own.bias, 1e-6)
    torch.testing.assert_close(own(x), expected.permute(0, 3, 1, 2))


@torch.inference_mode()
def test_shapes_of_a_convolution_and_of_a_neck():
    x = torch.randn(1, 8, 12, 10)
    assert ConvBN(8, 8, 3, 2, groups=8).eval()(x).shape == (1, 8, 6, 5)
    assert ConvBN(8, 4, 3).eval()(x).shape == (1, 4, 12, 10)
    layer = neck(8, 16)
    assert layer(x).shape == (1, 16, 12, 10)
    assert all(part.bias is None for part in (layer[0], layer[2]))
