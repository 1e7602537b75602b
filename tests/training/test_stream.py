"""The images of a step: by seed and step alone, new and seen ones in their shares."""

from dataclasses import replace

import numpy as np
import pytest
from litemedsam.training.cases import Case
from litemedsam.training.samples import Sample
from litemedsam.training.stream import Stream, case_weights
from training_runs import TINY


def test_workers_do_not_change_the_images():
    here = Stream(TINY, [])
    made = replace(TINY, workers=1)
    for step, batch in enumerate(Stream(made, []).batches(0)):
        np.testing.assert_array_equal(batch[0].pixels, here[step][0].pixels)
        np.testing.assert_array_equal(batch[0].targets, here[step][0].targets)


def test_groups_are_balanced():
    image = Sample(np.zeros((4, 4), np.uint8), np.ones((1, 4, 4), bool))
    cases = [Case(name, name[0], name, (image,)) for name in ("a0", "b0", "b1", "b2", "b3")]
    np.testing.assert_allclose(case_weights(cases, 0), [1 / 2] + [1 / 8] * 4)
    np.testing.assert_allclose(case_weights(cases, 0.5), [1 / 3] + [1 / 6] * 4)
    np.testing.assert_allclose(case_weights(cases, 1), [1 / 5] * 5)


def same(one, other):
    return np.array_equal(one.pixels, other.pixels)


def test_the_step_and_the_seed_alone_decide():
    config = replace(TINY, window_share=0.0)
    first, again, other = Stream(config, []), Stream(config, []), Stream(replace(config, seed=2), [])
    assert same(first[3][0], again[3][0])
    assert not same(first[3][0], first[2][0])
    assert not same(first[3][0], other[3][0])
    assert len(first) == config.steps


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_windows_and_parts_have_their_own_sides(share):
    config = replace(TINY, window_share=share, window_images=3, images=2)
    batch = Stream(config, [])[0]
    assert len(batch) == (3 if share else 2)
    assert {example.targets.shape[-1] for example in batch} == {32 if share else 64}


def test_most_images_of_a_step_were_seen_before():
    config = replace(TINY, images=3, fresh=1, window_share=0.0, prompts=1, steps=6)
    stream = Stream(config, [])
    new = [stream[step][0] for step in range(6)]
    for step in range(1, 6):
        for example in stream[step][1:]:
            assert any(same(example, earlier) for earlier in new[:step])


def test_frames_are_whole_and_new_in_runs_with_windows_and_seen_images():
    config = replace(TINY, window_share=0.0, images=2, fresh=1)
    stream, windowed = Stream(config, []), Stream(replace(config, window_share=1.0), [])
    frames = windowed.frames(config.steps + 2)
    assert {frame.shape for frame in frames} == {(3, 64, 64)}
    for step in range(config.steps):
        np.testing.assert_array_equal(frames[step], stream[step][0].pixels)
    assert len({frame.tobytes() for frame in frames}) == config.steps + 2
