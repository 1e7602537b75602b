"""The two-way transformer and the heads of the Segment Anything family's mask decoder.

Equations: Kirillov et al., "Segment Anything", 2023, https://arxiv.org/abs/2304.02643, appendix A.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

WIDTH = 256
HEADS = 8
MASK_TOKENS = 4


class Attention(nn.Module):
    """Multi-head attention with its own projection of queries, keys and values.

    Parameters
    ----------
    inner : int
        Width of the projections; a head is a run of inner / 8 consecutive channels.
    """

    def __init__(self, inner: int):
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, inner)
        self.k_proj = nn.Linear(WIDTH, inner)
        self.v_proj = nn.Linear(WIDTH, inner)
        self.out_proj = nn.Linear(inner, WIDTH)

    @staticmethod
    def _split(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Map q (n, a, 256), k and v (n, b, 256) to (n, a, 256)."""
        q, k, v = self._split(self.q_proj(q)), self._split(self.k_proj(k)), self._split(self.v_proj(v))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class TransformerMLP(nn.Module):
    """Two linear layers, ReLU between them, hidden width 2048."""

    def __init__(self):
        super().__init__()
        self.lin1 = nn.Linear(WIDTH, 2048)
        self.lin2 = nn.Linear(2048, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., 256) to the same shape."""
        return self.lin2(F.relu(self.lin1(x)))


class TwoWayLayer(nn.Module):
    """Queries attend to themselves and to the image; then the image attends to the queries."""

    def __init__(self, first: bool):
        super().__init__()
        self.first = first
        self.self_attn = Attention(WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.cross_attn_token_to_image = Attention(WIDTH // 2)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = TransformerMLP()
        self.norm3 = nn.LayerNorm(WIDTH)
        self.norm4 = nn.LayerNorm(WIDTH)
        self.cross_attn_image_to_token = Attention(WIDTH // 2)

    def forward(
        self, queries: torch.Tensor, keys: torch.Tensor, tokens: torch.Tensor, position: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One layer.

        Parameters
        ----------
        queries, tokens : Tensor
            (n, t, 256); `tokens` are the queries as first formed.
        keys : Tensor
            (n, p, 256), the image, row-major.
        position : Tensor
            (p, 256) or (n, p, 256), the image's positional encoding.

        Returns
        -------
        queries, keys : Tensor
            Of the same shapes.
        """
        if self.first:
            queries = self.self_attn(queries, queries, queries)
        else:
            placed = queries + tokens
            queries = queries + self.self_attn(placed, placed, queries)
        queries = self.norm1(queries)
        queries = self.norm2(queries + self.cross_attn_token_to_image(queries + tokens, keys + position, keys))
        queries = self.norm3(queries + self.mlp(queries))
        keys = self.norm4(keys + self.cross_attn_image_to_token(keys + position, queries + tokens, queries))
        return queries, keys


class TwoWayTransformer(nn.Module):
    """Two layers and a last attention from the tokens to the image."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([TwoWayLayer(first=True), TwoWayLayer(first=False)])
        self.final_attn_token_to_image = Attention(WIDTH // 2)
        self.norm_final_attn = nn.LayerNorm(WIDTH)

    def forward(
        self, tokens: torch.Tensor, keys: torch.Tensor, position: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Map tokens (n, t, 256) and keys (n, p, 256) to the same shapes; see `TwoWayLayer.forward`."""
        queries = tokens
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, position)
        queries = queries + self.final_attn_token_to_image(queries + tokens, keys + position, keys)
        return self.norm_final_attn(queries), keys


class ReluMLP(nn.Module):
    """Three linear layers with ReLU between them."""

    def __init__(self, out_features: int):
        super().__init__()
        sizes = (WIDTH, WIDTH, WIDTH, out_features)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, 256) to (n, out_features)."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class MaskDecoder(nn.Module):
    """The shared part of the mask decoders: tokens, transformer, hypernetworks and IoU head.

    A model adds its own up-scaling from the keys to the (n, 32, S, S) map that the hypernetwork weighs.
    """

    def __init__(self):
        super().__init__()
        self.transformer = TwoWayTransformer()
        self.iou_token = nn.Embedding(1, WIDTH)
        self.mask_tokens = nn.Embedding(MASK_TOKENS, WIDTH)
        self.output_hypernetworks_mlps = nn.ModuleList(ReluMLP(32) for _ in range(MASK_TOKENS))
        self.iou_prediction_head = ReluMLP(MASK_TOKENS)

    def attend(
        self, source: torch.Tensor, position: torch.Tensor, prompt_tokens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Run the transformer.

        Parameters
        ----------
        source : Tensor
            (n, p, 256), image embedding plus dense prompt, row-major.
        position : Tensor
            (p, 256) or (n, p, 256).
        prompt_tokens : Tensor
            (n, t, 256).

        Returns
        -------
        mask_weights : Tensor
            (n, 32), the weight of each channel of the up-scaled map in mask 0.
        iou : Tensor
            (n,), predicted IoU of mask 0.
        keys : Tensor
            (n, p, 256).
        """
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(prompt_tokens.shape[0], -1, -1), prompt_tokens], dim=1)
        queries, keys = self.transformer(tokens, source, position)
        iou = self.iou_prediction_head(queries[:, 0])[:, 0]
        return self.output_hypernetworks_mlps[0](queries[:, 1]), iou, keys
