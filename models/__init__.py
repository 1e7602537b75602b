"""PyTorch definitions of the networks and the loading of their checkpoints."""

from .checkpoint import load_checkpoint
from .litemedsam import LiteMedSAM
from .swin_litemedsam import SwinLiteMedSAM

__all__ = ["LiteMedSAM", "SwinLiteMedSAM", "load_checkpoint"]
