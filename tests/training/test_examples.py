"""Prompts of training: scribbles that are left out, masks of the slice before, and the part that the decoder sees."""

import numpy as np
import pytest
from litemedsam.training.examples import focused, make_example, make_window
from litemedsam.training.prompting import Prompting, neighbouring, tight_box
from litemedsam.training.samples import Sample
from litemedsam.training.scenes import draw_scene

SIDE = 128


def disc(centre, radius):
    y, x = np.mgrid[:SIDE, :SIDE]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


def dsc(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_the_slice_before_gives_a_mask_alike_but_not_the_same():
    found = []
    for seed in range(40):
        mask = disc((50 + seed % 7, 60), 6 + seed % 20)
        moved = neighbouring(np.random.default_rng(seed), mask)
        assert moved.dtype == bool
        assert moved.shape == mask.shape
        found.append(dsc(mask, moved))
        box, own = tight_box(moved), tight_box(mask)
        sides = np.tile(own[2:] - own[:2] + 1, 2)
        assert (np.abs(box - own) <= 0.8 * sides + 2).all()
    assert 0.75 < np.mean(found) < 0.95
    assert max(found) < 1


def test_the_slice_before_never_gives_nothing():
    speck = np.zeros((SIDE, SIDE), bool)
    assert not neighbouring(np.random.default_rng(0), speck).any()
    speck[40, 50] = True
    assert all(neighbouring(np.random.default_rng(seed), speck).any() for seed in range(20))


@pytest.mark.parametrize(("share", "empty"), [(0.0, 0), (1.0, 1)])
def test_scribbles_are_left_out_by_their_share(share, empty):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        example, _ = make_example(rng, draw_scene(rng, SIDE), SIDE, Prompting(4, dropped=share))
        assert np.mean(~example.scribbles.any(axis=(1, 2, 3))) == empty


def test_a_passed_on_box_comes_with_the_mask_before():
    rng = np.random.default_rng(1)
    sample = draw_scene(rng, SIDE)
    example, _ = make_example(rng, sample, SIDE, Prompting(4, propagated=1.0, previous=1.0, dropped=1.0))
    assert example.scribbles.any(axis=(1, 2, 3)).all()
    for scribble, target in zip(example.scribbles[:, 0] > 0, example.targets >= 0.5, strict=True):
        assert dsc(scribble, target) > 0.3


@pytest.mark.parametrize("seed", range(10))
def test_the_decoder_s_part_holds_an_object_and_keeps_the_frame_s_coordinates(seed):
    rng = np.random.default_rng(seed)
    whole, _ = make_example(rng, draw_scene(rng, SIDE), SIDE, Prompting(6))
    part = focused(np.random.default_rng(seed), whole, 64)
    assert part.pixels is whole.pixels
    if part is whole:
        return
    x, y = part.origin
    assert x % 4 == y % 4 == 0
    assert part.targets.shape[1:] == part.valid.shape == part.scribbles.shape[2:] == (64, 64)
    rows, columns = slice(y, y + 64), slice(x, x + 64)
    np.testing.assert_array_equal(part.valid, whole.valid[rows, columns])
    for box, target in zip(part.boxes, part.targets, strict=True):
        (k,) = np.flatnonzero((whole.boxes == box).all(axis=1))[:1]
        np.testing.assert_array_equal(target, whole.targets[k][rows, columns])
        assert (box[:2] >= part.origin).all()
        assert (box[2:] <= np.add(part.origin, 64)).all()


def test_an_object_too_large_for_the_part_keeps_the_frame():
    rng = np.random.default_rng(0)
    whole, _ = make_example(rng, draw_scene(rng, SIDE), SIDE, Prompting(1))
    assert focused(rng, whole, SIDE) is whole
    assert focused(rng, whole, 4) is whole


def test_examples_hold_prompts_and_targets_in_the_frame():
    sample = draw_scene(np.random.default_rng(1), 100, "tomography")
    example, chosen = make_example(
        np.random.default_rng(2), sample, 64, Prompting(3, 0.05, strokes=0.3, misplaced=0.3, propagated=0.3)
    )
    n = len(chosen)
    assert example.pixels.shape == (3, 64, 64)
    assert example.boxes.shape == (n, 4)
    assert example.points.shape == (n, 4, 2)
    assert example.scribbles.shape == (n, 1, 64, 64)
    assert example.targets.shape == (n, 64, 64)
    assert 0 <= example.targets.min() <= example.targets.max() <= 1
    assert not example.targets[:, ~example.valid].any()
    assert 0 <= example.boxes.min() <= example.boxes.max() <= 64


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
