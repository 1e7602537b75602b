"""The precision of a step's products: bfloat16 where that saves time, else float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .config import TrainingConfig

_NATIVE = ("avx512_bf16", "amx_bf16", "bf16")


def native_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16. Where it does not, PyTorch emulates it, many times slower."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _NATIVE)


def takes_bfloat16(config: TrainingConfig, device: torch.device) -> bool:
    """Whether products are computed in bfloat16: the configuration asks for it, and the device is fast in it.

    Parameters
    ----------
    config : TrainingConfig
    device : torch.device
    """
    return config.mixed and (device.type != "cpu" or native_bfloat16())
