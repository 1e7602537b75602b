"""The image encoder of Swin-LiteMedSAM as an ONNX graph, with all that depends on the image alone."""

import numpy as np
import onnx

from ..models.mask_decoder import WIDTH
from ..models.swin import HEAD_SIZE, WINDOW, SwinBlock, SwinImageEncoder, WindowAttention
from ..models.swin_litemedsam import SkipMaskDecoder, SwinLiteMedSAM
from . import fold
from .graph import GraphWriter, Port

# Far below any score; exp of it is exactly 0 in float32, and int8 ranges and half precision stay sane.
_FAR_BELOW = -1e4
_LN_EPS = 1e-5
_LN2D_EPS = 1e-6


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


def _attention(g: GraphWriter, x: str, norm, attention: WindowAttention, size: int) -> str:
    """Attention with residual on a map (1, size, size, C)."""
    channels, heads = norm.weight.shape[0], attention.heads
    inner = heads * HEAD_SIZE
    weight = fold.array(attention.to_qkv.weight)
    weight[:inner] *= HEAD_SIZE**-0.5
    order = window_order(size, attention.shifted)
    tokens = g.gather(g.reshape(g.normalise(x, channels, _LN_EPS), size * size, channels), order)
    qkv = g.linear(tokens, *fold.norm_linear(norm, weight))
    split = g.transpose(g.reshape(qkv, -1, WINDOW**2, 3, heads, HEAD_SIZE), 2, 0, 3, 1, 4)
    q, k, v = (g.gather(split, np.array(part)) for part in range(3))
    scores = g.add(g.matmul(q, g.transpose(k, 0, 1, 3, 2)), _score_bias(g, attention, size))
    mixed = g.transpose(g.matmul(g.softmax(scores), v), 0, 2, 1, 3)
    out = g.linear(
        g.reshape(mixed, size * size, inner), fold.array(attention.to_out.weight), fold.array(attention.to_out.bias)
    )
    back = g.gather(out, np.argsort(order))
    return g.add(x, g.reshape(back, 1, size, size, channels))


def _block(g: GraphWriter, x: str, block: SwinBlock, size: int) -> str:
    attention = block.attention_block.fn
    x = _attention(g, x, attention.norm, attention.fn, size)
    weight, bias = fold.conv_bn(block.local_conv)
    x = g.convolution(g.transpose(x, 0, 3, 1, 2), weight, bias, groups=weight.shape[0])
    x = g.transpose(x, 0, 2, 3, 1)
    first, _, second = block.mlp_block.fn.fn.net
    norm = block.mlp_block.fn.norm
    hidden = g.linear(
        g.normalise(x, weight.shape[0], _LN_EPS),
        *fold.norm_linear(norm, fold.array(first.weight), fold.array(first.bias)),
    )
    return g.add(x, g.linear(g.gelu(hidden), fold.array(second.weight), fold.array(second.bias)))


def _stem(g: GraphWriter, image: str, encoder: SwinImageEncoder) -> str:
    """Image (1, 3, S, S) to (1, S/2, S/2, 128); the second 1×1 convolution is merged into the first reduction."""
    first, _, second = encoder.patch_embed.seq
    x = g.gelu(g.convolution(image, *fold.conv_bn(first)))
    weight, bias = fold.conv_bn(second)
    merging = encoder.stage1.downsample
    reduction = fold.array(merging.convolution_weight())
    merged = np.einsum("omij,mc->ocij", reduction, weight[:, :, 0, 0])
    merged_bias = fold.array(merging.linear.bias) + np.einsum("omij,m->o", reduction, bias)
    return g.transpose(g.convolution(x, merged, merged_bias, stride=merging.reduction), 0, 2, 3, 1)


def _merging(g: GraphWriter, x: str, merging) -> str:
    weight, bias = fold.array(merging.convolution_weight()), fold.array(merging.linear.bias)
    if merging.reduction == 1:
        return g.linear(x, weight[:, :, 0, 0], bias)
    x = g.convolution(g.transpose(x, 0, 3, 1, 2), weight, bias, stride=merging.reduction)
    return g.transpose(x, 0, 2, 3, 1)


