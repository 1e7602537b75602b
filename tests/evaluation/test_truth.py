"""Label maps are whole numbers from 0 to 65535, and a slice more or less is no other grid."""

import numpy as np
import pytest
from litemedsam.evaluation.truth import checked_labels, on_grid

from litemedsam import LiteMedSamError


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_whole_numbers_are_labels(dtype, shape):
    labels = checked_labels("a", np.ones(shape, dtype))
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, np.ones(shape))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.ones((3, 4)), r"a is float64 \(3, 4\), expected whole-number labels"),
        (np.ones(4, int), "expected whole-number labels"),
        (np.ones((1, 2, 3, 4), int), "expected whole-number labels"),
        (np.ones((0, 4), int), "expected whole-number labels"),
        (np.full((3, 4), -1), "a holds labels -1 to -1, expected 0 to 65535; number the objects from 1"),
        (np.full((3, 4), 65536), "a holds labels 65536 to 65536"),
    ],
)
def test_other_arrays_are_refused(labels, words):
    with pytest.raises(LiteMedSamError, match=words):
        checked_labels("a", labels)


@pytest.mark.parametrize(
    ("given", "shape", "found"),
    [
        ((3, 4), (1, 3, 4), (1, 3, 4)),
        ((1, 3, 4), (3, 4), (3, 4)),
        ((3, 4), (3, 4), (3, 4)),
        ((3, 4), (2, 3, 4), (3, 4)),
        ((4, 3), (1, 3, 4), (4, 3)),
    ],
)
def test_a_single_slice_is_an_image(given, shape, found):
    assert on_grid(np.zeros(given), shape).shape == found
