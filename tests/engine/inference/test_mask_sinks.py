"""Masks kept apart are those that the label map hides parts of."""

import numpy as np
import pytest
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.mask_sinks import SeparateMasks
from litemedsam.engine.inference.prompt import Target
from litemedsam.engine.inference.region import Region
from sample_scans import VOLUME

from litemedsam import Predictor

BOXES = np.array([[9, 13, 1, 29, 30, 3], [12, 15, 2, 40, 36, 4], [11, 14, 2, 20, 20, 2], [5, 5, 1, 5, 20, 1]], float)


@pytest.mark.parametrize("volume", [True, False])
def test_each_mask_is_that_of_its_object_alone(tiny_bundle, volume):
    boxes = BOXES if volume else BOXES[:, [0, 1, 3, 4]]
    pixels = VOLUME if volume else VOLUME[2]
    masks = SeparateMasks()
    with Predictor(tiny_bundle, threads=1) as predictor:
        case = checked_case("case", pixels, boxes)
        result = predictor.segment_case(case, masks=masks)
        # An object's number decides its automatic points, so that the others stay, out of sight.
        own = predictor.open(pixels, volume=volume).predict(boxes).masks
    painted = np.zeros(case.grid, np.uint8)
    for number in range(1, 5):
        np.testing.assert_array_equal(masks.mask(number, case.grid), own[number - 1])
        painted[own[number - 1]] = number
    np.testing.assert_array_equal(result.labels, painted)
    np.testing.assert_array_equal(result.areas, own.reshape(4, -1).sum(axis=1))
    assert result.voxels == [np.count_nonzero(painted == number) for number in range(1, 5)]
    assert result.areas[0] > result.voxels[0] > 0
    assert result.states[3] == "empty"


def test_masks_of_one_object_are_joined():
    masks = SeparateMasks()
    masks.add(Target(2, 1), Region(0, 1, np.array([[True, False]])))
    masks.add(Target(2, 1), Region(1, 2, np.array([[True]])))
    masks.add(Target(2, 0), Region(0, 0, np.zeros((0, 0), bool)))
    expected = np.zeros((2, 2, 3), bool)
    expected[1, 0, 1] = expected[1, 1, 2] = True
    np.testing.assert_array_equal(masks.mask(2, (2, 2, 3)), expected)
    assert not masks.mask(1, (2, 3)).any()
