"""Windows of a frame: the object is inside, coordinates are the frame's, the network decodes them as a whole frame."""

import numpy as np
import pytest
import torch
from litemedsam.models import LiteMedSAM, SwinLiteMedSAM
from litemedsam.training.decoding import Windows
from litemedsam.training.examples import make_example, make_window
from litemedsam.training.prompting import Prompting
from litemedsam.training.samples import Sample
from litemedsam.training.scenes import draw_scene

FRAME, SIDE = 128, 64


@pytest.mark.parametrize("seed", range(20))
def test_boxes_lie_in_the_window_and_around_their_targets(seed):
    rng = np.random.default_rng(seed)
    sample = draw_scene(rng, int(rng.integers(50, 200)))
    example = make_window(rng, sample, FRAME, SIDE, Prompting(4))
    assert example.pixels.shape == (3, SIDE, SIDE)
    assert 1 <= len(example.boxes) == len(example.targets) == len(example.points) == len(example.scribbles) <= 4
    origin = np.array(example.origin)
    assert (origin % 32 == 0).all()
    assert (origin >= 0).all()
    assert (origin + SIDE <= FRAME).all()
    for box, points, target in zip(example.boxes, example.points, example.targets, strict=True):
        low, high = box[:2] - origin, box[2:] - origin
        assert (low >= 0).all()
        assert (high <= SIDE).all()
        assert (points - origin >= low - 1).all()
        assert (points - origin <= high + 1).all()
        ys, xs = np.nonzero(target)
        covered = np.array([xs.min(), ys.min(), xs.max(), ys.max()])
        # A box ends at the first edge of its last pixel, which small images have enlarged up to four times.
        np.testing.assert_allclose(np.concatenate([low, high]), covered, atol=5)


def test_a_window_as_large_as_the_frame_is_the_frame():
    image = np.random.default_rng(0).integers(0, 256, (FRAME, FRAME), np.uint8)
    mask = np.zeros((1, FRAME, FRAME), bool)
    mask[0, 30:60, 40:50] = True
    window = make_window(np.random.default_rng(1), Sample(image, mask), FRAME, FRAME, Prompting(1))
    whole, _ = make_example(np.random.default_rng(1), Sample(image, mask), FRAME, Prompting(1))
    assert window.origin == (0, 0)
    np.testing.assert_array_equal(window.pixels, whole.pixels)
    np.testing.assert_array_equal(window.boxes, whole.boxes)
    np.testing.assert_array_equal(window.targets, whole.targets)


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
