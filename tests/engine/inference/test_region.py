"""Logits become masks: compared with PyTorch's interpolation, and the rectangle with the whole image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.region import Region, to_region


def whole_image(logits: np.ndarray, frame: Frame) -> np.ndarray:
    """The mask by PyTorch, on every pixel."""
    cropped = torch.from_numpy(logits[: frame.scaled_height, : frame.scaled_width].copy())[None, None]
    size = (frame.height, frame.width)
    return (torch.nn.functional.interpolate(cropped, size=size, mode="bilinear")[0, 0] > 0).numpy()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 10_000), st.sampled_from([4, 60, 256]))
def test_region_equals_the_whole_image(height, width, seed, spread):
    frame = Frame.of(height, width, 256)
    rng = np.random.default_rng(seed)
    logits = np.full((256, 256), -3, np.float32)
    top, left = rng.integers(0, 257 - spread, 2)
    logits[top : top + spread, left : left + spread] = rng.normal(size=(spread, spread))
    expected = whole_image(logits, frame)
    assert np.mean(to_region(logits, frame).full(height, width) != expected) <= 1e-4


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 400), st.integers(2, 400), st.integers(0, 10_000))
def test_far_away_logits_do_not_change_a_single_pixel(height, width, seed):
    frame = Frame.of(height, width, 256)
    rng = np.random.default_rng(seed)
    logits = np.full((256, 256), -1, np.float32)
    logits[: frame.scaled_height // 2 + 1, : frame.scaled_width // 2 + 1] = rng.normal(
        size=(frame.scaled_height // 2 + 1, frame.scaled_width // 2 + 1)
    )
    enlarged = logits.copy()
    enlarged[frame.scaled_height - 1, frame.scaled_width - 1] = 1e-6
    part = to_region(logits, frame).full(height, width)
    whole = to_region(enlarged, frame).full(height, width)
    border_rows = slice(0, int((frame.scaled_height - 2) / frame.scale))
    border_columns = slice(0, int((frame.scaled_width - 2) / frame.scale))
    np.testing.assert_array_equal(part[border_rows, border_columns], whole[border_rows, border_columns])


def test_no_positive_logit_gives_an_empty_region():
    region = to_region(np.zeros((256, 256), np.float32), Frame.of(50, 80, 256))
    assert region.extent() is None
    assert not region.full(50, 80).any()


def test_padding_does_not_count():
    frame = Frame.of(100, 200, 256)
    logits = np.full((256, 256), -1, np.float32)
    logits[frame.scaled_height :] = 5
    assert to_region(logits, frame).extent() is None


def test_paint_leaves_higher_labels():
    labels = np.array([[0, 3], [1, 2]], np.uint8)
    Region(0, 0, np.ones((2, 2), bool)).paint(labels, 2)
    np.testing.assert_array_equal(labels, [[2, 3], [2, 2]])


def test_extent_is_tight():
    mask = np.zeros((6, 9), bool)
    mask[2, 3] = mask[4, 7] = True
    assert Region(10, 20, mask).extent() == (23, 12, 27, 14)


@pytest.mark.parametrize("size", [(32, 2000), (2000, 32), (1, 1), (1, 3000), (200, 200), (257, 255)])
def test_frames_of_all_shapes(size):
    frame = Frame.of(*size, 256)
    assert 1 <= frame.scaled_height <= 256
    assert 1 <= frame.scaled_width <= 256
    assert max(frame.scaled_height, frame.scaled_width) == 256
    everything = to_region(np.ones((256, 256), np.float32), frame)
    assert everything.full(*size).all()


def test_only_the_rectangle_that_can_be_positive_is_computed():
    frame = Frame.of(512, 512, 256)
    logits = np.full((256, 256), -1, np.float32)
    logits[10, 20] = 0
    nothing = to_region(logits, frame)
    assert (nothing.top, nothing.left, nothing.mask.shape) == (0, 0, (0, 0))
    logits[10, 20] = 9
    region = to_region(logits, frame)
    # Pixels 19 to 22 lie between the centres of rows 9, 10 and 11.
    assert (region.top, region.left, region.mask.shape) == (19, 39, (4, 4))
    assert region.extent() == (39, 19, 42, 22)
    assert region.window == (slice(19, 23), slice(39, 43))


def test_a_region_within_bounds():
    region = Region(10, 20, np.ones((5, 6), bool))
    for bounds, expected in (
        ((0, 0, 99, 99), (20, 10, 25, 14)),
        ((21, 11, 23, 13), (21, 11, 23, 13)),
        ((22, 0, 99, 12), (22, 10, 25, 12)),
        ((0, 12, 20, 99), (20, 12, 20, 14)),
        ((0, 0, 19, 99), None),
        ((26, 0, 99, 99), None),
        ((0, 0, 99, 9), None),
    ):
        part = region.within(bounds)
        assert part.extent() == expected
        if expected:
            np.testing.assert_array_equal(np.argwhere(part.full(30, 40))[0], expected[1::-1])


def test_an_empty_region_has_no_extent_and_paints_nothing():
    region = Region(3, 4, np.zeros((2, 2), bool))
    assert region.extent() is None
    labels = np.zeros((9, 9), np.uint16)
    region.paint(labels, 300)
    assert not labels.any()
    Region(3, 4, np.eye(2, dtype=bool)).paint(labels, 300)
    assert np.argwhere(labels == 300).tolist() == [[3, 4], [4, 5]]


def test_a_positive_place_between_the_pixels_of_a_small_image_is_seen_by_none():
    logits = np.full((256, 256), -1, np.float32)
    logits[80, 80] = 9
    region = to_region(logits, Frame.of(3, 3, 256))
    assert region.mask.shape == (0, 0)
    assert not region.full(3, 3).any()
