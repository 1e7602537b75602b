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
    stages : int
        Stages of the image encoder that training may keep as they are, from the first on.
    prompt_encoder : PromptEncoder
    mask_decoder : MaskDecoder
    """

    name: str
    prompts: tuple[str, ...]
    frame: int
    stages: int
    prompt_encoder: PromptEncoder

    @property
    def mask_decoder(self) -> MaskDecoder: ...

    def encode(self, image: torch.Tensor) -> ImageFeatures:
        """All that depends on the image (B, 3, S, S) alone."""
        ...

    def encode_first(self, image: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        """What the first `count` stages of the encoder, 0 to `stages`, leave to the others of an image (B, 3, S, S)."""
        ...

    def encode_rest(self, maps: tuple[torch.Tensor, ...], count: int) -> ImageFeatures:
        """What `encode` gives, from `encode_first` with the same `count`."""
        ...

    @property
    def encode_prompts(self) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
        """Prompts by name to tokens (n, t, 256) and dense map (1 or n, 256, 1 or S/4, 1 or S/4), as in `decode`."""
        ...

    @property
    def decode(self) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
        """Features of an image and n prompts on it, by name, to logits (n, 1, S, S) and predicted IoU (n,).

        Prompts are ``boxes`` (n, 4) and ``points`` (n, 4, 2) in pixels of the frame, ``scribbles`` (n, 1, S, S).
        """
        ...
