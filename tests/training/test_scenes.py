"""The synthetic scenes: valid, seeded, varied and fast."""

import time

import numpy as np
import pytest
from litemedsam.engine.inference.prompt import Target
from litemedsam.training.augment import augment
from litemedsam.training.examples import make_example
from litemedsam.training.prompting import MisplacedEllipse, Prompting, moved_box, tight_box
from litemedsam.training.scenes import FAMILIES, draw_scene


@pytest.mark.parametrize("family", FAMILIES)
def test_scenes_are_valid_images_with_visible_objects(family):
    for seed in range(4):
        sample = draw_scene(np.random.default_rng(seed), 128, family)
        height, width = sample.image.shape[:2]
        assert sample.image.dtype == np.uint8
        assert sample.image.ndim == 2 or sample.image.shape[2] == 3
        assert sample.masks.dtype == bool
        assert sample.masks.shape == (len(sample.masks), height, width)
        assert sample.masks.sum((1, 2)).min() >= 12
        assert sample.image.std() > 1


def test_the_seed_alone_decides():
    first, again, other = (draw_scene(np.random.default_rng(seed), 96) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.masks, again.masks)
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


def test_scenes_are_fast_enough_for_training():
    started = time.process_time()
    for seed in range(20):
        draw_scene(np.random.default_rng(seed), 256)
    # The processor's own time: 35 ms a scene where nothing else runs.
    assert (time.process_time() - started) / 20 < 0.25


def test_many_shapes_are_no_ellipses():
    scores = []
    for seed in range(60):
        for mask in draw_scene(np.random.default_rng(seed), 128).masks[:4]:
            x0, y0, x1, y1 = tight_box(mask)
            y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
            across, down = (x - (x0 + x1) / 2) / ((x1 - x0 + 1) / 2), (y - (y0 + y1) / 2) / ((y1 - y0 + 1) / 2)
            ellipse = across**2 + down**2 <= 1
            scores.append(2 * (ellipse & mask).sum() / (ellipse.sum() + mask.sum()))
    assert 0.25 < np.mean(np.array(scores) < 0.85) < 0.8


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


def test_a_tight_box_includes_its_last_pixels_and_scales_with_the_frame():
    mask = np.zeros((40, 80), bool)
    mask[5:15, 20:60] = True
    np.testing.assert_array_equal(tight_box(mask), [20, 5, 59, 14])
    sample = type(draw_scene(np.random.default_rng(0), 64))(np.arange(3200, dtype=np.uint8).reshape(40, 80), mask[None])
    example, _ = make_example(np.random.default_rng(0), sample, 32, Prompting(1))
    np.testing.assert_allclose(example.boxes[0], np.array([20, 5, 59, 14]) * 0.4, rtol=1e-6)


def test_a_moved_box_stays_in_the_image_and_near():
    rng = np.random.default_rng(0)
    for _ in range(50):
        box = np.array([0, 10, 59, 79])
        moved = moved_box(rng, box, (80, 60), 0.05)
        assert moved.min() >= 0
        assert (moved <= [59, 79, 59, 79]).all()
        assert np.abs(moved - box).max() <= 5


def test_augmented_masks_follow_the_image():
    # An object brighter than all else stays where its mask is, whatever is turned, zoomed or flipped.
    image = np.full((90, 120), 40, np.uint8)
    mask = np.zeros((90, 120), bool)
    mask[30:60, 50:100] = True
    image[mask] = 200
    sample = draw_scene(np.random.default_rng(0), 64)
    for seed in range(30):
        seen = augment(np.random.default_rng(seed), type(sample)(image, mask[None]))
        assert len(seen.masks) == 1
        inside, outside = seen.image[seen.masks[0]].mean(), seen.image[~seen.masks[0]].mean()
        assert abs(inside - outside) > 20


def test_a_misplaced_ellipse_lies_in_its_box_and_is_another_for_each_seed():
    box, foreground = np.float32([20, 30, 79, 69]), np.ones((100, 100), bool)
    made = [MisplacedEllipse(seed).prompt(Target(1), box, foreground) for seed in range(40)]
    areas = [prompt.scribble.sum() for prompt in made]
    for prompt in made:
        np.testing.assert_array_equal(prompt.box, box)
        ys, xs = np.nonzero(prompt.scribble)
        assert 20 - 3 <= xs.min() <= xs.max() <= 79 + 3
        assert 30 - 2 <= ys.min() <= ys.max() <= 69 + 2
    whole = np.pi * 30 * 20
    assert 0.05 * whole < min(areas) < 0.25 * whole
    assert 0.6 * whole < max(areas) <= 1.01 * whole
    again = MisplacedEllipse(3).prompt(Target(1), box, foreground)
    np.testing.assert_array_equal(again.scribble, made[3].scribble)
    np.testing.assert_array_equal(again.points, made[3].points)


def test_shares_of_prompts_are_as_asked_for():
    rng = np.random.default_rng(0)
    prompting = Prompting(1, scribble="ellipse", strokes=0.2, misplaced=0.5)
    sources = [prompting.source(rng) for _ in range(1000)]
    misplaced = sum(isinstance(source, MisplacedEllipse) for source in sources)
    strokes = sum(getattr(source, "scribble", "") == "stroke" for source in sources)
    assert abs(misplaced - 500) < 60
    assert abs(strokes - 200) < 50
