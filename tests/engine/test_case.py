"""A case's arrays are checked, and messages explain the faults."""

import numpy as np
import pytest
from litemedsam.engine.case import checked_case, checked_pixels

from litemedsam import LiteMedSamError

PIXELS = np.zeros((6, 7), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pixels": np.array([["a"]])}, "imgs has type <U1"),
        ({"pixels": np.zeros((0, 5), np.uint8)}, "imgs is empty"),
        ({"pixels": PIXELS - 1.5}, "imgs has values from -1.5 to -1.5"),
        ({"pixels": np.full((6, 7), np.nan)}, "NaN or infinity"),
        ({"pixels": np.zeros((6, 7, 4), np.uint8)}, "expected an image (H, W) or (H, W, 3) for boxes of 4 numbers"),
        ({"boxes": np.zeros(4)}, "boxes has shape (4,), expected (N, 4) for an image or (N, 6) for a volume"),
        ({"boxes": np.zeros((1, 6))}, "expected a volume (D, H, W) or (D, H, W, 3) for boxes of 6 numbers"),
        ({"boxes": np.array([["a"] * 4])}, "boxes has shape (1, 4) and type <U1"),
        ({"boxes": np.zeros((0, 4))}, "there are no boxes"),
        ({"boxes": np.zeros((65536, 4))}, "65536 boxes, expected at most 65535"),
        ({"boxes": np.array([[0, 0, np.inf, 1]])}, "object 1: the box (0, 0, inf, 1) holds NaN or infinity"),
        ({"boxes": np.array([[0, 0, 1, 1], [3, 0, 1, 1]])}, "object 2: x_min 3 is greater than x_max 1"),
        (
            {"boxes": np.array([[0, 0, 8, 1]])},
            "x from 0 to 8 in box (0, 0, 8, 1) is outside the image, expected 0 to 6",
        ),
        ({"boxes": np.array([[0, -1, 3, 1]])}, "y from -1 to 1"),
        ({"boxes": np.array([[7, 0, 7, 1]])}, "x from 7 to 7"),
        ({"spacing": np.zeros(2)}, "spacing has shape (2,) and type float64, expected (3,) in mm"),
        ({"spacing": np.array([1, np.nan, 1])}, "expected positive numbers in mm"),
        ({"spacing": np.array([1, 0, 1])}, "expected positive numbers in mm"),
    ],
)
def test_bad_cases_are_explained(arrays, words):
    given = {"pixels": PIXELS, "boxes": np.array([[0, 0, 7, 6]]), "spacing": np.ones(3), **arrays}
    with pytest.raises(LiteMedSamError) as error:
        checked_case("case", **given)
    assert words in str(error.value)


def test_a_box_may_end_on_the_far_edge_but_for_slices():
    case = checked_case("case", PIXELS, np.array([[0, 0, 7, 6]]))
    np.testing.assert_array_equal(case.boxes, [[0, 0, 7, 6]])
    volume = np.zeros((3, 6, 7), np.uint8)
    assert checked_case("case", volume, np.array([[0, 0, 0, 7, 6, 2]])).is_volume
    for box, words in (([0, 0, 0, 7, 6, 3], "z from 0 to 3"), ([0, 0, 0.5, 7, 6, 2], "expected whole slice numbers")):
        with pytest.raises(LiteMedSamError, match=words):
            checked_case("case", volume, np.array([box]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint16])
def test_other_number_types_become_the_nearest_level(dtype):
    values = np.array([[0, 1, 127, 254], [255, 3, 2, 128]], dtype)
    if np.dtype(dtype).kind == "f":
        values += np.array([[0.25, 0.75, 0.5, 0], [-0.25, 0.5, 0.5, 0]], dtype)
    pixels = checked_pixels("a", values)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.rint(values.astype(np.float64)).astype(np.uint8))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("highest", [1 / 255, 0.5, 1.0, 1.4])
def test_floats_scaled_to_one_are_refused(dtype, highest):
    pixels = np.zeros((6, 7), dtype)
    pixels[2, 3] = highest
    with pytest.raises(LiteMedSamError) as error:
        checked_pixels("a", pixels)
    assert "so the image looks scaled to 0..1; expected 0..255; multiply it by 255" in str(error.value)


def test_black_images_and_integers_of_two_levels_are_taken():
    for dtype in (np.float32, np.uint8, np.uint16, np.int64):
        assert not checked_pixels("a", np.zeros((6, 7), dtype)).any()
    for dtype in (np.uint8, np.uint16, np.int64):
        np.testing.assert_array_equal(checked_pixels("a", np.eye(5, dtype=dtype)), np.eye(5))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(value):
    pixels = np.zeros((4, 4))
    pixels[2, 1] = value
    with pytest.raises(LiteMedSamError, match="NaN or infinity"):
        checked_pixels("a", pixels)
