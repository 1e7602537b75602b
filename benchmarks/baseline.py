"""The published pipelines' cost in eager PyTorch: every object re-encodes every one of its slices.

For volumes, one image and one prompt are timed and multiplied. The networks are the project's own, in the published
order of work: Swin-LiteMedSAM's decoder repeats its image-only part for every prompt. Start-up is the time of a process
that imports the published script's libraries, makes the network and loads its weights. An image is timed as a whole
process, see ``published.py``.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from cases import StandardCase
from litemedsam.models import LiteMedSAM, SwinLiteMedSAM

_SCRIPT = Path(__file__).with_name("published.py")


@dataclass(frozen=True)
class BaselineCost:
    """Seconds of the published pipeline's parts.

    Attributes
    ----------
    encode, decode : float
        One image; one prompt.
    """

    encode: float
    decode: float

    def of(self, case: StandardCase) -> float:
        """Seconds for a case, without start-up and files; a 2D case encodes once."""
        if not case.is_volume:
            return self.encode + case.objects * self.decode
        # Swin-LiteMedSAM's published range is open at both ends.
        object_slices = sum(max(last - first - 1, 1) for first, last in case.ranges)
        return object_slices * (self.encode + self.decode)


def _seconds(work: Callable[[], object], repeats: int) -> float:
    found = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        found.append(perf_counter() - start)
    return median(found)


@torch.inference_mode()
def measure(threads: int, repeats: int) -> dict[str, BaselineCost]:
    """Time the parts of both models; weights are random, because values do not change the cost.

    Parameters
    ----------
    threads, repeats : int

    Returns
    -------
    dict of str to BaselineCost
        By the models' names.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    image = torch.rand(1, 3, 256, 256)
    boxes = torch.tensor([[40.0, 50, 180, 200]])
    swin, plain = SwinLiteMedSAM().eval(), LiteMedSAM().eval()
    _, skips = swin.image_encoder(image)
    features, plain_features = swin.encode(image), plain.encode(image)
    prompt = {"boxes": boxes, "points": torch.full((1, 4, 2), 100.0), "scribbles": torch.zeros(1, 1, 256, 256)}

    def decode() -> None:
        swin.mask_decoder.image_only(skips)
        swin.decode(features, **prompt)

    return {
        swin.name: BaselineCost(_seconds(lambda: swin.image_encoder(image), repeats), _seconds(decode, repeats)),
        plain.name: BaselineCost(
            _seconds(lambda: plain.encode(image), repeats),
            _seconds(lambda: plain.decode(plain_features, boxes), repeats),
        ),
    }


def start_up(threads: int, repeats: int) -> float:
    """Seconds of a process until Swin-LiteMedSAM is ready in PyTorch."""
    return _whole_process(threads, repeats)


def whole_process(case: StandardCase, threads: int, repeats: int) -> float:
    """Seconds of a process that segments a 2D case, from its start until the file is written."""
    return _whole_process(threads, repeats, case)


def _whole_process(threads: int, repeats: int, case: StandardCase | None = None) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(SwinLiteMedSAM().state_dict(), folder / "weights.pth")
        command: list[str | Path] = [sys.executable, _SCRIPT, str(threads), folder / "weights.pth"]
        if case is not None:
            arrays: dict[str, Any] = case.arrays()
            np.savez(folder / "case.npz", **arrays)
            command += [folder / "case.npz", folder / "segs.npz"]
        return _seconds(lambda: subprocess.run(command, check=True), repeats)
