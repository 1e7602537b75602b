"""Parts that the networks' graphs share; maps are channels-last on both sides."""

import numpy as np
from torch import nn

from ..models.layers import ConvBN
from . import fold
from .graph import GraphWriter

LN_EPS = 1e-5
LN2D_EPS = 1e-6


def local_convolution(g: GraphWriter, x: str, layer: ConvBN) -> str:
    """A depthwise convolution with its batch normalisation."""
    weight, bias = fold.conv_bn(layer)
    return g.transpose(g.convolution(g.transpose(x, 0, 3, 1, 2), weight, bias, groups=len(weight)), 0, 2, 3, 1)


def feed_forward(g: GraphWriter, x: str, norm: nn.LayerNorm, first: nn.Linear, second: nn.Linear) -> str:
    """Layer normalisation and two linear layers with GELU between them, and the residual."""
    normal = g.normalise(x, len(norm.weight), LN_EPS)
    hidden = g.linear(normal, *fold.norm_linear(norm, fold.array(first.weight), fold.array(first.bias)))
    return g.add(x, g.linear(g.gelu(hidden), fold.array(second.weight), fold.array(second.bias)))


def neck(g: GraphWriter, x: str, layers: nn.Sequential) -> str:
    """A neck without its last affine part."""
    first, norm, second, _ = layers
    x = g.normalise(g.linear(x, fold.array(first.weight)[:, :, 0, 0]), len(norm.weight), LN2D_EPS)
    x = g.affine(x, fold.array(norm.weight), fold.array(norm.bias))
    x = g.convolution(g.transpose(x, 0, 3, 1, 2), fold.array(second.weight))
    return g.normalise(g.transpose(x, 0, 2, 3, 1), len(norm.weight), LN2D_EPS)


def embedding(g: GraphWriter, x: str, layers: nn.Sequential, positions: int) -> str:
    """The image embedding (1, positions, 256), row-major: a whole neck."""
    last = layers[-1]
    x = g.affine(neck(g, x, layers), fold.array(last.weight), fold.array(last.bias))
    return g.reshape(x, 1, positions, len(last.weight))


def pixel_linear(layer: nn.ConvTranspose2d) -> tuple[np.ndarray, np.ndarray]:
    """A 2×2 transposed convolution of stride 2 as a linear layer to (row, column, channel)."""
    weight = fold.array(layer.weight).transpose(2, 3, 1, 0)
    return weight.reshape(-1, weight.shape[-1]), np.tile(fold.array(layer.bias), 4)
