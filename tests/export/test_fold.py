"""Folded layers equal the layers that they replace."""

import numpy as np
import pytest
import torch
from litemedsam.export import fold
from litemedsam.models.layers import ConvBN


def test_folded_batch_norm_is_exact():
    torch.manual_seed(0)
    layer = ConvBN(6, 4, 3).eval()
    layer.bn.running_mean.normal_()
    layer.bn.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 6, 9, 9)
    weight, bias = (torch.from_numpy(part).float() for part in fold.conv_bn(layer))
    torch.testing.assert_close(torch.nn.functional.conv2d(x, weight, bias, padding=1), layer(x), atol=1e-5, rtol=0)


def test_folded_layer_norm_is_exact():
    torch.manual_seed(0)
    norm, linear = torch.nn.LayerNorm(12), torch.nn.Linear(12, 5)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(7, 12)
    weight, bias = fold.norm_linear(norm, fold.array(linear.weight), fold.array(linear.bias))
    plain = torch.nn.functional.layer_norm(x, (12,)).double().numpy()
    np.testing.assert_allclose(plain @ weight.T + bias, linear(norm(x)).detach().numpy(), atol=1e-5)


def test_another_kind_of_layer_is_a_mistake_of_the_recipe():
    layers = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    assert fold.layers(torch.nn.Linear, layers) == list(layers)
    for call in (lambda: fold.layer(ConvBN, layers[0]), lambda: fold.layers(ConvBN, layers), lambda: fold.array(3)):
        with pytest.raises(TypeError, match="expected a"):
            call()
