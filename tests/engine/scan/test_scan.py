"""What a scan's array and geometry say, and a spacing that is given to it."""

import numpy as np
import pytest
from litemedsam.engine.scan.geometry import Geometry, View
from litemedsam.engine.scan.scan import Scan, with_spacing

from litemedsam import LiteMedSamError

PICTURE, VOLUME = np.zeros((5, 7), np.uint8), np.zeros((4, 5, 7), np.uint8)


def test_every_scan_has_a_view():
    assert Scan("a", PICTURE, False).view() == View.identity((5, 7))
    assert Scan("a", np.zeros((5, 7, 3), np.uint8), False).view() == View.identity((5, 7))
    assert Scan("a", VOLUME, True).view() == View.identity((4, 5, 7))
    assert Scan("a", VOLUME).view() == View.identity((4, 5, 7))
    # Stored towards right, anterior, superior, with the thick slices along x.
    seen = Scan("a", VOLUME, True, Geometry(np.diag([5.0, 1, 1, 1]))).view()
    assert seen == View((4, 5, 7), (1, 2, 0), (True,) * 3)


@pytest.mark.parametrize(
    ("shape", "is_volume", "coloured", "grid"),
    [
        ((5, 7), False, False, (5, 7)),
        ((5, 7, 3), False, True, (5, 7)),
        ((4, 5, 7), True, False, (4, 5, 7)),
        ((4, 5, 7, 3), True, True, (4, 5, 7)),
        # Three slices or three colours: an npz file leaves it to its boxes.
        ((5, 7, 3), None, False, (5, 7, 3)),
        ((5, 7, 3), True, False, (5, 7, 3)),
    ],
)
def test_the_last_axis_holds_colours_only_where_that_is_known(shape, is_volume, coloured, grid):
    scan = Scan("a", np.zeros(shape, np.uint8), is_volume)
    assert (scan.coloured, scan.grid) == (coloured, grid)


def test_a_spacing_is_given_to_a_scan_without_one():
    scan = Scan("a", VOLUME, True)
    spaced = with_spacing(scan, (0.5, 1, 3))
    np.testing.assert_array_equal(spaced.spacing, [0.5, 1, 3])
    assert spaced.spacing.dtype == np.float64
    assert spaced.geometry is None
    assert scan.spacing is None
    assert with_spacing(scan, None) is scan


@pytest.mark.parametrize(
    ("scan", "words"),
    [
        (Scan("a", PICTURE), "an npz file has its spacing under the key spacing"),
        (Scan("a", PICTURE, False, spacing=np.array([1.0, 2])), "tells its own spacing, 1 × 2 mm; leave --spacing out"),
        (Scan("a", PICTURE, False), "a spacing of 3 numbers for an image, expected 2"),
    ],
)
def test_a_spacing_that_does_not_fit_is_refused(scan, words):
    with pytest.raises(LiteMedSamError, match=f"a: {words}"):
        with_spacing(scan, (1, 1, 1))


def test_a_spacing_of_a_volume_has_three_numbers():
    with pytest.raises(
        LiteMedSamError, match="a: a spacing of 2 numbers for a volume, expected 3; give one number per"
    ):
        with_spacing(Scan("a", VOLUME, True), (1, 1))
    with pytest.raises(LiteMedSamError, match=r"a: spacing is .*, expected positive numbers in mm"):
        with_spacing(Scan("a", VOLUME, True), (1, 1, 0))
