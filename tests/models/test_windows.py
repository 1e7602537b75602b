"""Windows of a map, and the map of its windows."""

import torch
from litemedsam.models.windows import merge_windows, partition_windows


def test_windows_are_row_major_and_merge_to_the_map():
    x = torch.arange(2 * 6 * 9 * 2.0).view(2, 6, 9, 2)
    windows = partition_windows(x, 3)
    assert windows.shape == (2, 6, 9, 2)
    for row in range(2):
        for column in range(3):
            expected = x[:, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3].reshape(2, 9, 2)
            assert torch.equal(windows[:, 3 * row + column], expected)
    assert torch.equal(merge_windows(windows, 3, 6, 9), x)
