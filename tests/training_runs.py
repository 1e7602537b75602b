"""Settings of a run that takes seconds, and cases to learn from."""

from pathlib import Path

import numpy as np
from litemedsam.training.config import TrainingConfig
from litemedsam.training.scenes import draw_scene

TINY = TrainingConfig(
    seed=1,
    steps=4,
    frame=64,
    window=32,
    window_share=0.5,
    window_images=1,
    images=1,
    prompts=2,
    synthetic=1.0,
    warm_up=1,
    checkpoint_every=3,
    measure_scenes=1,
    workers=0,
    freeze_statistics=False,
)


def write_cases(folder: Path, count: int, side: int) -> Path:
    """Write drawn skin lesions as cases of the challenge's form."""
    for number in range(count):
        sample = draw_scene(np.random.default_rng(number), side, "skin")
        marks = sample.masks[0].astype(np.uint8)
        np.savez_compressed(folder / f"2DBox_Dermoscopy_own_{number}.npz", imgs=sample.image, gts=marks)
    return folder