def _neck(g: GraphWriter, x: str, neck) -> str:
    """A neck without its last affine part; channels-last on both sides."""
    width = neck[0].weight.shape[0]
    x = g.normalise(g.linear(x, fold.array(neck[0].weight)[:, :, 0, 0]), width, _LN2D_EPS)
    x = g.affine(x, fold.array(neck[1].weight), fold.array(neck[1].bias))
    x = g.convolution(g.transpose(x, 0, 3, 1, 2), fold.array(neck[2].weight))
    return g.normalise(g.transpose(x, 0, 2, 3, 1), width, _LN2D_EPS)


def _image_only(g: GraphWriter, skips: list[str], decoder: SkipMaskDecoder, size: int) -> tuple[str, str]:
    """Both skips as the decoder adds them, biases of its convolutions included; `size` is that of the first."""
    first, second = decoder.output_upscaling1[0], decoder.output_upscaling2[0]
    deep = _neck(g, g.node("Concat", *skips[1:], axis=-1), decoder.neck)
    weight = fold.array(first.weight)[:, WIDTH:, 0, 0]
    deep = g.linear(deep, *fold.norm_linear(decoder.neck[3], weight, fold.array(first.bias)))
    shallow = g.linear(skips[0], fold.array(second.weight)[:, 128:, 0, 0], fold.array(second.bias))
    half, channels = size // 2, second.weight.shape[0]
    # In the order in which the decoder's transposed convolution makes the pixels: no shuffle there.
    shallow = g.transpose(g.reshape(shallow, half, 2, half, 2, channels), 0, 2, 1, 3, 4)
    return g.reshape(deep, 1, half * half, WIDTH), g.reshape(shallow, 1, half * half, 4, channels)


def encoder_graph(model: SwinLiteMedSAM, metadata: dict[str, str], half_weights: bool = False) -> onnx.ModelProto:
    """Write the encoder.

    Parameters
    ----------
    model : SwinLiteMedSAM
    metadata : dict of str to str
    half_weights : bool
        See `GraphWriter`.

    Returns
    -------
    onnx.ModelProto
        ``image`` float32 (1, 3, S, S) in [0, 1] to ``image_embedding`` (1, (S/4)², 256), ``deep_skip``
        (1, (S/4)², 256) and ``shallow_skip`` (1, (S/4)², 4, 64), all channels-last and row-major; the four
        pixels of `shallow_skip` are the 2×2 under each position of the others.
    """
    g = GraphWriter(half_weights)
    encoder, size = model.image_encoder, model.frame // 2
    x = _stem(g, "image", encoder)
    skips = []
    for number, stage in enumerate(encoder.stages):
        if number > 0:
            x = _merging(g, x, stage.downsample)
            size //= stage.downsample.reduction
        for pair in stage.blocks:
            for block in pair:
                x = _block(g, x, block, size)
        skips.append(x)
    last = encoder.neck[3]
    embedding = g.affine(_neck(g, x, encoder.neck), fold.array(last.weight), fold.array(last.bias))
    embedding = g.reshape(embedding, 1, size * size, WIDTH)
    deep, shallow = _image_only(g, skips, model.mask_decoder, model.frame // 2)
    outputs = {"image_embedding": embedding, "deep_skip": deep, "shallow_skip": shallow}
    for name, tensor in outputs.items():
        g.named(tensor, name)
    f32, positions = np.dtype(np.float32), size * size
    return g.model(
        "encoder",
        [Port("image", f32, (1, 3, model.frame, model.frame))],
        [
            Port("image_embedding", f32, (1, positions, WIDTH)),
            Port("deep_skip", f32, (1, positions, WIDTH)),
            Port("shallow_skip", f32, (1, positions, 4, 64)),
        ],
        metadata,
    )
