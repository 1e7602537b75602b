"""Writes the image encoder of Swin-LiteMedSAM as part of a graph."""

import numpy as np
from torch import nn

from ..models.swin import HEAD_SIZE, WINDOW, PatchMerging, SwinBlock, SwinImageEncoder, WindowAttention
from . import fold
from .graph import GraphWriter
from .layers import LN_EPS, feed_forward, local_convolution, to_channels_first, to_matrix

# Far below any score. Its exp is exactly 0 in float32, and it still fits int8 ranges and half precision.
_FAR_BELOW = -1e4


def window_order(size: int, shifted: bool) -> np.ndarray:
    """Row-major indices of a size × size map in the order of its 8×8 windows, int64 (size²,)."""
    index = np.arange(size * size).reshape(size, size)
    if shifted:
        index = np.roll(index, (-(WINDOW // 2), -(WINDOW // 2)), (0, 1))
    rows = size // WINDOW
    return index.reshape(rows, WINDOW, rows, WINDOW).transpose(0, 2, 1, 3).reshape(-1)


def _score_bias(g: GraphWriter, attention: WindowAttention, size: int) -> str:
    """Constant (windows or 1, 1, 64, 64); the few kinds of windows are stored once each."""
    bias = np.maximum(fold.array(attention.score_bias(size, size)), _FAR_BELOW).astype(np.float32)
    kinds, kind_of_window = np.unique(bias, axis=0, return_inverse=True)
    return g.gather(g.constant(kinds[:, None]), kind_of_window.reshape(-1))


def _attention(g: GraphWriter, x: str, norm: nn.LayerNorm, attention: WindowAttention, size: int) -> str:
    """Attention with residual on a matrix (size², C)."""
    channels, heads = norm.weight.shape[0], attention.heads
    inner = heads * HEAD_SIZE
    weight = fold.array(attention.to_qkv.weight)
    weight[:inner] *= HEAD_SIZE**-0.5
    order = window_order(size, attention.shifted)
    tokens = g.gather(g.normalise(x, channels, LN_EPS), order)
    qkv = g.linear(tokens, *fold.norm_linear(norm, weight))
    split = g.transpose(g.reshape(qkv, -1, WINDOW**2, 3, heads, HEAD_SIZE), 2, 0, 3, 1, 4)
    q, k, v = (g.gather(split, np.array(part)) for part in range(3))
    scores = g.add(g.matmul(q, g.transpose(k, 0, 1, 3, 2)), _score_bias(g, attention, size))
    mixed = g.transpose(g.matmul(g.softmax(scores), v), 0, 2, 1, 3)
    out = g.linear(
        g.reshape(mixed, size * size, inner), fold.array(attention.to_out.weight), fold.array(attention.to_out.bias)
    )
    return g.add(x, g.gather(out, np.argsort(order)))


def _block(g: GraphWriter, x: str, block: SwinBlock, size: int) -> str:
    attention = block.attention_block.fn
    x = _attention(g, x, attention.norm, attention.fn, size)
    x = local_convolution(g, x, block.local_conv, size)
    first, _, second = block.mlp_block.fn.fn.net
    return feed_forward(g, x, block.mlp_block.fn.norm, fold.layer(nn.Linear, first), fold.layer(nn.Linear, second))


def _stem(g: GraphWriter, image: str, encoder: SwinImageEncoder) -> str:
    """Map an image (1, 3, S, S) to a matrix ((S/2)², 128), with the second 1×1 convolution in the first reduction."""
    first, _, second = encoder.patch_embed.seq
    x = g.gelu(g.convolution(image, *fold.conv_bn(first)))
    weight, bias = fold.conv_bn(second)
    merging = encoder.stage1.downsample
    reduction = fold.array(merging.convolution_weight())
    merged = np.einsum("omij,mc->ocij", reduction, weight[:, :, 0, 0])
    merged_bias = fold.array(merging.linear.bias) + np.einsum("omij,m->o", reduction, bias)
    return to_matrix(g, g.convolution(x, merged, merged_bias, stride=merging.reduction), len(merged))


def _merging(g: GraphWriter, x: str, merging: PatchMerging, size: int) -> str:
    """Map a matrix (size², channels) to the next stage's matrix."""
    weight, bias = fold.array(merging.convolution_weight()), fold.array(merging.linear.bias)
    if merging.reduction == 1:
        return g.linear(x, weight[:, :, 0, 0], bias)
    x = to_channels_first(g, x, size, weight.shape[1])
    return to_matrix(g, g.convolution(x, weight, bias, stride=merging.reduction), len(weight))


def encode(g: GraphWriter, image: str, encoder: SwinImageEncoder, frame: int) -> list[str]:
    """Map an image (1, 3, frame, frame) to the four skip maps, as matrices; the last is the neck's input."""
    x, size = _stem(g, image, encoder), frame // 2
    skips = []
    for number, stage in enumerate(encoder.stages):
        if number > 0:
            x = _merging(g, x, stage.downsample, size)
            size //= stage.downsample.reduction
        for pair in stage.blocks:
            for block in pair:
                x = _block(g, x, block, size)
        skips.append(x)
    return skips
