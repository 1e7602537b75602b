"""The interface of every network in this room, so that other rooms need not know the network."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, Self

import torch
from torch import nn

from .mask_decoder import MaskDecoder
from .prompt_encoder import PromptEncoder


class ImageFeatures(Protocol):
    """Everything that a decoder needs from an image. A network may add further attributes for its own decoder.

    Attributes
    ----------
    image_embedding : Tensor
        (B, 256, S/4, S/4).
    """

    @property
    def image_embedding(self) -> torch.Tensor: ...

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        """The same features with every tensor changed by a function."""
        ...


class PromptableModel(Protocol):
    """A promptable segmentation network with a square input.

    Attributes
    ----------
    name : str
        Its name in bundles.
    prompts : tuple of str
        The prompts that `decode` takes beside the features: some of ``boxes``, ``points``, ``scribbles``.
    frame : int
        Side S of the input in pixels.
    stages : int
        Number of the image encoder's first stages that training may freeze.
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
        """Compute everything that depends only on the image (B, 3, S, S)."""
        ...

    def encode_first(self, image: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        """Run an image (B, 3, S, S) through the encoder's first `count` stages, 0 to `stages`."""
        ...

    def encode_rest(self, maps: tuple[torch.Tensor, ...], count: int) -> ImageFeatures:
        """Finish what `encode_first` began with the same `count`; the result is that of `encode`."""
        ...

    @property
    def encode_prompts(self) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
        """Map prompts, by name, to tokens (n, t, 256) and a dense map (1 or n, 256, 1 or S/4, 1 or S/4)."""
        ...

    @property
    def decode(self) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
        """Map an image's features and n prompts, by name, to logits (n, 1, S, S) and predicted IoU (n,).

        Prompts are ``boxes`` (n, 4) and ``points`` (n, 4, 2) in pixels of the frame, ``scribbles`` (n, 1, S, S).
        """
        ...


class ImageEncoder(Protocol):
    """The part of a network that sees the image.

    Attributes
    ----------
    all_stages : tuple of Module
        In the order in which an image passes through them.
    """

    @property
    def all_stages(self) -> tuple[nn.Module, ...]: ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """See `torch.nn.Module.parameters`."""
        ...


class TrainableModel(PromptableModel, Protocol):
    """A promptable network as training needs it; the methods are those of `torch.nn.Module`.

    Attributes
    ----------
    image_encoder : ImageEncoder
    training : bool
    """

    training: bool

    @property
    def image_encoder(self) -> ImageEncoder: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def buffers(self) -> Iterator[torch.Tensor]: ...

    def modules(self) -> Iterator[nn.Module]: ...

    def to(self, device: torch.device) -> Self: ...

    def train(self, mode: bool = True) -> Self: ...

    def eval(self) -> Self: ...

    def requires_grad_(self, requires_grad: bool = True) -> Self: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...
