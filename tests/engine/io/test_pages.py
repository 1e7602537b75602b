"""Pictures of every depth are read with all their levels, as they are shown."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from litemedsam.engine.io.formats import format_of
from litemedsam.engine.io.pages import _is_deep_jpeg
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.scan.intensity import Window
from picture_files import deep_png, png, tiff
from PIL import Image
from scan_files import content_refusal as refusal
from scan_files import read_content as written
from synthetic_scans import phantom

PIXELS = phantom(1, 20, 30)[0]
# 12 bits in 16, as cameras and microscopes write it.
TWELVE = np.random.default_rng(0).integers(0, 4096, (20, 30, 3)).astype(np.uint16)


def prepared_pixels(scan, scaling=None):
    return prepare(scan, Objects.of_boxes("scan", np.array([[0.0, 0, 5, 0]])), scaling).case.pixels


@pytest.mark.parametrize("kind", ["png", "png with alpha", "tif", "tif with alpha"])
def test_colours_of_16_bits_keep_their_levels(tmp_path, kind):
    alpha = np.full((20, 30, 1), 40_000, np.uint16)
    pixels = np.concatenate([TWELVE, alpha], axis=2) if "alpha" in kind else TWELVE
    scan = written(tmp_path / "a", deep_png(pixels) if kind.startswith("png") else tiff([pixels], 2))
    assert scan.voxels.dtype == np.uint16
    np.testing.assert_array_equal(scan.voxels, TWELVE)
    # Spread together, so that hues stay: from the 0.5th to the 99.5th percentile.
    low, high = np.percentile(TWELVE[TWELVE != 0], [0.5, 99.5])
    expected = np.rint((np.clip(TWELVE.astype(float), low, high) - low) / (high - low) * 255)
    expected[TWELVE == 0] = 0
    np.testing.assert_array_equal(prepared_pixels(scan), expected)
    windowed = prepared_pixels(scan, Window(1000, 2000))
    np.testing.assert_array_equal(windowed, np.rint(np.clip(TWELVE / 2000, 0, 1) * 255))


def test_pages_of_16_bit_colours_are_a_volume(tmp_path):
    pages = [TWELVE, TWELVE[::-1].copy(), TWELVE // 2]
    scan = written(tmp_path / "a.tif", tiff(pages))
    np.testing.assert_array_equal(scan.voxels, pages)
    np.testing.assert_array_equal(format_of(tmp_path / "a.tif").read(tmp_path / "a.tif", 1).voxels, pages[1])


def test_grey_of_16_bits_with_alpha(tmp_path):
    grey = TWELVE[..., :1]
    scan = written(tmp_path / "a.png", deep_png(np.concatenate([grey, 65535 - grey], axis=2)))
    np.testing.assert_array_equal(scan.voxels, grey[..., 0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "deep.png", "tiff", "deep.tif"])
def test_pictures_are_turned_as_they_are_shown(tmp_path, orientation, kind):
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:8, :8] = (250, 250, 250)
    stored[8:, :8] = (90, 90, 90)
    turns = {
        1: stored,
        2: np.fliplr(stored),
        3: np.rot90(stored, 2),
        4: np.flipud(stored),
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).transpose(1, 0, 2),
        8: np.rot90(stored, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a"
    if kind == "deep.tif":
        path.write_bytes(tiff([stored * np.uint16(257)], orientation=orientation))
    elif kind == "deep.png":
        content = deep_png(stored * np.uint16(257))
        block = exif.tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", zlib.crc32(b"eXIf" + block))
        path.write_bytes(content[:33] + chunk + content[33:])
    else:
        Image.fromarray(stored).save(path, kind, exif=exif, **({"quality": 100} if kind == "jpeg" else {}))
    voxels = format_of(path).read(path).voxels
    expected = turns[orientation] * (257.0 if "deep" in kind else 1.0)
    assert voxels.shape == expected.shape
    np.testing.assert_allclose(voxels, expected, atol=4 if kind == "jpeg" else 0)


def test_few_bits_are_spread(tmp_path):
    for depth, factor in ((1, 255), (2, 85), (4, 17)):
        levels = np.arange(16, dtype=np.uint8) % (1 << depth)
        bits = np.unpackbits(levels[:, None], axis=1)[:, -depth:].ravel()
        scan = written(tmp_path / "a.png", png(16, 1, depth, 0, zlib.compress(b"\0" + np.packbits(bits).tobytes())))
        np.testing.assert_array_equal(scan.voxels, [levels * factor])
        np.testing.assert_array_equal(prepared_pixels(scan), [levels * factor])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_tiffs_of_every_type_of_number(tmp_path, dtype):
    signed = dtype[0] != "u"
    values = np.random.default_rng(1).integers(-100 if signed else 0, 120, (20, 30)).astype(dtype)
    if dtype == "u4":
        values[0, 0] = 4_000_000_000
    for pages in ([values], [values, values[::-1].copy()]):
        scan = written(tmp_path / "a.tif", tiff(pages))
        np.testing.assert_array_equal(scan.voxels, pages if len(pages) > 1 else values)
        assert not scan.inverted
    last = format_of(tmp_path / "a.tif").read(tmp_path / "a.tif", 1)
    np.testing.assert_array_equal(last.voxels, values[::-1])
    mask = format_of(tmp_path / "a.tif").read_mask(tmp_path / "a.tif", scan)
    np.testing.assert_array_equal(mask.labels, np.array(pages).astype(np.int64))


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
def test_high_values_may_be_dark(tmp_path, dtype):
    values = PIXELS.astype(dtype)
    bright = prepared_pixels(written(tmp_path / "a.tif", tiff([values], 1)))
    dark = prepared_pixels(written(tmp_path / "b.tif", tiff([values], 0)))
    np.testing.assert_array_equal(dark, 255 - bright)


@pytest.mark.parametrize(
    ("dtype", "channels", "photometric", "words"),
    [
        ("f2", 1, 1, "1 channel of 16-bit floats"),
        ("u1", 5, 1, "5 channels of 8-bit unsigned integers"),
        ("u2", 2, 1, "2 channels of 16-bit unsigned integers"),
        ("f4", 3, 2, "3 channels of 32-bit floats"),
        ("i1", 1, 0, "1 channel of 8-bit signed integers"),
        ("u8", 1, 1, "1 channel of 64-bit unsigned integers"),
    ],
)
def test_tiffs_that_are_not_read_say_why(tmp_path, dtype, channels, photometric, words):
    values = np.ones((8, 9, channels) if channels > 1 else (8, 9), dtype)
    said = refusal(tmp_path / "a.tif", tiff([values], photometric))
    assert f"page 0 has {words}, which is not read; save it with one channel" in said
    # Also behind a page that is read.
    for first in (np.ones((8, 9)), np.ones((8, 9), np.uint8)):
        one, two = tiff([first], 1), tiff([values], photometric)
        assert "page 1 has" in refusal(tmp_path / "a.tif", joined(one, two)), first.dtype


def joined(first, second):
    """One TIFF of the pages of two, as `tiff` writes them: offsets of the second grow."""
    grown = bytearray(second)
    at = struct.unpack_from("<I", second, 4)[0]
    for k in range(struct.unpack_from("<H", second, at)[0]):
        entry = at + 2 + 12 * k
        tag, kind, count, value = struct.unpack_from("<HHII", second, entry)
        if tag == 273 or (kind == 3 and count > 2):
            struct.pack_into("<I", grown, entry + 8, value + len(first))
    head = bytearray(first)
    struct.pack_into("<I", head, len(first) - 4, at + len(first))
    return bytes(head + grown)


def test_damaged_doubles_and_their_pages(tmp_path):
    content = tiff([np.ones((20, 30)), np.ones((20, 30))])
    assert "not a picture, or a damaged one" in refusal(tmp_path / "a.tif", content[:300])
    assert "has no page 2, expected 0 to 1" in refusal(tmp_path / "a.tif", content, 2)
    assert "its pages differ in size" in refusal(tmp_path / "a.tif", tiff([np.ones((20, 30)), np.ones((30, 20))]))


def test_a_jpeg_of_12_bits_says_so(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg")
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    content[content.index(b"\xff\xc0") + 4] = 12
    assert "a JPEG of 12 bits, which is not read; save it as PNG of 16 bits" in refusal(tmp_path / "b.jpg", content)


def test_of_a_jpeg_with_two_pictures_the_first_counts(tmp_path):
    first = Image.fromarray(np.full((20, 30, 3), 90, np.uint8))
    for second in (np.full((20, 30, 3), 200, np.uint8), np.full((5, 8, 3), 200, np.uint8)):
        path = tmp_path / "phone.jpg"
        first.save(path, "MPO", save_all=True, append_images=[Image.fromarray(second)])
        scan = format_of(path).read(path)
        assert (scan.grid, scan.is_volume) == ((20, 30), False)
        assert (scan.voxels == 90).all()
        (note,) = prepare(scan, Objects.of_boxes("scan", np.array([[0.0, 0, 5, 5]]))).notes
        assert "holds 2 pictures, the first is taken" in note
        assert format_of(path).read(path, 1).voxels.shape == second.shape
        assert (format_of(path).read_mask(path, scan).labels == 90).all()


@pytest.mark.parametrize("declared", [0xD1C6A97E, 1_000_000_000])
def test_a_chunk_that_declares_more_than_the_file_holds_takes_no_memory(tmp_path, declared):
    content = bytearray(deep_png(TWELVE))
    # Behind the pixels, which are whole, a chunk of pixels of gigabytes.
    content[-12:] = struct.pack(">I4s", declared, b"IDAT") + bytes(20)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    code = f"""
import resource
from pathlib import Path
from litemedsam import LiteMedSamError
from litemedsam.engine.io.image import Image
resource.setrlimit(resource.RLIMIT_AS, (900_000_000, 900_000_000))
try:
    print(Image().read(Path({str(path)!r})).voxels.sum())
except LiteMedSamError as error:
    print(error)
"""
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(TWELVE.sum()) or "damaged" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0\x00\x04", b"\xff\xd8\xff\xe0\x00\x04ab\xff", b"\xff\xd8no"]
)
def test_a_jpeg_that_ends_before_its_frame_is_not_deep(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert not _is_deep_jpeg(tmp_path / "a.jpg")
