"""Writes the parts that the graphs of both networks share.

Maps are matrices (positions, channels), positions row-major, unless a convolution needs their rows and columns.
OpenVINO would reorder a map of four axes before sums and normalisations, into a layout made for channels-first maps.
"""

import numpy as np
from torch import nn

from ..models.layers import ConvBN
from . import fold
from .graph import GraphWriter

LN_EPS = 1e-5
LN2D_EPS = 1e-6


def to_channels_first(g: GraphWriter, x: str, size: int, channels: int) -> str:
    """Convert a matrix (size², channels) to a map (1, channels, size, size)."""
    return g.transpose(g.reshape(x, 1, size, size, channels), 0, 3, 1, 2)


def to_matrix(g: GraphWriter, x: str, channels: int) -> str:
    """Convert a channels-first map to a matrix (positions, channels)."""
    return g.reshape(g.transpose(x, 0, 2, 3, 1), -1, channels)


def local_convolution(g: GraphWriter, x: str, layer: ConvBN, size: int) -> str:
    """A depthwise convolution with its batch normalisation, applied to a matrix."""
    weight, bias = fold.conv_bn(layer)
    channels = len(weight)
    x = g.convolution(to_channels_first(g, x, size, channels), weight, bias, groups=channels)
    return to_matrix(g, x, channels)


def feed_forward(g: GraphWriter, x: str, norm: nn.LayerNorm, first: nn.Linear, second: nn.Linear) -> str:
    """Layer normalisation and two linear layers with GELU between them, and the residual."""
    channels = len(norm.weight)
    # Right after a normalisation, OpenVINO quantises slowly and in float32; after a reshape it does not.
    normal = g.reshape(g.normalise(x, channels, LN_EPS), 1, -1, channels)
    hidden = g.linear(normal, *fold.norm_linear(norm, fold.array(first.weight), fold.array(first.bias)))
    out = g.linear(g.gelu(hidden), fold.array(second.weight), fold.array(second.bias))
    return g.add(x, g.reshape(out, -1, channels))


def neck(g: GraphWriter, x: str, layers: nn.Sequential, size: int) -> str:
    """A neck without its last affine part, applied to a matrix (size², channels)."""
    first, norm, second, _ = layers
    channels = len(fold.array(norm.weight))
    x = g.normalise(g.linear(x, fold.array(first.weight)[:, :, 0, 0]), channels, LN2D_EPS)
    x = g.affine(x, fold.array(norm.weight), fold.array(norm.bias))
    x = g.convolution(to_channels_first(g, x, size, channels), fold.array(second.weight))
    return g.normalise(to_matrix(g, x, channels), channels, LN2D_EPS)


def embedding(g: GraphWriter, x: str, layers: nn.Sequential, size: int) -> str:
    """The image embedding (1, size², 256), row-major: a whole neck, applied to a matrix (size², channels)."""
    last = layers[-1]
    x = g.affine(neck(g, x, layers, size), fold.array(last.weight), fold.array(last.bias))
    return g.reshape(x, 1, size * size, len(fold.array(last.weight)))


def pixel_linear(module: object) -> tuple[np.ndarray, np.ndarray]:
    """A 2×2 transposed convolution of stride 2 as a linear layer to (row, column, channel)."""
    layer = fold.layer(nn.ConvTranspose2d, module)
    weight = fold.array(layer.weight).transpose(2, 3, 1, 0)
    return weight.reshape(-1, weight.shape[-1]), np.tile(fold.array(layer.bias), 4)
