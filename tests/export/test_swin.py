"""Swin-LiteMedSAM's encoder: every rewritten part equals its layer."""

import numpy as np
import pytest
import torch
from graph_parts import compare, randomised
from litemedsam.export import swin
from litemedsam.models.swin import PatchMerging, SwinBlock
from litemedsam.models.windows import partition_windows


@pytest.mark.parametrize("shifted", [False, True])
def test_window_order_is_roll_and_partition(shifted):
    image = torch.arange(32 * 32.0).view(1, 32, 32, 1)
    rolled = torch.roll(image, (-4, -4), (1, 2)) if shifted else image
    expected = partition_windows(rolled, 8).flatten().numpy().astype(int)
    np.testing.assert_array_equal(swin.window_order(32, shifted), expected)


class ChannelsFirst(torch.nn.Module):
    """A layer whose result has its channels last, with them first."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x).permute(0, 3, 1, 2)


class OnMaps(torch.nn.Module):
    """A block of channels-last maps, on channels-first ones."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, x):
        return self.block(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("shifted", [False, True])
def test_a_block_equals_its_graph(shifted):
    torch.manual_seed(0)
    block = SwinBlock(32, 2, shifted).eval()
    compare(OnMaps(block), lambda g, x: swin._block(g, x, block, 16), torch.randn(1, 32, 16, 16), as_matrix=True)


@pytest.mark.parametrize("reduction", [1, 2])
def test_a_merging_equals_its_graph(reduction):
    merging = randomised(PatchMerging(16, 24, reduction))
    x = torch.randn(1, 16, 12, 12, generator=torch.Generator().manual_seed(2))
    compare(ChannelsFirst(merging), lambda g, x: swin._merging(g, x, merging, 12), x, as_matrix=True)


def test_scores_across_a_shifted_border_are_far_below_any_other():
    attention = SwinBlock(32, 2, shifted=True).attention_block.fn.fn
    expected = attention.score_bias(16, 16).detach().numpy()
    assert np.isneginf(expected).any()
    assert np.exp(np.float32(swin._FAR_BELOW)) == 0
