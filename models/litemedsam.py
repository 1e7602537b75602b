"""LiteMedSAM: a TinyViT image encoder and the Segment Anything decoder, prompted by boxes.

Equations: Ma et al., "Segment anything in medical images", 2024, https://arxiv.org/abs/2304.12306, for the prompts
and the decoder; `tiny_vit` for the encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from .layers import LayerNorm2d
from .mask_decoder import WIDTH, MaskDecoder
from .prompt_encoder import PromptEncoder
from .tiny_vit import TinyViTImageEncoder

# The prompts that weights of this network may have learnt.
LEARNT = (("boxes",), ("boxes", "scribbles"), ("boxes", "points", "labels", "scribbles"))


class ImageFeatures(NamedTuple):
    """Everything that the decoder needs from B images of side S.

    Attributes
    ----------
    image_embedding : Tensor
        (B, 256, S/4, S/4).
    """

    image_embedding: torch.Tensor

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> ImageFeatures:
        """The same features with every tensor changed by a function."""
        return ImageFeatures(*map(change, self))


class PlainMaskDecoder(MaskDecoder):
    """The mask decoder whose only input from the image is its embedding."""

    def __init__(self):
        super().__init__()
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(WIDTH, 64, 2, 2), LayerNorm2d(64), nn.GELU(), nn.ConvTranspose2d(64, 32, 2, 2), nn.GELU()
        )

    def forward(
        self, features: ImageFeatures, position: torch.Tensor, tokens: torch.Tensor, dense: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode n prompts.

        Parameters
        ----------
        features : ImageFeatures
            Of one image, or of n images.
        position : Tensor
            (S/4 · S/4, 256) or (n, S/4 · S/4, 256).
        tokens : Tensor
            (n, t, 256).
        dense : Tensor
            (1 or n, 256, 1 or S/4, 1 or S/4).

        Returns
        -------
        logits : Tensor
            (n, 1, S, S).
        iou : Tensor
            (n,).
        """
        source = features.image_embedding + dense
        rows, columns = source.shape[-2:]
        source = source.flatten(2).mT.expand(tokens.shape[0], -1, -1)
        mask_weights, iou, keys = self.attend(source, position, tokens)
        # A 2×2 convolution of stride 2 sees each position alone, so linear layers replace it without moving channels.
        first, norm, gelu, second, _ = self.output_upscaling
        x = self._doubled(keys, first)
        x = gelu(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
        x = gelu(self._doubled(x, second))
        x = (x.flatten(1, 3) @ mask_weights[:, :, None]).view(-1, rows, columns, 2, 2, 2, 2)
        return x.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, 1, 4 * rows, 4 * columns), iou

    @staticmethod
    def _doubled(x: torch.Tensor, layer: nn.ConvTranspose2d) -> torch.Tensor:
        """Map positions (..., C) to the four pixels of each, (..., 4, C'), row-major."""
        channels, out = layer.weight.shape[:2]
        weight = layer.weight.permute(2, 3, 1, 0).reshape(4 * out, channels)
        return F.linear(x, weight, cast(torch.Tensor, layer.bias).repeat(4)).unflatten(-1, (4, out))


class LiteMedSAM(nn.Module):
    """The whole network.

    Parameters
    ----------
    frame : int
        Side of the image in pixels, a multiple of 4; the published model has 256.
    prompts : tuple of str
        One of `LEARNT`: boxes as published, with a dense prompt, or with labelled points and a dense prompt.
    """

    name = "litemedsam"
    stages = 6

    def __init__(self, frame: int = 256, prompts: tuple[str, ...] = ("boxes",)):
        super().__init__()
        self.frame = frame
        self.prompts = prompts
        self.image_encoder = TinyViTImageEncoder()
        self.prompt_encoder = PromptEncoder(frame)
        self.mask_decoder = PlainMaskDecoder()

    def encode(self, image: torch.Tensor) -> ImageFeatures:
        """Compute everything that depends only on the image (B, 3, S, S) in [0, 1]."""
        return ImageFeatures(self.image_encoder(image))

    def encode_first(self, image: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        """See `PromptableModel.encode_first`; one map."""
        return (self.image_encoder.first_stages(image, count),)

    def encode_rest(self, maps: tuple[torch.Tensor, ...], count: int) -> ImageFeatures:
        """See `PromptableModel.encode_rest`."""
        return ImageFeatures(self.image_encoder.other_stages(maps[0], count))

    def decode(
        self,
        features: ImageFeatures,
        boxes: torch.Tensor,
        scribbles: torch.Tensor | None = None,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode n boxes on one image, or n (image, box) pairs.

        Parameters
        ----------
        features : ImageFeatures
            Of one image, or of n images.
        boxes : Tensor
            (n, 4), x_min, y_min, x_max, y_max in pixels of the frame.
        scribbles : Tensor, optional
            (n, 1, S, S) in [0, 1]: where the object may be. An empty scribble and None both mean no scribble.
        points, labels : Tensor, optional
            (n, k, 2) and int64 (n, k), k ≥ 1, as `PromptEncoder.labelled_tokens` takes them.

        Returns
        -------
        logits : Tensor
            (n, 1, S, S); positive on the object.
        iou : Tensor
            (n,), predicted IoU, not confined to [0, 1].
        """
        position = self.prompt_encoder.pe_layer.grid(self.frame // 4)
        return self.mask_decoder(features, position, *self.encode_prompts(boxes, points, labels, scribbles))

    def encode_prompts(
        self,
        boxes: torch.Tensor,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        scribbles: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `PromptableModel.encode_prompts`; points without labels are ignored."""
        encoder = self.prompt_encoder
        tokens = encoder.box_tokens(boxes)
        if points is not None and labels is not None:
            tokens = torch.cat([encoder.labelled_tokens(points, labels), tokens], dim=1)
        dense = encoder.empty_map() if scribbles is None else encoder.scribble_or_empty_map(scribbles)
        return tokens, dense

    def forward(
        self, image: torch.Tensor, boxes: torch.Tensor, scribbles: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`decode` of `encode`; image (1 or n, 3, S, S)."""
        return self.decode(self.encode(image), boxes, scribbles)
