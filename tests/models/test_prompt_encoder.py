"""Tokens of labelled points."""

import torch
from litemedsam.models.prompt_encoder import PromptEncoder


def test_each_label_has_a_meaning_and_no_point_has_no_place():
    torch.manual_seed(0)
    encoder = PromptEncoder(64)
    points = torch.tensor([[[3.0, 4], [3, 4], [3, 4], [50, 9]]])
    with torch.no_grad():
        tokens = encoder.labelled_tokens(points, torch.tensor([[1, 0, -1, -1]]))
        foreground = encoder.point_tokens(points[:, :1])
        none = encoder.not_a_point_embed.weight
        difference = encoder.point_embeddings[0].weight - encoder.point_embeddings[1].weight
    assert tokens.shape == (1, 4, 256)
    torch.testing.assert_close(tokens[:, :1], foreground)
    torch.testing.assert_close(tokens[0, 1] - tokens[0, 0], difference[0])
    assert torch.equal(tokens[0, 2:], none.expand(2, -1))
