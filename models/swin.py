"""The tiny Swin Transformer image encoder of Swin-LiteMedSAM.

Equations: Gao, Lyu, Staring, "Swin-LiteMedSAM", 2024, https://arxiv.org/abs/2409.07172, and Liu et al.,
"Swin Transformer", 2021, https://arxiv.org/abs/2103.14030, for the shifted windows.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Generic, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import nn

from .layers import ConvBN, PatchEmbed, neck
from .windows import merge_windows, partition_windows

WINDOW = 8
HEAD_SIZE = 32
WIDTHS = (128, 160, 320, 320)
HEADS = (2, 4, 5, 10)
DEPTHS = (2, 2, 6, 2)
REDUCTIONS = (2, 2, 1, 1)


def relative_position_index(window: int = WINDOW) -> torch.Tensor:
    """Index of the flattened (2·window − 1)² table for every pair of positions of a window.

    Returns
    -------
    Tensor
        int64 (window², window²); entry (i, j) stands for position(j) − position(i), row-major.
    """
    grid = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    delta = grid[None, :, :] - grid[:, None, :] + window - 1
    return delta[..., 0] * (2 * window - 1) + delta[..., 1]


def shifted_window_masks(window: int = WINDOW) -> tuple[torch.Tensor, torch.Tensor]:
    """The masks that a shifted block adds to the scores of its last row and its last column of windows.

    Returns
    -------
    upper_lower, left_right : Tensor
        float32 (window², window²), −inf between positions that only the roll brought together, else 0.
    """
    beyond = torch.arange(window) >= window - window // 2
    masks = []
    for side in (beyond.repeat_interleave(window), beyond.repeat(window)):
        apart = side[:, None] != side[None, :]
        masks.append(torch.zeros(window**2, window**2).masked_fill(apart, -torch.inf))
    return masks[0], masks[1]


@lru_cache
def _shifted_window_mask(rows: int, columns: int, device: torch.device) -> torch.Tensor:
    upper_lower, left_right = shifted_window_masks()
    mask = torch.zeros(rows, columns, WINDOW**2, WINDOW**2)
    mask[-1] += upper_lower
    mask[:, -1] += left_right
    return mask.flatten(0, 1).to(device)


class WindowAttention(nn.Module):
    """Self-attention within 8×8 windows, with one table of relative positions for all heads."""

    position_index: torch.Tensor

    def __init__(self, channels: int, heads: int, shifted: bool):
        super().__init__()
        self.heads = heads
        self.shifted = shifted
        inner = heads * HEAD_SIZE
        self.to_qkv = nn.Linear(channels, 3 * inner, bias=False)
        self.pos_embedding = nn.Parameter(torch.randn(2 * WINDOW - 1, 2 * WINDOW - 1) * 0.02)
        self.to_out = nn.Linear(inner, channels)
        self.register_buffer("position_index", relative_position_index(), persistent=False)

    def score_bias(self, height: int, width: int) -> torch.Tensor:
        """The bias of the scores: relative positions, and −inf across a shifted border.

        Returns
        -------
        Tensor
            float32 (windows or 1, 64, 64) for a map of height × width.
        """
        bias = self.pos_embedding.flatten()[self.position_index][None]
        if self.shifted:
            bias = bias + _shifted_window_mask(height // WINDOW, width // WINDOW, bias.device)
        return bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape; H and W are multiples of 8."""
        _, height, width, _ = x.shape
        if self.shifted:
            x = torch.roll(x, (-(WINDOW // 2), -(WINDOW // 2)), (1, 2))
        windows = partition_windows(x, WINDOW)
        b, n, t, _ = windows.shape
        qkv = self.to_qkv(windows).view(b * n, t, 3, self.heads, HEAD_SIZE).permute(2, 0, 3, 1, 4)
        bias = self.score_bias(height, width).to(qkv.dtype)
        if self.shifted:
            bias = bias.repeat(b, 1, 1)
        q, k, v = qkv.unbind()
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[:, None])
        mixed = mixed.transpose(1, 2).reshape(b, n, t, self.heads * HEAD_SIZE)
        x = merge_windows(self.to_out(mixed), WINDOW, height, width)
        if self.shifted:
            x = torch.roll(x, (WINDOW // 2, WINDOW // 2), (1, 2))
        return x


_Inner = TypeVar("_Inner", bound=nn.Module)


class FeedForward(nn.Module):
    """Two linear layers with GELU between them, hidden width four times the channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., C) to the same shape."""
        return self.net(x)


class _PreNorm(nn.Module, Generic[_Inner]):
    def __init__(self, channels: int, fn: _Inner):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.fn = fn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fn(self.norm(x))


class _Residual(nn.Module, Generic[_Inner]):
    def __init__(self, fn: _Inner):
        super().__init__()
        self.fn = fn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.fn(x)


class SwinBlock(nn.Module):
    """Window attention, a depthwise convolution without residual, and an MLP."""

    def __init__(self, channels: int, heads: int, shifted: bool):
        super().__init__()
        self.attention_block = _Residual(_PreNorm(channels, WindowAttention(channels, heads, shifted)))
        self.local_conv = ConvBN(channels, channels, 3, groups=channels)
        self.mlp_block = _Residual(_PreNorm(channels, FeedForward(channels)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        x = self.attention_block(x)
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.mlp_block(x)


class PatchMerging(nn.Module):
    """A linear layer on k×k patches, each flattened as (channel, row, column)."""

    def __init__(self, in_channels: int, out_channels: int, reduction: int):
        super().__init__()
        self.reduction = reduction
        self.linear = nn.Linear(in_channels * reduction**2, out_channels)

    def convolution_weight(self) -> torch.Tensor:
        """The same map as the weight (out, in, k, k) of a convolution of stride k."""
        k = self.reduction
        return self.linear.weight.view(self.linear.out_features, -1, k, k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to channels-last (B, H / k, W / k, C')."""
        x = F.conv2d(x, self.convolution_weight(), self.linear.bias, stride=self.reduction)
        return x.permute(0, 2, 3, 1)


class SwinStage(nn.Module):
    """Patch merging, then pairs of a regular and a shifted block."""

    def __init__(self, in_channels: int, channels: int, depth: int, heads: int, reduction: int):
        super().__init__()
        self.downsample = PatchMerging(in_channels, channels, reduction)
        pairs = nn.ModuleList(
            nn.ModuleList(SwinBlock(channels, heads, shifted) for shifted in (False, True)) for _ in range(depth // 2)
        )
        self.blocks = cast("Sequence[Sequence[SwinBlock]]", pairs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C', H / k, W / k), channels first on both sides."""
        x = self.downsample(x)
        for pair in self.blocks:
            for block in pair:
                x = block(x)
        return x.permute(0, 3, 1, 2)


class SwinImageEncoder(nn.Module):
    """Maps an image to its embedding and four skip maps."""

    stage1: SwinStage
    stage2: SwinStage
    stage3: SwinStage
    stage4: SwinStage

    def __init__(self):
        super().__init__()
        self.patch_embed = PatchEmbed()
        channels = 64
        for number, width in enumerate(WIDTHS, start=1):
            stage = SwinStage(channels, width, DEPTHS[number - 1], HEADS[number - 1], REDUCTIONS[number - 1])
            self.add_module(f"stage{number}", stage)
            channels = width
        self.neck = neck(channels)

    @property
    def stages(self) -> tuple[SwinStage, ...]:
        """The four stages, in order."""
        return self.stage1, self.stage2, self.stage3, self.stage4

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Encode an image.

        Parameters
        ----------
        image : Tensor
            (B, 3, S, S) in [0, 1], S a multiple of 32 (256 in the published model).

        Returns
        -------
        embedding : Tensor
            (B, 256, S/4, S/4).
        skips : list of Tensor
            The stage outputs (B, 128, S/2, S/2), (B, 160, S/4, S/4), and twice (B, 320, S/4, S/4).
        """
        embedding, *skips = self.other_stages((image,), 0)
        return embedding, skips

    @property
    def all_stages(self) -> tuple[nn.Module, ...]:
        """All stages that an image passes through, in order."""
        return (self.patch_embed, *self.stages, self.neck)

    def first_stages(self, image: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        """Run the first `count` of `all_stages`; return the last map, then the skip maps (see `forward`) so far."""
        return self._passed((image,), range(count))

    def other_stages(self, maps: tuple[torch.Tensor, ...], count: int) -> tuple[torch.Tensor, ...]:
        """Run the other stages on the maps of `first_stages` for the same `count`; return embedding and skip maps."""
        return self._passed(maps, range(count, len(self.all_stages)))

    def _passed(self, maps: tuple[torch.Tensor, ...], numbers: range) -> tuple[torch.Tensor, ...]:
        x, *skips = maps
        for number in numbers:
            stage = self.all_stages[number]
            x = stage(x)
            if stage in self.stages:
                skips.append(x)
        return (x, *skips)
