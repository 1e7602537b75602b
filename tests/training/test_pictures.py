"""Pictures of masks: true outlines green, predicted ones red, a row for each group."""

import cv2
import numpy as np
import pytest
import torch
from litemedsam.models import LiteMedSAM
from litemedsam.training.config import TrainingConfig
from litemedsam.training.pictures import _outlined, save_examples
from litemedsam.training.samples import Sample


@pytest.mark.parametrize("colours", [False, True])
def test_outlines_are_drawn_on_the_image(colours):
    image = np.full((60, 120, 3) if colours else (60, 120), 90, np.uint8)
    masks, found = np.zeros((2, 60, 120), bool), np.zeros((1, 60, 120), bool)
    masks[1, 10:30, 20:50] = found[0, 35:55, 70:100] = True
    tile = _outlined(Sample(image, masks), found, np.array([1]))
    assert tile.shape == (224, 224, 3)
    green, red = ((tile == colour).all(axis=2) for colour in ((0, 255, 0), (0, 0, 255)))
    factor = 224 / 120
    for outline, (top, left) in ((green, (10, 20)), (red, (35, 70))):
        y, x = np.nonzero(outline)
        np.testing.assert_allclose([y.min(), x.min()], np.array([top, left]) * factor, atol=2)
        np.testing.assert_allclose([y.max(), x.max()], np.array([top + 20, left + 30]) * factor, atol=3)
    # Below the image, the tile is black.
    assert not tile[115:].any()


def test_a_row_for_each_group_and_no_picture_of_nothing(tmp_path):
    torch.manual_seed(0)
    model, config = LiteMedSAM(32).eval(), TrainingConfig(frame=32, mixed=False)
    masks = np.zeros((1, 24, 30), bool)
    masks[0, 5:15, 5:20] = True
    sample = Sample(np.full((24, 30), 90, np.uint8), masks)
    device = torch.device("cpu")
    save_examples(tmp_path / "none.png", model, {}, config, device)
    assert not (tmp_path / "none.png").exists()
    save_examples(tmp_path / "a.png", model, {"a": [sample] * 5, "b": [sample]}, config, device)
    assert cv2.imread(str(tmp_path / "a.png")).shape == (2 * 224, 3 * 224, 3)
