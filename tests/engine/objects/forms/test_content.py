"""What strangers wrote is checked, and messages stay short and printable."""

import numpy as np
import pytest
from litemedsam.engine.objects.forms.content import (
    check_keys,
    check_needed,
    finite_numbers,
    list_of,
    name_of,
    numbers,
    pixels_between,
    shown,
)

from litemedsam import LiteMedSamError

HALF = "a\ud800"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check_keys("f", [], ("box",), ()), "f: list, expected an object with box"),
        (lambda: check_keys("f", {}, ("box", "name"), ()), "f: lacks box, name"),
        (lambda: check_keys("f", {"box": 1, "bx": 2}, ("box",), ("name",)), "f: unknown key bx; expected box, name"),
        (lambda: check_keys("f", {"box": 1, HALF: 2}, ("box",), ()), r"f: unknown key a\?; expected box"),
        (lambda: check_needed("f", None, ("box",)), "f: NoneType, expected an object with box"),
        (lambda: name_of("f", "name", 3), "f: name is 3, expected a text"),
        (lambda: name_of("f", "name", HALF), "f: name is .*, expected a text"),
        (lambda: list_of("f", "boxes", {}), "f: boxes is {}, expected a list"),
        (lambda: numbers("f", "box", [1, 2, 3], (4, 6)), r"f: box is \[1, 2, 3\], expected 4 or 6 numbers"),
        (lambda: numbers("f", "box", [True, 2], (2,)), "expected 2 numbers"),
        (lambda: numbers("f", "box", [10**400, 2], (2,)), "expected 2 numbers"),
        (lambda: numbers("f", "box", "12", (2,)), "expected 2 numbers"),
        (lambda: finite_numbers("f", "box", [1, float("nan")], 2), "f: box holds NaN, infinity or a number beyond"),
        (lambda: finite_numbers("f", "box", [1e13, 0], 2), "f: box holds NaN, infinity or a number beyond"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_expected(call, words):
    with pytest.raises(LiteMedSamError, match=words) as error:
        call()
    str(error.value).encode()
    assert len(str(error.value)) < 150


def test_what_is_right_is_handed_on():
    check_keys("f", {"box": 1}, ("box",), ("name",))
    check_needed("f", {"box": 1, "other": 2}, ("box",))
    assert name_of("f", "name", "Leber ä") == "Leber ä"
    assert numbers("f", "box", [1, 2.5], (2, 4)) == [1.0, 2.5]
    np.testing.assert_array_equal(finite_numbers("f", "box", [-1e12, 3], 2), [-1e12, 3])
    assert len(shown([0] * 10_000)) < 100


@pytest.mark.parametrize(
    ("low", "high", "box"),
    [
        ([2, 3], [5, 4], [2, 3, 4, 3]),
        ([2.5, 3.9995], [5.0005, 4.4], [2, 4, 4, 4]),
        ([2.4, 3], [2.4, 3], [2, 3, 2, 3]),
        ([-1.2, 0, 7], [0.5, 1, 7], [-2, 0, 7, 0, 0, 7]),
    ],
)
def test_a_region_s_box_has_all_pixels_that_it_touches(low, high, box):
    np.testing.assert_array_equal(pixels_between(np.array(low, float), np.array(high, float)), box)
