"""The prompt encoder of the Segment Anything family at a 256-pixel frame.

Equations: Kirillov et al., "Segment Anything", 2023, https://arxiv.org/abs/2304.02643, appendix A; the random
Fourier features are those of Tancik et al., 2020, https://arxiv.org/abs/2006.10739.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import nn

from .layers import LayerNorm2d

PADDING_LABEL, BACKGROUND_LABEL, POINT_LABEL, TOP_LEFT_LABEL, BOTTOM_RIGHT_LABEL = -1, 0, 1, 2, 3


class PositionEncoding(nn.Module):
    """Random Fourier features of a position in the unit square."""

    positional_encoding_gaussian_matrix: torch.Tensor

    def __init__(self, channels: int = 256):
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, channels // 2))

    def forward(self, position: torch.Tensor) -> torch.Tensor:
        """Map positions (..., 2), x first, in [0, 1], to features (..., channels)."""
        angle = 2 * math.pi * ((2 * position - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([angle.sin(), angle.cos()], dim=-1)

    def grid(self, size: int) -> torch.Tensor:
        """Features of the pixel centres of a size × size grid, (size², channels), row-major."""
        axis = (torch.arange(size, device=self.positional_encoding_gaussian_matrix.device) + 0.5) / size
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        return self(torch.stack([x, y], dim=-1).flatten(0, 1))


class PromptEncoder(nn.Module):
    """Maps boxes, points and scribbles to tokens and a dense map.

    Parameters
    ----------
    frame : int
        Side of the square frame that coordinates refer to, in pixels.
    """

    def __init__(self, frame: int = 256):
        super().__init__()
        self.frame = frame
        self.pe_layer = PositionEncoding()
        embeddings = nn.ModuleList(nn.Embedding(1, 256) for _ in range(4))
        self.point_embeddings = cast("Sequence[nn.Embedding]", embeddings)
        self.not_a_point_embed = nn.Embedding(1, 256)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, 4, 2, 2),
            LayerNorm2d(4),
            nn.GELU(),
            nn.Conv2d(4, 16, 2, 2),
            LayerNorm2d(16),
            nn.GELU(),
            nn.Conv2d(16, 256, 1),
        )
        self.no_mask_embed = nn.Embedding(1, 256)

    def box_tokens(self, boxes: torch.Tensor) -> torch.Tensor:
        """Corner tokens (n, 2, 256) of boxes (n, 4), x_min, y_min, x_max, y_max in frame pixels."""
        corners = self.pe_layer((boxes.view(-1, 2, 2) + 0.5) / self.frame)
        labels: list[torch.Tensor] = [self.point_embeddings[k].weight for k in (TOP_LEFT_LABEL, BOTTOM_RIGHT_LABEL)]
        return corners + torch.cat(labels)

    def point_tokens(self, points: torch.Tensor) -> torch.Tensor:
        """Tokens (n, k, 256) of foreground points (n, k, 2), x, y in frame pixels."""
        return self.pe_layer((points + 0.5) / self.frame) + self.point_embeddings[POINT_LABEL].weight

    def labelled_tokens(self, points: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Tokens of points that add to the object or remove from it.

        Parameters
        ----------
        points : Tensor
            (n, k, 2), x, y in frame pixels.
        labels : Tensor
            int64 (n, k): 1 for a point on the object, 0 for one beside it, −1 for no point.

        Returns
        -------
        Tensor
            (n, k, 256). No point is a vector of its own, wherever it lies.
        """
        placed = self.pe_layer((points + 0.5) / self.frame) * (labels != PADDING_LABEL)[..., None]
        meanings = (self.not_a_point_embed, *self.point_embeddings[: POINT_LABEL + 1])
        return placed + torch.cat([meaning.weight for meaning in meanings])[labels - PADDING_LABEL]

    def scribble_map(self, scribbles: torch.Tensor) -> torch.Tensor:
        """Dense prompt (n, 256, S/4, S/4) of scribbles (n, 1, S, S) in [0, 1]."""
        return self.mask_downscaling(scribbles)

    def empty_map(self) -> torch.Tensor:
        """The dense prompt for no scribble, (1, 256, 1, 1)."""
        return self.no_mask_embed.weight[..., None, None]

    def scribble_or_empty_map(self, scribbles: torch.Tensor) -> torch.Tensor:
        """Dense prompt (n, 256, S/4, S/4) of scribbles (n, 1, S, S); an empty scribble counts as no scribble."""
        given = scribbles.flatten(1).any(dim=1)[:, None, None, None]
        return torch.where(given, self.scribble_map(scribbles), self.empty_map())

    @torch.no_grad()
    def begin_scribbles(self) -> None:
        """Give every scribble the meaning of no scribble, as a start for weights that never learnt scribbles."""
        last = cast(nn.Conv2d, self.mask_downscaling[-1])
        last.weight.zero_()
        cast(torch.Tensor, last.bias).copy_(self.no_mask_embed.weight[0])
