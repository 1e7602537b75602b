"""The TinyViT image encoder of LiteMedSAM as part of a graph."""

import numpy as np

from ..models.layers import ConvBN
from ..models.tiny_vit import HEAD_SIZE, Layer, MBConv, PatchMerging, TinyViTBlock, TinyViTImageEncoder, WindowAttention
from . import fold
from .graph import GraphWriter
from .layers import LN_EPS, feed_forward, local_convolution, to_channels_first, to_matrix


def window_order(size: int, window: int) -> np.ndarray:
    """Row-major indices of a size × size map in the order of the windows that cover it.

    Returns
    -------
    ndarray
        int64 (windows · window²,); positions of the padding at bottom and right have the index size².
    """
    rows = -(-size // window)
    index = np.full((rows * window, rows * window), size * size)
    index[:size, :size] = np.arange(size * size).reshape(size, size)
    return index.reshape(rows, window, rows, window).transpose(0, 2, 1, 3).reshape(-1)


def _projections(attention: WindowAttention) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weight and bias of the joint projection and of the projection after the attention, for plain normalisations.

    The keys' bias shifts all scores of a row alike, so softmax does not see it. Shares sum to one, so the values' bias
    passes to the last projection. Padded positions then have keys and values of zero.
    """
    heads, inner = attention.heads, attention.heads * HEAD_SIZE
    weight, bias = fold.norm_linear(attention.norm, fold.array(attention.qkv.weight), fold.array(attention.qkv.bias))
    weight = weight.reshape(heads, 3, HEAD_SIZE, -1).swapaxes(0, 1).reshape(3 * inner, -1)
    query_bias, _, value_bias = bias.reshape(heads, 3, HEAD_SIZE).swapaxes(0, 1).reshape(3, inner)
    scale = HEAD_SIZE**-0.5
    weight[:inner] *= scale
    bias = np.concatenate([query_bias * scale, np.zeros(2 * inner)])
    last = fold.array(attention.proj.weight)
    return weight, bias, last, fold.array(attention.proj.bias) + last @ value_bias


def _attention(g: GraphWriter, x: str, attention: WindowAttention, size: int) -> str:
    """Attention with residual on a matrix (size², C)."""
    channels, heads, window = len(attention.norm.weight), attention.heads, attention.window
    inner, order = heads * HEAD_SIZE, window_order(size, window)
    weight, first_bias, last, last_bias = _projections(attention)
    tokens = g.normalise(x, channels, LN_EPS)
    padded = g.node("Concat", tokens, g.constant(np.zeros((1, channels))), axis=0)
    qkv = g.linear(g.gather(padded, order), weight, first_bias)
    split = g.transpose(g.reshape(qkv, -1, window**2, 3, heads, HEAD_SIZE), 2, 0, 3, 1, 4)
    q, k, v = (g.gather(split, np.array(part)) for part in range(3))
    scores = g.matmul(q, g.transpose(k, 0, 1, 3, 2))
    # The runtimes expand the table and its index at load; stored, they take a tenth of the expanded biases.
    bias = g.gather(g.constant(fold.array(attention.attention_biases)), attention.distance_index.numpy(), axis=1)
    shares = g.softmax(g.add(scores, bias))
    mixed = g.reshape(g.transpose(g.matmul(shares, v), 0, 2, 1, 3), -1, inner)
    back = g.gather(mixed, np.argsort(order)[: size * size])
    return g.add(x, g.linear(back, last, last_bias))


def _block(g: GraphWriter, x: str, block: TinyViTBlock, size: int) -> str:
    x = local_convolution(g, _attention(g, x, block.attn, size), block.local_conv, size)
    return feed_forward(g, x, block.mlp.norm, block.mlp.fc1, block.mlp.fc2)


def _depthwise(g: GraphWriter, x: str, layer: ConvBN, stride: int = 1) -> str:
    weight, bias = fold.conv_bn(layer)
    return g.convolution(x, weight, bias, stride, groups=len(weight))


def _bottleneck(g: GraphWriter, hidden: str, shortcut: str, block: MBConv) -> str:
    """An inverted bottleneck after its first convolution; channels-first."""
    hidden = g.gelu(_depthwise(g, g.gelu(hidden), block.conv2))
    return g.gelu(g.add(shortcut, g.convolution(hidden, *fold.conv_bn(block.conv3))))


def _stem(g: GraphWriter, image: str, encoder: TinyViTImageEncoder) -> str:
    """Image to the first layer's blocks, channels-first (1, 64, S, S)."""
    first, _, second = encoder.patch_embed.seq
    x = g.gelu(g.convolution(image, *fold.conv_bn(first)))
    weight, bias = fold.conv_bn(second)
    shortcut = g.convolution(x, weight, bias)
    head, *rest = fold.layers(MBConv, fold.layer(Layer, encoder.layers[0]).blocks)
    # The first expansion follows the stem's last convolution without a nonlinearity: one product of half the width.
    expansion, expansion_bias = fold.conv_bn(head.conv1)
    merged = np.einsum("om,mi->oi", expansion[:, :, 0, 0], weight[:, :, 0, 0])[..., None, None]
    hidden = g.convolution(x, merged, expansion_bias + expansion[:, :, 0, 0] @ bias)
    x = _bottleneck(g, hidden, shortcut, head)
    for block in rest:
        x = _bottleneck(g, g.convolution(x, *fold.conv_bn(block.conv1)), x, block)
    return x


def _merging(g: GraphWriter, x: str, merging: PatchMerging) -> str:
    """Channels-first on both sides."""
    x = g.gelu(g.convolution(x, *fold.conv_bn(merging.conv1)))
    x = g.gelu(_depthwise(g, x, merging.conv2, merging.stride))
    return g.convolution(x, *fold.conv_bn(merging.conv3))


def encode(g: GraphWriter, image: str, encoder: TinyViTImageEncoder, frame: int) -> str:
    """Map an image (1, 3, frame, frame) to the neck's input, a matrix."""
    stem, *layers = fold.layers(Layer, encoder.layers)
    x, size, merging = _stem(g, image, encoder), frame, stem.downsample
    for layer in layers:
        merging = fold.layer(PatchMerging, merging)
        channels = len(merging.conv3.c.weight)
        x = to_matrix(g, _merging(g, x, merging), channels)
        size //= merging.stride
        for block in fold.layers(TinyViTBlock, layer.blocks):
            x = _block(g, x, block, size)
        merging = layer.downsample
        if merging is not None:
            x = to_channels_first(g, x, size, channels)
    return x
