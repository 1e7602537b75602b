"""Pictures deeper than eight bits: colours of PNG and TIFF, and TIFFs of doubles."""

import struct
import zlib

import numpy as np
import pytest
from litemedsam.engine.io.deep_pictures import _ADAM7, DeepPages, double_pages
from litemedsam.engine.io.formats import format_of
from picture_files import deep_png, png, tiff

from litemedsam import LiteMedSamError

# 12 bits in 16, as cameras and microscopes write it.
TWELVE = np.random.default_rng(0).integers(0, 4096, (20, 30, 3)).astype(np.uint16)
SHOWN = (TWELVE >> 8).astype(np.uint8)


def saved(path, content):
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize("alpha", [False, True])
def test_a_png_keeps_all_its_bits(tmp_path, alpha):
    pixels = np.concatenate([TWELVE, TWELVE[..., :1]], axis=2) if alpha else TWELVE
    pages = DeepPages(saved(tmp_path / "a.png", deep_png(pixels)))
    np.testing.assert_array_equal(pages.page(0, SHOWN, 1), TWELVE)
    np.testing.assert_array_equal(pages.page(0, np.rot90(SHOWN, -1), 6), np.rot90(TWELVE, -1))


def test_every_page_of_a_tiff_is_found(tmp_path):
    pages = DeepPages(saved(tmp_path / "a.tif", tiff([TWELVE, TWELVE[::-1].copy()])))
    np.testing.assert_array_equal(pages.page(1, SHOWN[::-1], 1), TWELVE[::-1])
    np.testing.assert_array_equal(pages.page(0, SHOWN, 1), TWELVE)


def test_another_picture_than_the_one_shown_is_refused(tmp_path):
    pages = DeepPages(saved(tmp_path / "a.png", deep_png(TWELVE)))
    for shown in (SHOWN + 1, SHOWN[:10], np.rot90(SHOWN)):
        with pytest.raises(
            LiteMedSamError, match="its colours of 16 bits are stored in a way that is not read; save it"
        ):
            pages.page(0, shown, 1)


def test_a_png_whose_pixels_are_not_complete_is_an_error_of_reading(tmp_path):
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in TWELVE[:10])
    pages = DeepPages(saved(tmp_path / "a.png", png(30, 20, 16, 2, zlib.compress(rows))))
    with pytest.raises(ValueError, match="bytes of pixels, expected"):
        pages.page(0, SHOWN, 1)


def test_interlaced_colours_of_16_bits(tmp_path):
    pixels = TWELVE[:11, :13]
    rows = b""
    for x, y, dx, dy in _ADAM7:
        part = pixels[y::dy, x::dx]
        rows += b"".join(b"\0" + row.astype(">u2").tobytes() for row in part)
    content = bytearray(png(13, 11, 16, 2, zlib.compress(rows)))
    content[28] = 1
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    path = saved(tmp_path / "a.png", content)
    np.testing.assert_array_equal(format_of(path).read(path).voxels, pixels)


def test_pages_of_doubles_are_read_whole_or_one_by_one(tmp_path):
    values = np.linspace(-3, 5, 600).reshape(20, 30)
    path = saved(tmp_path / "a.tif", tiff([values, -values], 0))
    pages, inverted = double_pages(path, None)
    np.testing.assert_array_equal(pages, [values, -values])
    assert inverted
    (last,), _ = double_pages(path, 1)
    np.testing.assert_array_equal(last, -values)
    with pytest.raises(LiteMedSamError, match="has no page 2, expected 0 to 1"):
        double_pages(path, 2)


@pytest.mark.parametrize(
    ("pages", "error", "words"),
    [
        ([np.ones((8, 9)), np.ones((8, 9), np.uint8)], LiteMedSamError, "its pages differ in kind of pixel"),
        ([np.ones((8, 9), np.float16)], LiteMedSamError, "page 0 has 1 channel of 16-bit floats, which is not read"),
        ([np.ones((8, 9), np.uint8)], ValueError, "no page of doubles"),
    ],
)
def test_other_pages_are_named(tmp_path, pages, error, words):
    with pytest.raises(error, match=words):
        double_pages(saved(tmp_path / "a.tif", tiff(pages)), None)
