"""Small cases of the challenge's form to calibrate and measure with."""

from pathlib import Path

import numpy as np


def save_cases(folder: Path) -> Path:
    """Four images of two modalities and two volumes, each of a source of its own."""
    rng = np.random.default_rng(0)
    for number in range(4):
        modality = ("US", "Microscopy")[number % 2]
        image = rng.integers(0, 256, (50, 60, 3)).astype(np.uint8)
        np.savez(folder / f"2DBox_{modality}_made_{number}.npz", imgs=image, boxes=[[5, 6, 40, 30], [20, 20, 50, 45]])
    for number in range(2):
        volume = rng.integers(0, 256, (5, 40, 44)).astype(np.uint8)
        np.savez(folder / f"3DBox_CT_made_{number}.npz", imgs=volume, boxes=[[5, 6, 1, 30, 30, 4]], spacing=[1, 1, 2])
    return folder
