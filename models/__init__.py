"""PyTorch definitions of the networks and the loading of their checkpoints."""

from .checkpoint import load_checkpoint
from .swin_litemedsam import SwinLiteMedSAM

__all__ = ["SwinLiteMedSAM", "load_checkpoint"]
