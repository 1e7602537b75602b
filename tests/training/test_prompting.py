"""From masks to prompts: boxes tight, moved and passed on, and ellipses that show no size."""

import numpy as np
from litemedsam.engine.inference.prompt import Target
from litemedsam.training.examples import make_example
from litemedsam.training.prompting import (
    MisplacedEllipse,
    Prompting,
    moved_box,
    neighbouring,
    passed_on_box,
    tight_box,
)
from litemedsam.training.samples import Sample


def test_a_tight_box_includes_its_last_pixels_and_scales_with_the_frame():
    mask = np.zeros((40, 80), bool)
    mask[5:15, 20:60] = True
    np.testing.assert_array_equal(tight_box(mask), [20, 5, 59, 14])
    sample = Sample(np.arange(3200, dtype=np.uint8).reshape(40, 80), mask[None])
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


def test_a_passed_on_box_deviates_a_little_on_every_side():
    rng, box = np.random.default_rng(0), np.array([10.0, 20, 49, 59])
    off = np.array([passed_on_box(rng, box, (60, 80)) - box for _ in range(200)])
    assert np.abs(off).max() <= 6
    assert off.min(axis=0).max() < -2
    assert off.max(axis=0)[:3].min() > 2
    # The image ends here.
    assert off[:, 3].max() == 0


def test_a_neighbouring_mask_is_never_empty():
    rng, mask = np.random.default_rng(0), np.zeros((64, 64), bool)
    assert neighbouring(rng, mask) is mask
    mask[30, 30] = True
    assert all(neighbouring(rng, mask).any() for _ in range(20))
