"""Swin-LiteMedSAM: image encoder, prompt encoder and a mask decoder with skip connections.

Equations: Gao, Lyu, Staring, "Swin-LiteMedSAM", 2024, https://arxiv.org/abs/2409.07172.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from .layers import LayerNorm2d, neck
from .mask_decoder import WIDTH, MaskDecoder
from .prompt_encoder import PromptEncoder
from .swin import WIDTHS, SwinImageEncoder


class ImageFeatures(NamedTuple):
    """Everything that the decoder needs from B images of side S.

    Attributes
    ----------
    image_embedding : Tensor
        (B, 256, S/4, S/4).
    deep_skip : Tensor
        (B, 256, S/4, S/4), the last three skip maps as the first up-scaling adds them.
    shallow_skip : Tensor
        (B, 64, S/2, S/2), the first skip map as the second up-scaling adds it.
    """

    image_embedding: torch.Tensor
    deep_skip: torch.Tensor
    shallow_skip: torch.Tensor

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> ImageFeatures:
        """The same features with every tensor changed by a function."""
        return ImageFeatures(*map(change, self))


class SkipMaskDecoder(MaskDecoder):
    """The mask decoder with skip connections from the image encoder.

    A 1×1 convolution of a concatenation is the sum of two 1×1 convolutions; the half that sees only the
    image is computed once per image, in `image_only`.
    """

    def __init__(self):
        super().__init__()
        self.neck = neck(sum(WIDTHS[1:]))
        self.output_upscaling1 = nn.Sequential(
            nn.Conv2d(2 * WIDTH, 256, 1), LayerNorm2d(256), nn.GELU(), nn.ConvTranspose2d(256, 128, 2, 2), nn.GELU()
        )
        self.output_upscaling2 = nn.Sequential(
            nn.Conv2d(128 + WIDTHS[0], 64, 1), LayerNorm2d(64), nn.GELU(), nn.ConvTranspose2d(64, 32, 2, 2), nn.GELU()
        )

    def image_only(self, skips: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Convert the skip maps to the form that the up-scalings add, without the convolutions' biases.

        Parameters
        ----------
        skips : list of Tensor
            As `SwinImageEncoder.forward` returns them.

        Returns
        -------
        deep_skip, shallow_skip : Tensor
            See `ImageFeatures`.
        """
        deep = self.neck(torch.cat(skips[1:], dim=1))
        first, second = (cast("nn.Conv2d", up[0]) for up in (self.output_upscaling1, self.output_upscaling2))
        deep = F.conv2d(deep, first.weight[:, WIDTH:])
        shallow = F.conv2d(skips[0], second.weight[:, 128:])
        return deep, shallow

    @staticmethod
    def _upscale(x: torch.Tensor, skip: torch.Tensor, layers: nn.Sequential) -> torch.Tensor:
        first = cast("nn.Conv2d", layers[0])
        return layers[1:](F.conv2d(x, first.weight[:, : x.shape[1]], first.bias) + skip)

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
            (n, 256, S/4, S/4).

        Returns
        -------
        logits : Tensor
            (n, 1, S, S).
        iou : Tensor
            (n,).
        """
        size = dense.shape[-2:]
        source = features.image_embedding.flatten(2).mT + dense.flatten(2).mT
        mask_weights, iou, keys = self.attend(source, position, tokens)
        x = self._upscale(keys.mT.unflatten(2, size), features.deep_skip, self.output_upscaling1)
        x = self._upscale(x, features.shallow_skip, self.output_upscaling2)
        logits = (mask_weights[:, None] @ x.flatten(2)).unflatten(2, x.shape[-2:])
        return logits, iou


class SwinLiteMedSAM(nn.Module):
    """The whole network.

    Parameters
    ----------
    frame : int
        Side of the image in pixels, a multiple of 32; the published model has 256.
    """

    name = "swin_litemedsam"
    prompts: tuple[str, ...] = ("boxes", "points", "scribbles")
    stages = 6

    def __init__(self, frame: int = 256):
        super().__init__()
        self.frame = frame
        self.image_encoder = SwinImageEncoder()
        self.prompt_encoder = PromptEncoder(frame)
        self.mask_decoder = SkipMaskDecoder()

    def encode(self, image: torch.Tensor) -> ImageFeatures:
        """Compute everything that depends only on the image (B, 3, S, S) in [0, 1]."""
        return self.encode_rest(self.encode_first(image, 0), 0)

    def encode_first(self, image: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        """See `PromptableModel.encode_first`; gives the last stage's map, then the skip maps so far."""
        return self.image_encoder.first_stages(image, count)

    def encode_rest(self, maps: tuple[torch.Tensor, ...], count: int) -> ImageFeatures:
        """See `PromptableModel.encode_rest`."""
        embedding, *skips = self.image_encoder.other_stages(maps, count)
        return ImageFeatures(embedding, *self.mask_decoder.image_only(skips))

    def decode(
        self, features: ImageFeatures, boxes: torch.Tensor, points: torch.Tensor, scribbles: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode n prompts on one image, or n (image, prompt) pairs.

        Parameters
        ----------
        features : ImageFeatures
            Of one image, or of n images.
        boxes : Tensor
            (n, 4), x_min, y_min, x_max, y_max in pixels of the frame.
        points : Tensor
            (n, 4, 2), x, y in pixels of the frame.
        scribbles : Tensor
            (n, 1, S, S), 0 or 1.

        Returns
        -------
        logits : Tensor
            (n, 1, S, S); positive on the object.
        iou : Tensor
            (n,), predicted IoU, not confined to [0, 1].
        """
        position = self.prompt_encoder.pe_layer.grid(self.frame // 4)
        return self.mask_decoder(features, position, *self.encode_prompts(boxes, points, scribbles))

    def encode_prompts(
        self, boxes: torch.Tensor, points: torch.Tensor, scribbles: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `PromptableModel.encode_prompts`."""
        encoder = self.prompt_encoder
        tokens = torch.cat([encoder.point_tokens(points), encoder.box_tokens(boxes)], dim=1)
        return tokens, encoder.scribble_map(scribbles)

    def forward(
        self, image: torch.Tensor, boxes: torch.Tensor, points: torch.Tensor, scribbles: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`decode` of `encode`; image (1 or n, 3, S, S)."""
        return self.decode(self.encode(image), boxes, points, scribbles)
