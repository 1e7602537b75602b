"""Dice similarity, compared with counts by hand."""

import math

import numpy as np
import pytest

from litemedsam.overlap import dice


def test_dice():
    a = np.array([True, True, False, False])
    assert dice(a, a) == 1
    assert dice(a, ~a) == 0
    assert dice(a, np.array([True, False, False, False])) == pytest.approx(2 / 3)


def test_two_empty_masks_are_what_the_caller_says():
    none = np.zeros(4, bool)
    assert math.isnan(dice(none, none))
    assert dice(none, none, empty=1.0) == 1
