"""Swin-LiteMedSAM as two graphs; the encoder's graph contains everything that depends only on the image."""

from torch import nn

from ..models.mask_decoder import WIDTH
from ..models.swin_litemedsam import SkipMaskDecoder, SwinLiteMedSAM
from . import fold, swin
from .graph import GraphWriter
from .layers import LN2D_EPS, embedding, neck, pixel_linear
from .recipe import Recipe
from .sam_decoder import dense_prompt


def _shapes(model: SwinLiteMedSAM) -> dict[str, tuple[int, ...]]:
    """The four pixels of ``shallow_skip`` are the 2×2 under each position of the others."""
    positions = (model.frame // 4) ** 2
    return {
        "image_embedding": (1, positions, WIDTH),
        "deep_skip": (1, positions, WIDTH),
        "shallow_skip": (1, positions, 4, 64),
    }


def _image_only(g: GraphWriter, skips: list[str], decoder: SkipMaskDecoder, size: int) -> tuple[str, str]:
    """Both skips in the form that the decoder adds, with the biases of its convolutions; `size` is the first's side."""
    first, second = (fold.layer(nn.Conv2d, up[0]) for up in (decoder.output_upscaling1, decoder.output_upscaling2))
    half, channels = size // 2, second.out_channels
    deep = neck(g, g.node("Concat", *skips[1:], axis=-1), decoder.neck, half)
    weight = fold.array(first.weight)[:, WIDTH:, 0, 0]
    deep = g.linear(deep, *fold.norm_linear(decoder.neck[3], weight, fold.array(first.bias)))
    shallow = g.linear(skips[0], fold.array(second.weight)[:, 128:, 0, 0], fold.array(second.bias))
    # In the pixel order of the decoder's transposed convolution, so that the decoder need not shuffle.
    shallow = g.transpose(g.reshape(shallow, half, 2, half, 2, channels), 0, 2, 1, 3, 4)
    return g.reshape(deep, 1, half * half, WIDTH), g.reshape(shallow, 1, half * half, 4, channels)


def _encode(g: GraphWriter, model: SwinLiteMedSAM, image: str) -> dict[str, str]:
    skips = swin.encode(g, image, model.image_encoder, model.frame)
    found = embedding(g, skips[-1], model.image_encoder.neck, model.frame // 4)
    deep, shallow = _image_only(g, skips, model.mask_decoder, model.frame // 2)
    return {"image_embedding": found, "deep_skip": deep, "shallow_skip": shallow}


def _upscale(g: GraphWriter, model: SwinLiteMedSAM, keys: str) -> str:
    """The pixels of a position stay beside each other, because the next layers work on each pixel alone."""
    decoder = model.mask_decoder
    one, norm1, _, up1, _ = decoder.output_upscaling1
    x = g.linear(keys, fold.array(one.weight)[:, :WIDTH, 0, 0])
    x = g.affine(g.normalise(g.add(x, "deep_skip"), 256, LN2D_EPS), fold.array(norm1.weight), fold.array(norm1.bias))
    x = g.gelu(g.linear(g.gelu(x), *pixel_linear(up1)))
    two, norm2, _, up2, _ = decoder.output_upscaling2
    x = g.linear(g.reshape(x, 0, 0, 4, 128), fold.array(two.weight)[:, :128, 0, 0])
    x = g.affine(g.normalise(g.add(x, "shallow_skip"), 64, LN2D_EPS), fold.array(norm2.weight), fold.array(norm2.bias))
    return g.gelu(g.linear(g.gelu(x), *pixel_linear(up2)))


RECIPE = Recipe(_encode, _shapes, _upscale, dense_prompt, published_protocol="swin_litemedsam")
