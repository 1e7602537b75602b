"""The TinyViT image encoder of LiteMedSAM.

Equations: Wu et al., "TinyViT", 2022, https://arxiv.org/abs/2207.10666; the inverted bottleneck is that of Sandler
et al., "MobileNetV2", 2018, https://arxiv.org/abs/1801.04381. The maps are those of LiteMedSAM: the first layer
works at full resolution, and the last three end at a quarter of it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .layers import ConvBN, PatchEmbed, neck
from .windows import merge_windows, partition_windows

HEAD_SIZE = 32
STEM_WIDTH = 64
STEM_BLOCKS = 2
WIDTHS = (128, 160, 320)
DEPTHS = (2, 6, 2)
HEADS = (4, 5, 10)
WINDOWS = (7, 14, 7)


def distance_index(window: int) -> torch.Tensor:
    """Index of a head's table of distances for every pair of positions of a window.

    Returns
    -------
    Tensor
        int64 (window², window²), |Δrow| · window + |Δcolumn|; positions are row-major.
    """
    grid = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    distance = (grid[None, :, :] - grid[:, None, :]).abs()
    return distance[..., 0] * window + distance[..., 1]


class WindowAttention(nn.Module):
    """Layer normalisation and self-attention within windows; each head has a table of distances.

    If the windows do not tile a map, it is padded with zeros before the normalisation. The normalisation maps a zero
    vector to its bias, so the padded positions take part as that bias.
    """

    distance_index: torch.Tensor

    def __init__(self, channels: int, heads: int, window: int):
        super().__init__()
        self.heads = heads
        self.window = window
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * heads * HEAD_SIZE)
        self.attention_biases = nn.Parameter(torch.randn(heads, window**2) * 0.02)
        self.proj = nn.Linear(heads * HEAD_SIZE, channels)
        self.register_buffer("distance_index", distance_index(window), persistent=False)

    def score_bias(self) -> torch.Tensor:
        """The bias of the scores, (heads, window², window²)."""
        return self.attention_biases[:, self.distance_index]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, H, W, C) to the same shape."""
        _, height, width, _ = x.shape
        x = F.pad(x, (0, 0, 0, -width % self.window, 0, -height % self.window))
        padded_height, padded_width = x.shape[1:3]
        windows = partition_windows(self.norm(x), self.window)
        b, n, t, _ = windows.shape
        qkv = self.qkv(windows).view(b * n, t, self.heads, 3, HEAD_SIZE).permute(3, 0, 2, 1, 4)
        q, k, v = qkv.unbind()
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=self.score_bias().to(q.dtype))
        mixed = self.proj(mixed.transpose(1, 2).reshape(b, n, t, self.heads * HEAD_SIZE))
        return merge_windows(mixed, self.window, padded_height, padded_width)[:, :height, :width]


class FeedForward(nn.Module):
    """Layer normalisation and two linear layers with GELU between them, hidden width four times the channels."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., C) to the same shape."""
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class TinyViTBlock(nn.Module):
    """Window attention, a depthwise convolution without residual, and an MLP."""

    def __init__(self, channels: int, heads: int, window: int):
        super().__init__()
        self.attn = WindowAttention(channels, heads, window)
        self.local_conv = ConvBN(channels, channels, 3, groups=channels)
        self.mlp = FeedForward(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        x = x.permute(0, 2, 3, 1)
        x = (x + self.attn(x)).permute(0, 3, 1, 2)
        x = self.local_conv(x).permute(0, 2, 3, 1)
        return (x + self.mlp(x)).permute(0, 3, 1, 2)


class MBConv(nn.Module):
    """An inverted bottleneck: 1×1 to four times the channels, depthwise 3×3, 1×1 back, residual, GELU."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = ConvBN(channels, 4 * channels)
        self.conv2 = ConvBN(4 * channels, 4 * channels, 3, groups=4 * channels)
        self.conv3 = ConvBN(4 * channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class PatchMerging(nn.Module):
    """1×1, depthwise 3×3 and 1×1 convolutions with GELU between them; the second may halve the map."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.stride = stride
        self.conv1 = ConvBN(in_channels, out_channels)
        self.conv2 = ConvBN(out_channels, out_channels, 3, stride, groups=out_channels)
        self.conv3 = ConvBN(out_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C', H / stride, W / stride)."""
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class Layer(nn.Module):
    """Blocks of one width, then the merging to the next; the last layer has none."""

    def __init__(self, blocks: Sequence[nn.Module], downsample: PatchMerging | None):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to (B, C', H', W')."""
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViTImageEncoder(nn.Module):
    """Maps an image to its embedding."""

    def __init__(self):
        super().__init__()
        self.patch_embed = PatchEmbed()
        # The map is halved on the way to the first two widths only.
        mergings = [
            PatchMerging(STEM_WIDTH, WIDTHS[0], 2),
            PatchMerging(WIDTHS[0], WIDTHS[1], 2),
            PatchMerging(WIDTHS[1], WIDTHS[2], 1),
            None,
        ]
        blocks: list[Sequence[nn.Module]] = [[MBConv(STEM_WIDTH) for _ in range(STEM_BLOCKS)]]
        for width, depth, heads, window in zip(WIDTHS, DEPTHS, HEADS, WINDOWS, strict=True):
            blocks.append([TinyViTBlock(width, heads, window) for _ in range(depth)])
        self.layers = nn.ModuleList(Layer(*parts) for parts in zip(blocks, mergings, strict=True))
        self.neck = neck(WIDTHS[-1])

    @property
    def all_stages(self) -> tuple[nn.Module, ...]:
        """All stages that an image passes through, in order."""
        return (self.patch_embed, *self.layers, self.neck)

    def first_stages(self, image: torch.Tensor, count: int) -> torch.Tensor:
        """Run an image (B, 3, S, S) in [0, 1] through the first `count` stages to a map (B, C, S', S')."""
        for stage in self.all_stages[:count]:
            image = stage(image)
        return image

    def other_stages(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """Run the other stages on the map of `first_stages`, same `count`, to the embedding (B, 256, S/4, S/4)."""
        for stage in self.all_stages[count:]:
            x = stage(x)
        return x

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, 3, S, S) in [0, 1], S a multiple of 4, to its embedding (B, 256, S/4, S/4)."""
        return self.other_stages(image, 0)
