"""The Swin encoder: relative positions, shifted windows, and its stages one by one."""

import itertools

import pytest
import torch
from litemedsam.models.swin import PatchMerging, SwinImageEncoder, relative_position_index, shifted_window_masks


def test_relative_positions_index_a_table_of_differences():
    window = 4
    positions = list(itertools.product(range(window), repeat=2))
    expected = [
        [(c - a + window - 1) * (2 * window - 1) + d - b + window - 1 for c, d in positions] for a, b in positions
    ]
    assert relative_position_index(window).tolist() == expected


def test_a_shifted_window_does_not_see_across_the_border():
    window = 4
    upper_lower, left_right = shifted_window_masks(window)
    positions = list(itertools.product(range(window), repeat=2))
    for i, (row, column) in enumerate(positions):
        for j, (other_row, other_column) in enumerate(positions):
            assert (upper_lower[i, j] == 0) == ((row < 2) == (other_row < 2))
            assert (left_right[i, j] == 0) == ((column < 2) == (other_column < 2))


@torch.inference_mode()
def test_a_merging_is_a_linear_layer_on_patches():
    torch.manual_seed(0)
    merging, x = PatchMerging(3, 5, 2), torch.randn(1, 3, 4, 6)
    patches = x.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).flatten(3)
    torch.testing.assert_close(merging(x), merging.linear(patches))


@pytest.mark.parametrize("count", [0, 3, 6])
@torch.inference_mode()
def test_the_first_and_the_other_stages_are_the_whole(count):
    torch.manual_seed(0)
    encoder = SwinImageEncoder().eval()
    image = torch.rand(1, 3, 32, 32)
    embedding, skips = encoder(image)
    assert [tuple(skip.shape) for skip in skips] == [(1, 128, 16, 16), (1, 160, 8, 8), (1, 320, 8, 8), (1, 320, 8, 8)]
    found = encoder.other_stages(encoder.first_stages(image, count), count)
    assert all(torch.equal(one, other) for one, other in zip(found, (embedding, *skips), strict=True))
