"""DSC of a network on held-out images, to choose between states of a run."""

from collections import defaultdict

import cv2
import numpy as np
import torch

from ..engine.inference.frame import Frame
from ..models.interface import TrainableModel
from ..overlap import dice
from .cases import Case
from .config import TrainingConfig
from .decoding import prompts_of
from .examples import make_example
from .kept import FrozenStages
from .precision import takes_bfloat16
from .prompting import Prompting, tight_box
from .samples import Sample
from .scenes import draw_scene

WHOLE = FrozenStages()
SYNTHETIC = "synthetic"
# Differs from the first number of the steps' random streams, which is the run's seed.
_STREAM = 2**31 - 1


def held_out_samples(config: TrainingConfig, cases: list[Case]) -> dict[str, list[Sample]]:
    """Choose the images that a run is measured on.

    Parameters
    ----------
    config : TrainingConfig
    cases : list of Case
        The held-out ones.

    Returns
    -------
    dict of str to list of Sample
        Synthetic scenes, then by group at most `config.measure_images` images, spread over cases and slices.
    """
    rngs = (np.random.default_rng([_STREAM, k]) for k in range(config.measure_scenes))
    chosen = {SYNTHETIC: [draw_scene(rng, config.frame) for rng in rngs]} if config.measure_scenes else {}
    groups = defaultdict(list)
    for case in cases:
        groups[case.group].append(case.samples)
    for group in sorted(groups):
        # The middle slice of each case comes first, then its neighbours.
        ordered = [sorted(samples, key=_distance_to_middle(samples)) for samples in groups[group]]
        rounds = [samples[k] for k in range(max(map(len, ordered))) for samples in ordered if k < len(samples)]
        chosen[group] = rounds[: config.measure_images]
    return {group: samples for group, samples in chosen.items() if samples}


def _distance_to_middle(samples: tuple[Sample, ...]):
    order = {id(sample): abs(k - (len(samples) - 1) / 2) for k, sample in enumerate(samples)}
    return lambda sample: order[id(sample)]


def segment(
    model: TrainableModel, sample: Sample, config: TrainingConfig, device: torch.device, frozen: FrozenStages = WHOLE
) -> tuple[np.ndarray, np.ndarray]:
    """Segment a sample's objects from their tight boxes.

    Parameters
    ----------
    model : TrainableModel
    sample : Sample
    config : TrainingConfig
        For the frame and the precision.
    device : torch.device
    frozen : FrozenStages

    Returns
    -------
    found : ndarray
        bool (n, H, W), n at most `config.measure_objects`.
    chosen : ndarray
        int (n,), indices of the segmented objects in the sample.
    """
    height, width = sample.image.shape[:2]
    example, chosen = make_example(
        np.random.default_rng(0), sample, config.frame, Prompting(config.measure_objects, scribble=config.scribble)
    )
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=takes_bfloat16(config, device)):
        features = frozen.features(model, [example.pixels], device)
        logits, _ = model.decode(features, **prompts_of(model, [example], device))
    frame = Frame.of(height, width, config.frame)
    scaled = logits[:, 0, : frame.scaled_height, : frame.scaled_width].float().cpu().numpy()
    full = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) > 0 for one in scaled])
    for mask, k in zip(full, chosen, strict=True):
        mask &= _box_region(sample.masks[k])
    return full, chosen


def _box_region(mask: np.ndarray) -> np.ndarray:
    """The inside of a mask's box, bool (H, W); inference clips masks to it too."""
    x_min, y_min, x_max, y_max = tight_box(mask).astype(int)
    region = np.zeros(mask.shape, bool)
    region[y_min : y_max + 1, x_min : x_max + 1] = True
    return region


def measure(
    model: TrainableModel,
    samples: dict[str, list[Sample]],
    config: TrainingConfig,
    device: torch.device,
    frozen: FrozenStages = WHOLE,
) -> dict[str, float]:
    """Mean DSC of each group; ``mean`` is the mean over the groups.

    Parameters
    ----------
    model : TrainableModel
        Its frame is set to the configuration's.
    samples : dict of str to list of Sample
        As `held_out_samples` gives them; may be empty.
    config : TrainingConfig
    device : torch.device
    frozen : FrozenStages

    Returns
    -------
    dict of str to float
        Empty if there are no samples.
    """
    set_frame(model, config.frame)
    was_training = model.training
    model.eval()
    means = {}
    for group, members in samples.items():
        by_image = []
        for sample in members:
            found, chosen = segment(model, sample, config, device, frozen)
            by_image.append(np.mean([dice(f, sample.masks[k], empty=1.0) for f, k in zip(found, chosen, strict=True)]))
        means[group] = float(np.mean(by_image))
    model.train(was_training)
    return {"mean": float(np.mean(list(means.values()))), **means} if means else {}


def set_frame(model: TrainableModel, size: int) -> None:
    """Set the side of the network's input in pixels; the weights do not depend on it."""
    model.frame = model.prompt_encoder.frame = size
