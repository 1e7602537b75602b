"""Losses of masks: inside and outside of the boxes' surroundings."""

import pytest
import torch
from litemedsam.training.losses import mask_losses, window


def test_the_window_is_the_box_enlarged_by_a_quarter():
    found = window(torch.tensor([[20.0, 30.0, 40.0, 50.0]]), 64)[0]
    rows, columns = found.any(1).nonzero().flatten(), found.any(0).nonzero().flatten()
    assert (columns[0].item(), columns[-1].item(), rows[0].item(), rows[-1].item()) == (15, 45, 25, 55)


def test_losses_know_a_right_mask_from_an_empty_one():
    target = torch.zeros(1, 32, 32)
    target[:, 8:20, 10:22] = 1
    boxes = torch.tensor([[10.0, 8.0, 21.0, 19.0]])
    valid = torch.ones(32, 32, dtype=torch.bool)
    right = mask_losses((20 * (target - 0.5))[:, None], torch.ones(1), boxes, target, valid)
    empty = mask_losses(torch.full((1, 1, 32, 32), -10.0), torch.ones(1), boxes, target, valid)
    assert right.total < 1e-3
    assert right.dsc == 1
    assert empty.dice > 0.95
    assert empty.dsc == 0
    assert empty.iou == 1


def test_what_lies_in_the_padding_counts_for_nothing():
    boxes, target = torch.tensor([[4.0, 4, 12, 12]]), torch.zeros(1, 32, 32)
    target[:, 4:12, 4:12] = 1
    valid = torch.zeros(32, 32, dtype=torch.bool)
    valid[:, :20] = True
    logits = 20 * (target - 0.5)[:, None]
    wrong = logits.clone()
    wrong[..., 20:] = 20
    right, other = (mask_losses(each, torch.ones(1), boxes, target, valid) for each in (logits, wrong))
    assert [float(loss) for loss in other] == pytest.approx([float(loss) for loss in right])
