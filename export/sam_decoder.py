"""Writes the prompt encoder and the mask decoder as parts of a graph, for any number of prompts on one image.

Cross-attention between eleven tokens and 4096 positions does not split the positions' channels into heads. It spreads
the tokens' side block-diagonally over (head, token) rows instead, so that no tensor of the image's size is transposed.
Products of the tokens' side with a projection of the image come first.
"""

import numpy as np
import onnx
import torch

from ..models.mask_decoder import HEADS, WIDTH, Attention, MaskDecoder, ReluMLP, TwoWayLayer
from ..models.prompt_encoder import BOTTOM_RIGHT_LABEL, PADDING_LABEL, POINT_LABEL, TOP_LEFT_LABEL, PromptEncoder
from . import fold
from .graph import GraphWriter, Port
from .layers import LN2D_EPS, LN_EPS

PROMPTS = "prompts"
LABELLED = "points"
POINTS = 4
# Number of tokens of a graph that takes any number of points.
ANY = -1


def _norm(g: GraphWriter, x: str, layer: torch.nn.LayerNorm) -> str:
    return g.affine(g.normalise(x, WIDTH, LN_EPS), fold.array(layer.weight), fold.array(layer.bias))


def _linear(g: GraphWriter, x: str, layer: torch.nn.Linear) -> str:
    return g.linear(x, fold.array(layer.weight), fold.array(layer.bias))


