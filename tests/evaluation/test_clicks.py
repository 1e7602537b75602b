"""The next click: the largest error's innermost place."""

import numpy as np
import pytest
from litemedsam.evaluation.clicks import Click, next_click


def test_the_centre_of_what_the_mask_lacks():
    truth = np.zeros((30, 40), bool)
    truth[5:14, 6:19] = True
    mask = np.zeros_like(truth)
    found = next_click(truth, mask)
    assert found is not None
    assert found.adds
    assert found.place[0] == 9
    assert 10 <= found.place[1] <= 14


def test_the_larger_of_two_errors_decides():
    truth, mask = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    truth[2:5, 2:5] = True
    mask[20:27, 30:37] = True
    assert next_click(truth, mask) == Click((23, 33), False)


def test_errors_that_touch_at_corners_are_one():
    truth, mask = np.zeros((12, 12), bool), np.zeros((12, 12), bool)
    truth[1:4, 1:4] = truth[4:7, 4:7] = True
    mask[8:12, 8:12] = True
    found = next_click(truth, mask)
    assert found is not None
    assert found.adds


def test_the_border_of_the_array_ends_an_error():
    truth = np.zeros((20, 20), bool)
    truth[:, :5] = True
    found = next_click(truth, np.zeros_like(truth))
    assert found is not None
    assert found.place[1] == 2


@pytest.mark.parametrize("shape", [(8, 9), (5, 8, 9)])
def test_a_right_mask_gets_no_click(shape):
    truth = np.ones(shape, bool)
    assert next_click(truth, truth) is None


def test_a_volume_s_click_is_a_voxel():
    truth = np.zeros((9, 20, 20), bool)
    truth[2:7, 4:9, 5:10] = True
    assert next_click(truth, np.zeros_like(truth)) == Click((4, 6, 7), True)
