"""LiteMedSAM as two graphs."""

from ..models.litemedsam import LiteMedSAM
from ..models.mask_decoder import WIDTH
from . import fold, tiny_vit
from .graph import GraphWriter
from .layers import LN2D_EPS, embedding, pixel_linear
from .recipe import Recipe
from .sam_decoder import scribble_or_empty_map


def _shapes(model: LiteMedSAM) -> dict[str, tuple[int, ...]]:
    return {"image_embedding": (1, (model.frame // 4) ** 2, WIDTH)}


def _encode(g: GraphWriter, model: LiteMedSAM, image: str) -> dict[str, str]:
    x = tiny_vit.encode(g, image, model.image_encoder, model.frame)
    return {"image_embedding": embedding(g, x, model.image_encoder.neck, model.frame // 4)}


def _upscale(g: GraphWriter, model: LiteMedSAM, keys: str) -> str:
    """The pixels of a position stay beside each other, because the next layers work on each pixel alone."""
    first, norm, _, second, _ = model.mask_decoder.output_upscaling
    x = g.reshape(g.linear(keys, *pixel_linear(first)), 0, 0, 4, 64)
    x = g.affine(g.normalise(x, 64, LN2D_EPS), fold.array(norm.weight), fold.array(norm.bias))
    return g.gelu(g.linear(g.gelu(x), *pixel_linear(second)))


RECIPE = Recipe(_encode, _shapes, _upscale, scribble_or_empty_map, published_protocol="litemedsam")
