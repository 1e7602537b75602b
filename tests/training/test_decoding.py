"""Prompts of several images at once are decoded as each image's alone."""

import numpy as np
import pytest
import torch
from litemedsam.models import LiteMedSAM, SwinLiteMedSAM
from litemedsam.training.decoding import by_side, groups
from litemedsam.training.examples import focused, make_example
from litemedsam.training.prompting import Prompting
from litemedsam.training.scenes import draw_scene

FRAME = 64


def examples(focus: bool):
    made = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        example = make_example(rng, draw_scene(rng, FRAME), FRAME, Prompting(3))[0]
        made.append(focused(rng, example, 32) if focus else example)
    return tuple(made)


@pytest.mark.parametrize("focus", [False, True])
@pytest.mark.parametrize("kind", ["swin", "plain", "labelled"])
def test_together_as_alone(kind, focus):
    torch.manual_seed(0)
    labelled = ("boxes", "points", "labels", "scribbles")
    model = (
        SwinLiteMedSAM(FRAME) if kind == "swin" else LiteMedSAM(FRAME, labelled if kind == "labelled" else ("boxes",))
    )
    model.eval()
    chosen, device = examples(focus), torch.device("cpu")
    with torch.inference_mode():
        features = model.encode(torch.stack([torch.from_numpy(one.pixels) for one in chosen]))
        together = groups(model, features, chosen, device)
        assert sum(len(group.targets) for group in together) == sum(len(one.boxes) for one in chosen)
        for group, members in zip(together, by_side(chosen), strict=True):
            found = group.windows.decode(model, group.prompts)[0]
            parts = []
            for k in members:
                (alone,) = groups(model, features.map(lambda maps, k=k: maps[k : k + 1]), (chosen[k],), device)
                parts.append(alone.windows.decode(model, alone.prompts)[0])
                torch.testing.assert_close(alone.boxes, alone.prompts["boxes"] - torch.tensor(chosen[k].origin * 2))
            torch.testing.assert_close(found, torch.cat(parts), atol=1e-4, rtol=1e-4)


def test_examples_are_grouped_by_their_side():
    chosen = examples(True)
    sides = [one.targets.shape[-1] for one in chosen]
    grouped = by_side(chosen)
    assert sorted(place for members in grouped for place in members) == list(range(5))
    assert all(len({sides[place] for place in members}) == 1 for members in grouped)
