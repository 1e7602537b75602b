"""TinyViT: its table of distances, its padding, and its stages one by one."""

import numpy as np
import pytest
import torch
from litemedsam.models.tiny_vit import TinyViTImageEncoder, WindowAttention, distance_index


def test_distances_are_numbered_in_order_of_first_appearance():
    window, seen, expected = 5, {}, []
    positions = [(row, column) for row in range(window) for column in range(window)]
    for row, column in positions:
        for other_row, other_column in positions:
            pair = abs(row - other_row), abs(column - other_column)
            expected.append(seen.setdefault(pair, len(seen)))
    np.testing.assert_array_equal(distance_index(window).flatten(), expected)


@torch.inference_mode()
def test_padded_positions_take_part_as_the_bias_of_the_normalisation():
    torch.manual_seed(0)
    attention = WindowAttention(64, 2, 7).eval()
    torch.nn.init.normal_(attention.norm.bias)
    torch.nn.init.normal_(attention.attention_biases)
    x = torch.randn(1, 5, 6, 64)
    padded = torch.zeros(1, 7, 7, 64)
    padded[:, :5, :6] = x
    torch.testing.assert_close(attention(x), attention(padded)[:, :5, :6])
    cut = WindowAttention(64, 2, 7).eval()
    cut.load_state_dict(attention.state_dict())
    torch.nn.init.zeros_(cut.norm.bias)
    assert not torch.allclose(attention(x), cut(x), atol=1e-3)


@pytest.mark.parametrize("count", [0, 2, 6])
@torch.inference_mode()
def test_the_first_and_the_other_stages_are_the_whole(count):
    torch.manual_seed(0)
    encoder = TinyViTImageEncoder().eval()
    image = torch.rand(1, 3, 32, 32)
    assert len(encoder.all_stages) == 6
    whole = encoder(image)
    assert whole.shape == (1, 256, 8, 8)
    assert torch.equal(encoder.other_stages(encoder.first_stages(image, count), count), whole)
