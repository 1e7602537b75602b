"""What every network of this room offers, so that what uses them need not know which one it is."""

from collections.abc import Callable
from typing import Protocol

import torch

from .mask_decoder import MaskDecoder
from .prompt_encoder import PromptEncoder


class ImageFeatures(Protocol):
    """All that a decoder needs of an image; what else there is, the network's own decoder knows.

    Attributes
    ----------
    image_embedding : Tensor
        (B, 256, S/4, S/4).
    """

    @property
    def image_embedding(self) -> torch.Tensor: ...


class PromptableModel(Protocol):
    """A promptable segmentation network with a square input.

    Attributes
    ----------
    name : str
        As bundles carry it.
    prompts : tuple of str
        What `decode` takes beside the features: of ``boxes``, ``points``, ``scribbles``, by these names.
    frame : int
        Side S of the input in pixels.
    prompt_encoder : PromptEncoder
    mask_decoder : MaskDecoder
    """

    name: str
    prompts: tuple[str, ...]
    frame: int
    prompt_encoder: PromptEncoder

    @property
    def mask_decoder(self) -> MaskDecoder: ...

    def encode(self, image: torch.Tensor) -> ImageFeatures:
        """All that depends on the image (B, 3, S, S) alone."""
        ...

    @property
    def decode(self) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
        """Features of an image and n prompts on it, by name, to logits (n, 1, S, S) and predicted IoU (n,).

        Prompts are ``boxes`` (n, 4) and ``points`` (n, 4, 2) in pixels of the frame, ``scribbles`` (n, 1, S, S).
        """
        ...
