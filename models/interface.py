"""What every network of this room offers, so that what uses them need not know which one it is."""

from typing import NamedTuple, Protocol

import torch


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
    """

    name: str
    prompts: tuple[str, ...]
    frame: int

    def encode(self, image: torch.Tensor) -> NamedTuple:
        """All that depends on the image (B, 3, S, S) alone; one field is ``image_embedding`` (B, 256, S/4, S/4)."""
        ...

    def decode(self, features: NamedTuple, **prompts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, 1, S, S) and predicted IoU (n,) of n prompts on one image.

        Prompts are ``boxes`` (n, 4) and ``points`` (n, 4, 2) in pixels of the frame, ``scribbles`` (n, 1, S, S).
        """
        ...
