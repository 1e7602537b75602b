"""Cuts a channels-last map into square windows, and joins them again."""

import torch


def partition_windows(x: torch.Tensor, window: int) -> torch.Tensor:
    """Cut (B, H, W, C) into windows (B, rows · columns, window², C), all row-major; `window` divides H and W."""
    b, h, w, c = x.shape
    x = x.view(b, h // window, window, w // window, window, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(b, -1, window**2, c)


def merge_windows(x: torch.Tensor, window: int, height: int, width: int) -> torch.Tensor:
    """Undo `partition_windows`: (B, rows · columns, window², C) to (B, height, width, C)."""
    b, _, _, c = x.shape
    x = x.view(b, height // window, width // window, window, window, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(b, height, width, c)
