"""Numbers behind a text header: where they lie, how they are packed, and what is refused before they are read."""

import bz2
import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.io.rasters.numbers import (
    Numbers,
    chosen_frame,
    colours_last,
    file_beside,
    header_of,
    raster_scan,
    shortened,
)

from litemedsam import LiteMedSamError

VALUES = np.arange(24, dtype=">i2").reshape(2, 3, 4)
RAW = VALUES.tobytes()


class Origin:
    """As much of an origin as a scan of three axes needs."""

    axes = 3


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (RAW + b"behind", {}),
        (b"head" + RAW, {"start": 4}),
        (b"head of unknown length" + RAW, {"start": None}),
        (b"xx" + RAW, {"skipped": 2}),
        (gzip.compress(RAW), {"packing": "gzip"}),
        (zlib.compress(b"xyz" + RAW), {"packing": "gzip", "skipped": 3}),
        (bz2.compress(RAW), {"packing": "bzip2"}),
        (" ".join(map(str, range(30))).encode(), {"packing": "text"}),
    ],
)
def test_numbers_of_every_packing(tmp_path, content, more):
    (tmp_path / "a.raw").write_bytes(content)
    numbers = Numbers(tmp_path / "a.raw", **{"start": 0, "dtype": VALUES.dtype, "shape": VALUES.shape, **more})
    numbers.check(tmp_path / "a")
    found = numbers.read(tmp_path / "a")
    np.testing.assert_array_equal(found, VALUES)
    assert found.dtype == np.int16
    assert found.dtype.isnative


@pytest.mark.parametrize("packing", ["raw", "gzip", "text"])
def test_too_few_numbers_are_an_error_of_reading(tmp_path, packing):
    content = {"raw": RAW[:-1], "gzip": gzip.compress(RAW[:-1]), "text": b"1 2 3"}[packing]
    (tmp_path / "a.raw").write_bytes(content)
    with pytest.raises(ValueError, match=r"expected 48|cannot reshape"):
        Numbers(tmp_path / "a.raw", 0, VALUES.dtype, VALUES.shape, packing).read(tmp_path / "a")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 0, 4), r"has the size \(4, 0, 2\), expected positive numbers"),
        ((), "has the size"),
        ((9000,) * 3, "declare"),
    ],
)
def test_sizes_are_checked_before_anything_is_read(tmp_path, shape, words):
    (tmp_path / "a.raw").write_bytes(RAW)
    with pytest.raises(LiteMedSamError, match=words):
        Numbers(tmp_path / "a.raw", 0, VALUES.dtype, shape).check(tmp_path / "a")


def test_the_file_of_the_numbers_lies_beside_its_header(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    header, data, outside = folder / "a.mhd", folder / "a.raw", tmp_path / "secret.raw"
    for path in (header, data, outside):
        path.write_bytes(b"x")
    (folder / "link.raw").symlink_to(outside)
    assert file_beside(header, "a.raw") == data.resolve()
    assert file_beside(header, ".\\a.raw") == data.resolve()
    for name in ("../secret.raw", "..\\secret.raw", str(outside), "link.raw", "a.mhd"):
        with pytest.raises(LiteMedSamError, match="expected one in the same folder; put both into one folder"):
            file_beside(header, name)
    with pytest.raises(LiteMedSamError, match="which is not beside it; copy both files"):
        file_beside(header, "b.raw")


def test_headers_and_values_are_cut_to_a_size(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1_000_005)
    assert len(header_of(tmp_path / "a")) == 1_000_000
    assert shortened("ab") == "'ab'"
    assert len(shortened("a" * 5000)) == 102


def test_a_time_point_is_chosen_where_there_are_several():
    path = Path("a")
    assert [chosen_frame(path, 1, None), chosen_frame(path, 1, 0), chosen_frame(path, 3, 2)] == [0, 0, 2]
    for frames, frame, words in (
        (3, None, "choose one with --frame 0 to 2"),
        (3, 3, "has no frame 3, expected 0 to 2"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            chosen_frame(path, frames, frame)


def test_colours_are_three_bytes_and_a_fourth_is_left_out():
    path, colours = Path("a"), np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(colours_last(path, colours, 4), colours[..., :3])
    np.testing.assert_array_equal(colours_last(path, colours[..., :1], 1), colours[..., 0])
    for voxels, channels in ((colours, 2), (colours.astype(np.int16), 3)):
        with pytest.raises(LiteMedSamError, match="expected one, or three bytes of colour; save one of them"):
            colours_last(path, voxels, channels)


def test_a_geometry_without_an_inverse_is_refused_and_a_senseless_spacing_left_out():
    path, voxels = Path("a"), np.zeros((2, 3, 4))
    scan = raster_scan(path, voxels, np.diag([2.0, 3, 4, 1]), None, Origin())
    np.testing.assert_array_equal(scan.spacing, [2, 3, 4])
    assert scan.is_volume
    with pytest.raises(LiteMedSamError, match="its directions and spacing have no inverse; repair the header"):
        raster_scan(path, voxels, np.diag([2.0, 0, 4, 1]), None, Origin())
    for spacing in ([1.0, 0, 1], [1, np.nan, 1], [1, -1, 1]):
        assert raster_scan(path, voxels, None, np.array(spacing), Origin()).spacing is None