def _scaled(layer: torch.nn.Linear, attention: Attention) -> tuple[np.ndarray, np.ndarray]:
    scale = (attention.q_proj.out_features // HEADS) ** -0.5
    return fold.array(layer.weight) * scale, fold.array(layer.bias) * scale


def _rows(tokens: int) -> int:
    """The size of dimension n in a reshaping whose number of tokens may be open: only one dimension may be -1."""
    return 0 if tokens == ANY else -1


def _heads_of(tokens: int) -> int:
    return ANY if tokens == ANY else HEADS * tokens


def _self_attention(g: GraphWriter, attention: Attention, placed: str, values: str, tokens: int) -> str:
    """Attention among the tokens, (n, tokens, 256) to the same shape."""
    head = WIDTH // HEADS

    def split(x: str, *order: int) -> str:
        return g.transpose(g.reshape(x, _rows(tokens), tokens, HEADS, head), *order)

    q = split(g.linear(placed, *_scaled(attention.q_proj, attention)), 0, 2, 1, 3)
    k = split(_linear(g, placed, attention.k_proj), 0, 2, 3, 1)
    v = split(_linear(g, values, attention.v_proj), 0, 2, 1, 3)
    mixed = g.transpose(g.matmul(g.softmax(g.matmul(q, k)), v), 0, 2, 1, 3)
    return _linear(g, g.reshape(mixed, _rows(tokens), tokens, WIDTH), attention.out_proj)


def _head_selector(inner: int) -> np.ndarray:
    """1 where a channel belongs to a head, float32 (1, heads, 1, inner)."""
    return np.kron(np.eye(HEADS), np.ones(inner // HEADS))[None, :, None, :]


def _spread(g: GraphWriter, x: str, tokens: int, inner: int) -> str:
    """(n, tokens, inner) to (n, heads · tokens, inner), each row keeping one head's channels."""
    apart = g.node("Unsqueeze", x, g.constant([1])) if tokens == ANY else g.reshape(x, -1, 1, tokens, inner)
    rows = g.node("Mul", apart, g.constant(_head_selector(inner)))
    return g.reshape(rows, _rows(tokens), _heads_of(tokens), inner)


def _tokens_to_image(g: GraphWriter, attention: Attention, queries: str, placed: str, keys: str, tokens: int) -> str:
    """Tokens (n, t, 256) attend to the image, keys (n, p, 256); `placed` are the keys with their positions."""
    inner = attention.q_proj.out_features
    q = _spread(g, g.linear(queries, *_scaled(attention.q_proj, attention)), tokens, inner)
    # The keys' bias shifts all scores of a row alike, so softmax does not see it.
    scores = g.matmul(g.matmul(q, g.constant(fold.array(attention.k_proj.weight))), g.transpose(placed, 0, 2, 1))
    mixed = g.linear(g.matmul(g.softmax(scores), keys), fold.array(attention.v_proj.weight))
    mixed = g.node("Mul", g.reshape(mixed, _rows(tokens), HEADS, tokens, inner), g.constant(_head_selector(inner)))
    mixed = g.node("ReduceSum", mixed, g.constant([1]), keepdims=0)
    return _linear(g, g.add(mixed, g.constant(fold.array(attention.v_proj.bias))), attention.out_proj)


def _image_to_tokens(g: GraphWriter, attention: Attention, placed: str, queries: str, values: str, tokens: int) -> str:
    """The image, keys with their positions (n, p, 256), attends to the tokens (n, t, 256)."""
    inner = attention.q_proj.out_features
    weight, bias = _scaled(attention.q_proj, attention)
    k = g.transpose(_spread(g, _linear(g, queries, attention.k_proj), tokens, inner), 0, 2, 1)
    v = _spread(g, _linear(g, values, attention.v_proj), tokens, inner)
    scores = g.matmul(placed, g.matmul(g.constant(weight.T), k))
    scores = g.add(scores, g.matmul(g.constant(bias[None]), k))
    shares = g.softmax(g.reshape(scores, 0, 0, HEADS, tokens))
    shares = g.reshape(shares, 0, 0, _heads_of(tokens))
    # The shares of a position sum to the number of heads, so each row adds its part of the bias.
    rows = g.linear(v, fold.array(attention.out_proj.weight), fold.array(attention.out_proj.bias) / HEADS)
    return g.matmul(shares, rows)


def transformer(
    g: GraphWriter, decoder: MaskDecoder, prompt_tokens: str, keys: str, position: str, count: int
) -> tuple[str, str]:
    """Write the two-way transformer.

    Parameters
    ----------
    g : GraphWriter
    decoder : MaskDecoder
    prompt_tokens : str
        (n, count, 256).
    keys : str
        (n, p, 256).
    position : str
        (p, 256).
    count : int
        Prompt tokens per prompt; `ANY` if their number is open.

    Returns
    -------
    queries, keys : str
        (n, 5 + count, 256), IoU token and mask tokens first; (n, p, 256).
    """
    own = np.concatenate([fold.array(decoder.iou_token.weight), fold.array(decoder.mask_tokens.weight)])
    if count == ANY:
        total = ANY
        shape = g.node("Concat", g.node("Shape", prompt_tokens, end=1), g.constant(list(own.shape)), axis=0)
        tokens = g.node("Concat", g.node("Expand", g.constant(own), shape), prompt_tokens, axis=1)
    else:
        total = len(own) + count
        padded = g.node("Pad", prompt_tokens, g.constant([0, len(own), 0, 0, 0, 0]))
        tokens = g.add(padded, g.constant(np.concatenate([own, np.zeros((count, WIDTH))])[None]))
    body, queries = decoder.transformer, tokens
    for layer in fold.layers(TwoWayLayer, body.layers):
        placed_keys = g.add(keys, position)
        if layer.first:
            queries = _self_attention(g, layer.self_attn, queries, queries, total)
        else:
            placed = g.add(queries, tokens)
            queries = g.add(queries, _self_attention(g, layer.self_attn, placed, queries, total))
        queries = _norm(g, queries, layer.norm1)
        attended = _tokens_to_image(
            g, layer.cross_attn_token_to_image, g.add(queries, tokens), placed_keys, keys, total
        )
        queries = _norm(g, g.add(queries, attended), layer.norm2)
        mlp = _linear(g, g.relu(_linear(g, queries, layer.mlp.lin1)), layer.mlp.lin2)
        queries = _norm(g, g.add(queries, mlp), layer.norm3)
        attended = _image_to_tokens(
            g, layer.cross_attn_image_to_token, placed_keys, g.add(queries, tokens), queries, total
        )
        keys = _norm(g, g.add(keys, attended), layer.norm4)
    attended = _tokens_to_image(
        g, body.final_attn_token_to_image, g.add(queries, tokens), g.add(keys, position), keys, total
    )
    return _norm(g, g.add(queries, attended), body.norm_final_attn), keys


def _relu_mlp(g: GraphWriter, x: str, mlp: ReluMLP) -> str:
    *hidden, last = fold.layers(torch.nn.Linear, mlp.layers)
    for layer in hidden:
        x = g.relu(_linear(g, x, layer))
    return _linear(g, x, last)


def heads(g: GraphWriter, decoder: MaskDecoder, queries: str) -> tuple[str, str]:
    """Weights (n, 32) of mask 0 and its predicted IoU (n,), from the queries (n, t, 256)."""
    iou = _relu_mlp(g, g.gather(queries, np.array(0), axis=1), decoder.iou_prediction_head)
    mask_mlp = fold.layers(ReluMLP, decoder.output_hypernetworks_mlps)[0]
    weights = _relu_mlp(g, g.gather(queries, np.array(1), axis=1), mask_mlp)
    return weights, g.gather(iou, np.array(0), axis=1)


def _encoded(g: GraphWriter, encoder: PromptEncoder, positions: str) -> str:
    """Fourier features (..., 256) of positions (..., 2) in the unit square."""
    matrix = 2 * np.pi * fold.array(encoder.pe_layer.positional_encoding_gaussian_matrix)
    # 2c − 1 is computed first, because it would lose digits inside the product.
    centred = g.affine(positions, np.full(1, 2.0), np.full(1, -1.0))
    angle = g.matmul(centred, g.constant(matrix))
    return g.node("Concat", g.node("Sin", angle), g.node("Cos", angle), axis=-1)


def image_position(g: GraphWriter, encoder: PromptEncoder) -> str:
    """The image's positional encoding (p, 256); the runtimes compute it when they load the graph."""
    cells = encoder.frame // 4
    rows, columns = np.indices((cells, cells)).reshape(2, -1)
    return _encoded(g, encoder, g.constant((np.stack([columns, rows], axis=-1) + 0.5) / cells))


def prompt_tokens(g: GraphWriter, encoder: PromptEncoder, prompts: tuple[str, ...]) -> tuple[str, int]:
    """Tokens (n, k, 256) of the prompt inputs, points before the box's corners, and their number k, or `ANY`."""
    coordinates, labels = g.reshape("boxes", -1, 2, 2), [TOP_LEFT_LABEL, BOTTOM_RIGHT_LABEL]
    if "labels" in prompts:
        corners = _placed(g, encoder, coordinates, labels)
        return g.node("Concat", _labelled_tokens(g, encoder), corners, axis=1), ANY
    if "points" in prompts:
        coordinates = g.node("Concat", "points", coordinates, axis=1)
        labels = [POINT_LABEL] * POINTS + labels
    return _placed(g, encoder, coordinates, labels), len(labels)


def _in_unit_square(g: GraphWriter, encoder: PromptEncoder, coordinates: str) -> str:
    return g.affine(coordinates, np.full(1, 1 / encoder.frame), np.full(1, 0.5 / encoder.frame))


def _placed(g: GraphWriter, encoder: PromptEncoder, coordinates: str, labels: list[int]) -> str:
    """Tokens (n, k, 256) of coordinates (n, k, 2) whose labels are the same for all prompts."""
    embeddings = [fold.array(encoder.point_embeddings[label].weight) for label in labels]
    encoded = _encoded(g, encoder, _in_unit_square(g, encoder, coordinates))
    return g.add(encoded, g.constant(np.concatenate(embeddings)))


def _labelled_tokens(g: GraphWriter, encoder: PromptEncoder) -> str:
    """Tokens (n, k, 256) of the inputs ``points`` and ``labels``; see `PromptEncoder.labelled_tokens`."""
    meanings = [encoder.not_a_point_embed, *encoder.point_embeddings[: POINT_LABEL + 1]]
    table = g.constant(np.concatenate([fold.array(meaning.weight) for meaning in meanings]))
    meaning = g.node("Gather", table, g.node("Sub", "labels", g.constant([PADDING_LABEL])), axis=0)
    placed = g.node("Cast", g.node("Greater", "labels", g.constant([PADDING_LABEL])), to=onnx.TensorProto.FLOAT)
    encoded = _encoded(g, encoder, _in_unit_square(g, encoder, "points"))
    return g.add(g.node("Mul", encoded, g.node("Unsqueeze", placed, g.constant([-1]))), meaning)


def scribble_map(g: GraphWriter, encoder: PromptEncoder, scribbles: str) -> str:
    """Dense prompt (n, (S/4)², 256) of scribbles (n, S, S) of any type; the 4×4 patches are rows of a matrix."""
    cells = encoder.frame // 4
    first, norm1, _, second, norm2, _, last = encoder.mask_downscaling
    x = g.node("Cast", scribbles, to=onnx.TensorProto.FLOAT)
    # (row, outer i, inner i, column, outer j, inner j): each 4×4 patch as four 2×2 patches.
    x = g.transpose(g.reshape(x, -1, cells, 2, 2, cells, 2, 2), 0, 1, 4, 2, 5, 3, 6)
    x = g.linear(g.reshape(x, -1, cells * cells, 4, 4), fold.array(first.weight).reshape(4, 4), fold.array(first.bias))
    x = g.gelu(g.affine(g.normalise(x, 4, LN2D_EPS), fold.array(norm1.weight), fold.array(norm1.bias)))
    weight = fold.array(second.weight).transpose(0, 2, 3, 1).reshape(16, 16)
    x = g.linear(g.reshape(x, -1, cells * cells, 16), weight, fold.array(second.bias))
    x = g.gelu(g.affine(g.normalise(x, 16, LN2D_EPS), fold.array(norm2.weight), fold.array(norm2.bias)))
    return g.linear(x, fold.array(last.weight)[:, :, 0, 0], fold.array(last.bias))


def dense_prompt(g: GraphWriter, encoder: PromptEncoder, prompts: tuple[str, ...]) -> str:
    """The dense prompt added to the embedding, of a model that always takes scribbles: their map."""
    return scribble_map(g, encoder, "scribbles")


def empty_map(g: GraphWriter, encoder: PromptEncoder) -> str:
    """The dense prompt for no scribble, (1, 1, 256)."""
    return g.constant(fold.array(encoder.no_mask_embed.weight)[None])


def scribble_or_empty_map(g: GraphWriter, encoder: PromptEncoder, prompts: tuple[str, ...]) -> str:
    """The dense prompt of a model that treats an empty scribble as no scribble, or takes none."""
    if "scribbles" not in prompts:
        return empty_map(g, encoder)
    # The largest value is 0 for an empty scribble. The cast is needed because not every runtime reduces bytes.
    largest = g.node("ReduceMax", g.node("Cast", "scribbles", to=onnx.TensorProto.FLOAT), g.constant([1, 2]))
    given = g.node("Greater", largest, g.constant(np.zeros(1)))
    return g.node("Where", given, scribble_map(g, encoder, "scribbles"), empty_map(g, encoder))


def weigh(g: GraphWriter, pixels: str, weights: str, cells: int) -> str:
    """Logits (n, S, S): pixels (n, cells², 4 · 4 · 32 values) weighed by (n, 32)."""
    x = g.matmul(g.reshape(pixels, 0, cells * cells * 16, 32), g.reshape(weights, -1, 32, 1))
    x = g.transpose(g.reshape(x, -1, cells, cells, 2, 2, 2, 2), 0, 1, 3, 5, 2, 4, 6)
    return g.reshape(x, -1, 4 * cells, 4 * cells)


def prompt_ports(frame: int, prompts: tuple[str, ...]) -> list[Port]:
    """The graph's prompt inputs, for any number of prompts."""
    labelled = "labels" in prompts
    ports = {
        "boxes": Port("boxes", np.dtype(np.float32), (PROMPTS, 4)),
        "points": Port("points", np.dtype(np.float32), (PROMPTS, LABELLED if labelled else POINTS, 2)),
        "labels": Port("labels", np.dtype(np.int64), (PROMPTS, LABELLED)),
        "scribbles": Port("scribbles", np.dtype(np.float32 if labelled else np.uint8), (PROMPTS, frame, frame)),
    }
    return [ports[name] for name in prompts]
