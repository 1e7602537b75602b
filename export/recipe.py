"""Turns a network into the two graphs of a bundle: the parts that differ between networks, and the common rest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import onnx

from ..models.interface import PromptableModel
from ..models.prompt_encoder import PromptEncoder
from . import sam_decoder
from .graph import GraphWriter, Port

_F32 = np.dtype(np.float32)
Model = TypeVar("Model", bound=PromptableModel)


@dataclass(frozen=True)
class Recipe(Generic[Model]):
    """The parts of an export that differ between networks.

    Attributes
    ----------
    encode : callable
        (writer, model, name of an image float32 (1, 3, S, S) in [0, 1]) to the tensors that leave the encoder by
        name: ``image_embedding`` (1, (S/4)², 256), row-major, and whatever `upscale` reads.
    shapes : callable
        model to the shapes of these tensors by name, in their order.
    upscale : callable
        (writer, model, name of keys (n, (S/4)², 256)) to the 4×4 pixels of every position, (n, (S/4)², 4 · 4 · 32)
        values; may read the encoder's outputs by their names.
    dense : callable
        (writer, prompt encoder, names of prompts) to the dense prompt added to the embedding,
        (1 or n, 1 or (S/4)², 256).
    published_protocol : str
        A key of `litemedsam.engine.inference.protocols.PUBLISHED`.
    """

    encode: Callable[[GraphWriter, Model, str], dict[str, str]]
    shapes: Callable[[Model], dict[str, tuple[int, ...]]]
    upscale: Callable[[GraphWriter, Model, str], str]
    dense: Callable[[GraphWriter, PromptEncoder, tuple[str, ...]], str]
    published_protocol: str


def _embedding_ports(recipe: Recipe[Model], model: Model) -> list[Port]:
    return [Port(name, _F32, shape) for name, shape in recipe.shapes(model).items()]


def encoder_graph(
    recipe: Recipe[Model], model: Model, metadata: dict[str, str], half_weights: bool = False
) -> onnx.ModelProto:
    """Write the encoder: ``image`` float32 (1, 3, S, S) in [0, 1] to the recipe's tensors.

    Parameters
    ----------
    recipe : Recipe
    model : PromptableModel
    metadata : dict of str to str
    half_weights : bool
        See `GraphWriter`.

    Returns
    -------
    onnx.ModelProto
    """
    g = GraphWriter(half_weights)
    for name, tensor in recipe.encode(g, model, "image").items():
        g.named(tensor, name)
    image = Port("image", _F32, (1, 3, model.frame, model.frame))
    return g.model("encoder", [image], _embedding_ports(recipe, model), metadata)


def decoder_graph(
    recipe: Recipe[Model], model: Model, metadata: dict[str, str], half_weights: bool = False
) -> onnx.ModelProto:
    """Write the prompt encoder and mask decoder.

    Parameters
    ----------
    recipe : Recipe
    model : PromptableModel
    metadata : dict of str to str
    half_weights : bool
        See `GraphWriter`.

    Returns
    -------
    onnx.ModelProto
        The encoder's outputs and the model's prompts, of ``boxes`` float32 (n, 4), ``points`` float32 (n, 4, 2),
        both in frame pixels, and ``scribbles`` uint8 (n, S, S), to ``logits`` (n, S, S) and ``iou`` (n,), float32.
        If the points have ``labels`` int64 (n, k), points are (n, k, 2) and scribbles float32.
    """
    g = GraphWriter(half_weights)
    encoder, decoder, cells = model.prompt_encoder, model.mask_decoder, model.frame // 4
    position = sam_decoder.image_position(g, encoder)
    tokens, count = sam_decoder.prompt_tokens(g, encoder, model.prompts)
    keys = g.add(recipe.dense(g, encoder, model.prompts), "image_embedding")
    queries, keys = sam_decoder.transformer(g, decoder, tokens, keys, position, count)
    weights, iou = sam_decoder.heads(g, decoder, queries)
    g.named(sam_decoder.weigh(g, recipe.upscale(g, model, keys), weights, cells), "logits")
    g.named(iou, "iou")
    logits = Port("logits", _F32, (sam_decoder.PROMPTS, model.frame, model.frame))
    return g.model(
        "decoder",
        _embedding_ports(recipe, model) + sam_decoder.prompt_ports(model.frame, model.prompts),
        [logits, Port("iou", _F32, (sam_decoder.PROMPTS,))],
        metadata,
    )
