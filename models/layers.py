"""Layers that the networks share.

Attribute names are the published checkpoints' parameter names and may not change.
"""

import torch
from torch import nn


class ConvBN(nn.Module):
    """A convolution without bias, then batch normalisation.

    Parameters
    ----------
    in_channels, out_channels, kernel, stride, groups : int
        As in `torch.nn.Conv2d`; the padding keeps the size at stride 1.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1):
        super().__init__()
        self.c = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        return self.bn(self.c(x))


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of each pixel of a channels-first map, eps 1e-6."""

    def __init__(self, channels: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).square().mean(1, keepdim=True)
        normalised = (x - mean) * torch.rsqrt(variance + self.eps)
        return normalised * self.weight[:, None, None] + self.bias[:, None, None]


class PatchEmbed(nn.Module):
    """The stem: two 1×1 convolutions with batch normalisation, GELU between them."""

    def __init__(self):
        super().__init__()
        self.seq = nn.Sequential(ConvBN(3, 32), nn.GELU(), ConvBN(32, 64))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map an image (B, 3, H, W) to (B, 64, H, W)."""
        return self.seq(image)


def neck(in_channels: int, out_channels: int = 256) -> nn.Sequential:
    """1×1 convolution, LayerNorm2d, 3×3 convolution, LayerNorm2d; the convolutions have no biases."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )
