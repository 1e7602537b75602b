"""LiteMedSAM: a TinyViT image encoder and the Segment Anything decoder, prompted by boxes.

Equations: Ma et al., "Segment anything in medical images", 2024, https://arxiv.org/abs/2304.12306, for the prompts
and the decoder; `tiny_vit` for the encoder.
"""

from typing import NamedTuple

import torch
from torch import nn

from .layers import LayerNorm2d
from .mask_decoder import WIDTH, MaskDecoder
from .prompt_encoder import PromptEncoder
from .tiny_vit import TinyViTImageEncoder


class ImageFeatures(NamedTuple):
    """All that the decoder needs of an image; B images of side S.

    Attributes
    ----------
    image_embedding : Tensor
        (B, 256, S/4, S/4).
    """

    image_embedding: torch.Tensor


class PlainMaskDecoder(MaskDecoder):
    """The mask decoder that sees nothing of the image but its embedding."""

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
            (S/4 · S/4, 256).
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
        size = source.shape[-2:]
        source = source.flatten(2).mT.expand(tokens.shape[0], -1, -1)
        mask_weights, iou, keys = self.attend(source, position, tokens)
        x = self.output_upscaling(keys.mT.unflatten(2, size))
        logits = (mask_weights[:, None] @ x.flatten(2)).unflatten(2, x.shape[-2:])
        return logits, iou


class LiteMedSAM(nn.Module):
    """The whole network.

    Parameters
    ----------
    frame : int
        Side of the image in pixels, a multiple of 4; the published model has 256.
    """

    name = "litemedsam"
    prompts: tuple[str, ...] = ("boxes",)

    def __init__(self, frame: int = 256):
        super().__init__()
        self.frame = frame
        self.image_encoder = TinyViTImageEncoder()
        self.prompt_encoder = PromptEncoder(frame)
        self.mask_decoder = PlainMaskDecoder()

    def encode(self, image: torch.Tensor) -> ImageFeatures:
        """Everything that depends on the image alone; image (B, 3, S, S) in [0, 1]."""
        return ImageFeatures(self.image_encoder(image))

    def decode(self, features: ImageFeatures, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Masks of n boxes on one image, or of n (image, box) pairs.

        Parameters
        ----------
        features : ImageFeatures
            Of one image, or of n images.
        boxes : Tensor
            (n, 4), x_min, y_min, x_max, y_max in pixels of the frame.

        Returns
        -------
        logits : Tensor
            (n, 1, S, S); the mask is where they are positive.
        iou : Tensor
            (n,), predicted, not squashed.
        """
        encoder = self.prompt_encoder
        position = encoder.pe_layer.grid(self.frame // 4)
        return self.mask_decoder(features, position, encoder.box_tokens(boxes), encoder.empty_map())

    def forward(self, image: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`decode` of `encode`; image (1 or n, 3, S, S)."""
        return self.decode(self.encode(image), boxes)
