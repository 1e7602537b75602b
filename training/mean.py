"""The mean of several states of a run. It is often better than each of them, if they lie in one valley of the loss.

    python -m litemedsam.training.mean OUT.pth STATE.pth STATE.pth ...

Source: Wortsman et al., Model soups, 2022, https://arxiv.org/abs/2203.05482.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import LiteMedSamError
from ..models.checkpoint import read_content, read_state
from .loop import save_atomically


def mean_state(paths: Sequence[Path]) -> dict[str, torch.Tensor]:
    """Average checkpoints entry by entry.

    Parameters
    ----------
    paths : sequence of Path
        Checkpoints of one network.

    Returns
    -------
    dict of str to Tensor
        With the dtypes of the first checkpoint; entries that are not floating-point are copied from it.

    Raises
    ------
    LiteMedSamError
        When there is no path, a file cannot be read, or entries or shapes differ.
    """
    if not paths:
        raise LiteMedSamError("no checkpoints to average", "name at least one checkpoint")
    states = [read_state(path) for path in paths]
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    for path, found in zip(paths, shapes, strict=True):
        if found != shapes[0]:
            raise LiteMedSamError(f"{path}: not of the same network as {paths[0]}", "name checkpoints of one run")
    return {name: _mean([state[name] for state in states]) for name in states[0]}


def mean_checkpoint(paths: Sequence[Path]) -> dict[str, Any]:
    """`mean_state` as a checkpoint, with the other entries of the first file; raises as `mean_state`."""
    mean = mean_state(paths)
    _, others = read_content(paths[0])
    return {"model": mean, **others} if others else mean


def _mean(tensors: list[torch.Tensor]) -> torch.Tensor:
    first = tensors[0]
    return torch.stack([t.double() for t in tensors]).mean(0).to(first.dtype) if first.is_floating_point() else first


if __name__ == "__main__":
    try:
        save_atomically(mean_checkpoint([Path(name) for name in sys.argv[2:]]), Path(sys.argv[1]))
    except LiteMedSamError as error:
        sys.exit(str(error))
