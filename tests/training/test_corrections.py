"""Simulated corrections lie in errors, with the label that repairs them; rounds add up."""

import numpy as np
import pytest
import torch
from litemedsam.training.corrections import CorrectedPrompts, depths, simulated

SIDE = 64


def masks_and_truths(seed: int, count: int = 12):
    rng = np.random.default_rng(seed)
    masks, truths = torch.zeros(2, count, SIDE, SIDE, dtype=torch.bool)
    for k in range(count):
        for page in (masks, truths):
            y, x = rng.integers(4, 30, 2)
            page[k, y : y + rng.integers(8, 30), x : x + rng.integers(8, 30)] = True
    return masks, truths


@pytest.mark.parametrize("seed", range(8))
def test_every_point_lies_in_an_error_of_its_kind(seed):
    masks, truths = masks_and_truths(seed)
    valid = torch.ones_like(masks)
    made = simulated(torch.Generator().manual_seed(seed), masks, truths, valid)
    assert made.points.shape[1] in (1, 3)
    for k, (points, labels) in enumerate(zip(made.points.long(), made.labels, strict=True)):
        for (x, y), label in zip(points, labels, strict=True):
            assert masks[k, y, x] != truths[k, y, x]
            assert bool(label) == bool(truths[k, y, x])
    wrong = masks ^ truths
    assert (wrong | ~made.stroke).all()


def test_strokes_and_clicks_both_come():
    masks, truths = masks_and_truths(0)
    valid = torch.ones_like(masks)
    kinds = {simulated(torch.Generator().manual_seed(k), masks, truths, valid).points.shape[1] for k in range(40)}
    assert kinds == {1, 3}


def test_a_right_mask_gets_no_point_and_padding_counts_for_nothing():
    masks, truths = masks_and_truths(1, 2)
    valid = torch.ones_like(masks)
    valid[1] = False
    masks[0] = truths[0]
    made = simulated(torch.Generator().manual_seed(0), masks, truths, valid)
    assert (made.labels == -1).all()


def test_depth_counts_the_pixels_to_the_end():
    error = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
    error[0, 0, 3:10, 5:14] = True
    depth = depths(error)[0, 0]
    assert depth[3, 5] == 1
    assert depth[6, 9] == 4
    assert (depth[~error[0, 0]] == 0).all()


def test_rounds_add_up_in_the_coordinates_of_the_frame():
    masks, truths = masks_and_truths(2, 3)
    valid, logits = torch.ones_like(masks), torch.where(masks, 4.0, -4.0)[:, None]
    origins = torch.tensor([[0.0, 0], [32, 0], [0, 64]])
    given = CorrectedPrompts(origins, {"boxes": torch.zeros(3, 4)})
    count = 0
    for seed in range(3):
        made = simulated(torch.Generator().manual_seed(seed), masks, truths, valid)
        given = given.corrected(made, logits)
        count += made.points.shape[1]
        assert torch.equal(given.prompts["points"][:, -made.points.shape[1] :], made.points + origins[:, None])
    assert given.prompts["points"].shape == (3, count, 2)
    assert given.prompts["labels"].shape == (3, count)
    dense = given.prompts["scribbles"][:, 0]
    untouched = ~made.stroke
    assert torch.equal(dense[untouched], logits.sigmoid()[:, 0][untouched])
    wanted = (made.labels[:, :1, None] == 1).float().expand_as(dense)
    assert torch.equal(dense[made.stroke], wanted[made.stroke])
