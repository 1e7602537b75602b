"""Which picture of a file is the scan: by its name, its folders and its size."""

from pathlib import Path

import numpy as np
import pytest
from form_files import COLUMNS, ROWS, picture
from litemedsam.engine.objects.forms.content import BoxesContent
from litemedsam.engine.objects.forms.picture import check_pixels, check_size, fit, parts_of
from litemedsam.engine.scan.scan import Scan

from litemedsam import LiteMedSamError


def content(scan, world=False):
    return BoxesContent(Path("boxes.json"), None, Path(scan.name), scan, world)


def test_paths_of_any_system_are_taken_apart():
    assert parts_of("C:\\data\\a.png") == ("C:", "data", "a.png")
    assert parts_of("data/a.png") == ("data", "a.png")
    assert parts_of("") == ()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("other.png", 0),
        ("", 0),
        ("a.jpg", 1),
        ("a.png", 2),
        ("\\\\host\\two\\a.png", 3),
        ("/elsewhere/one/two/a.png", 4),
        ("/elsewhere/one/other/a.png", 2),
    ],
)
def test_a_picture_fits_the_better_the_more_of_its_path_is_the_scan_s(stored, expected):
    assert fit(stored, Path("/data/one/two/a.png")) == expected


def test_nnu_net_s_channel_may_be_left_out():
    assert fit("case.nii.gz", Path("/data/case_0000.nii.gz")) == 1


@pytest.mark.parametrize(
    ("scan", "rows", "columns"),
    [
        (picture(), ROWS, COLUMNS),
        (Scan("a", np.zeros((4, 20, 30), np.uint8), True), 20, 30),
        (Scan("a", np.zeros((20, 30, 3), np.uint8)), 20, 30),
    ],
)
def test_a_stated_size_is_the_scan_s(scan, rows, columns):
    check_size("f", columns, rows, content(scan))
    check_size("f", None, None, content(scan))
    for width, height, words in ((columns + 1, rows, f"width {columns + 1}"), (columns, "x", "height 'x'")):
        with pytest.raises(LiteMedSamError, match=f"f: {words}, but the scan .* has {columns} × {rows} pixels"):
            check_size("f", width, height, content(scan))


def test_pixels_are_no_millimetres():
    check_pixels(content(picture()), "COCO")
    with pytest.raises(LiteMedSamError, match="COCO holds pixels, not millimetres; leave --box-space out"):
        check_pixels(content(picture(), world=True), "COCO")
