"""The measure of a run: chosen images, masks in their boxes, means over groups."""

import numpy as np
import pytest
import torch
from litemedsam.models import LiteMedSAM
from litemedsam.training.cases import Case
from litemedsam.training.config import TrainingConfig
from litemedsam.training.measure import SYNTHETIC, held_out_samples, measure, segment
from litemedsam.training.samples import Sample

CPU = torch.device("cpu")
CONFIG = TrainingConfig(frame=32, measure_scenes=2, measure_images=3, measure_objects=2, mixed=False)


def numbered(number, count=1):
    """An image whose pixels are all its number, with some objects."""
    masks = np.zeros((count, 24, 30), bool)
    for k in range(count):
        masks[k, 3 + 4 * k : 9 + 4 * k, 5:20] = True
    return Sample(np.full((24, 30), number, np.uint8), masks)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return LiteMedSAM(32).eval()


def test_middle_slices_of_every_case_come_first():
    cases = [
        Case("a", "CT", "a", tuple(numbered(k) for k in range(5))),
        Case("b", "CT", "b", (numbered(10),)),
        Case("c", "US", "c", (numbered(20),)),
    ]
    chosen = held_out_samples(CONFIG, cases)
    assert list(chosen) == [SYNTHETIC, "CT", "US"]
    assert [len(samples) for samples in chosen.values()] == [2, 3, 1]
    levels = [int(sample.image[0, 0]) for sample in chosen["CT"]]
    assert levels[:2] == [2, 10]
    assert levels[2] in (1, 3)
    again = held_out_samples(CONFIG, cases)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(chosen[SYNTHETIC], again[SYNTHETIC], strict=True))


def test_masks_stay_in_their_boxes(model):
    sample = numbered(100, 3)
    found, chosen = segment(model, sample, CONFIG, CPU)
    assert found.shape == (2, 24, 30)
    assert len(set(chosen.tolist())) == 2
    for mask, k in zip(found, chosen, strict=True):
        inside = np.zeros((24, 30), bool)
        inside[3 + 4 * k : 9 + 4 * k, 5:20] = True
        assert not (mask & ~inside).any()


def test_the_mean_is_over_groups_not_images(model):
    model.train()
    groups = {"a": [numbered(100)], "b": [numbered(50, 2), numbered(200)]}
    figures = measure(model, groups, CONFIG, CPU)
    assert list(figures) == ["mean", "a", "b"]
    assert figures["mean"] == pytest.approx((figures["a"] + figures["b"]) / 2)
    assert all(0 <= value <= 1 for value in figures.values())
    assert model.training
    model.eval()
    assert measure(model, {}, CONFIG, CPU) == {}
