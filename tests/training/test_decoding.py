"""Prompts of several images at once are decoded as each image's alone."""

import numpy as np
import pytest
import torch
from litemedsam.models import LiteMedSAM, SwinLiteMedSAM
from litemedsam.training.decoding import Windows, by_side, groups
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


def test_a_whole_frame_is_decoded_as_the_model_decodes_it():
    torch.manual_seed(0)
    model = SwinLiteMedSAM(64).eval()
    boxes, points = torch.tensor([[5.0, 6, 40, 50]]), torch.rand(1, 4, 2) * 64
    scribbles = (torch.rand(1, 1, 64, 64) > 0.9).float()
    with torch.inference_mode():
        features = model.encode(torch.rand(1, 3, 64, 64))
        expected = model.decode(features, boxes, points, scribbles)
        prompts = {"boxes": boxes, "points": points, "scribbles": scribbles}
        for one, other in zip(_decoded(model, features, prompts, (0, 0)), expected, strict=True):
            assert torch.equal(one, other)


def test_the_place_of_a_window_in_the_frame_reaches_the_network():
    torch.manual_seed(0)
    model = SwinLiteMedSAM(128).eval()
    boxes, points = torch.tensor([[5.0, 6, 40, 50]]), torch.rand(1, 4, 2) * 64
    scribbles = torch.zeros(1, 1, 64, 64)
    with torch.inference_mode():
        features = model.encode(torch.rand(1, 3, 64, 64))
        prompts = {"boxes": boxes, "points": points, "scribbles": scribbles}
        moved = {"boxes": boxes + 64, "points": points + 64, "scribbles": scribbles}
        here = _decoded(model, features, prompts, (0, 0))[0]
        there = _decoded(model, features, moved, (64, 64))[0]
    assert here.shape == there.shape == (1, 1, 64, 64)
    assert not torch.allclose(here, there)


@pytest.mark.parametrize("kind", [LiteMedSAM, SwinLiteMedSAM])
def test_a_part_of_a_whole_frame_s_features_is_decoded_in_its_place(kind):
    torch.manual_seed(0)
    model = kind(128).eval()
    prompts = {"boxes": torch.tensor([[70.0, 40, 90, 60]]), "points": torch.full((1, 4, 2), 75.0)}
    prompts = {"scribbles": torch.zeros(1, 1, 64, 64), **prompts}
    prompts = {name: prompts[name] for name in model.prompts}
    with torch.inference_mode():
        features = model.encode(torch.rand(1, 3, 128, 128))
        found = _decoded(model, features, prompts, (64, 32))[0]
        cut = type(features)(*(_cut(one, one.shape[-1] / 128) for one in features))
        expected = _decoded(model, cut, prompts, (64, 32))[0]
    assert torch.equal(found, expected)


def _cut(feature_map, factor):
    x, y, side = (int(edge * factor) for edge in (64, 32, 64))
    return feature_map[..., y : y + side, x : x + side].clone()


def _decoded(model, features, prompts, origin):
    return Windows.of(model, features, [1], [origin], 64).decode(model, prompts)
