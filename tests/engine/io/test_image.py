"""Pictures: what is read, written and refused."""

import struct
import zlib

import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.scan.scan import Scan
from PIL import Image
from scan_files import block, read, refusal, refused
from synthetic_scans import phantom

from litemedsam import LiteMedSamError


def test_pictures_of_every_kind(tmp_path):
    grey = phantom(1, 20, 30)[0]
    colour = np.stack([grey, grey // 2, 255 - grey], axis=-1)
    shown = {
        "grey.png": grey,
        "grey.bmp": grey,
        "colour.png": colour,
        "colour.tif": colour,
        "deep.png": grey.astype(np.uint16) * 100,
        "deep.tif": grey.astype(np.uint16) * 100,
    }
    for name, pixels in shown.items():
        Image.fromarray(pixels).save(tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name).voxels, pixels)
    prepared = prepare(read(tmp_path / "deep.png"), Objects.of_boxes("scan", np.array([[0.0, 0, 5, 5]])))
    assert prepared.case.pixels.max() == 255

    Image.fromarray(colour).convert("RGBA").save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read(tmp_path / "alpha.png").voxels, colour)
    palette = Image.fromarray(colour).quantize(8)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read(tmp_path / "palette.png").voxels, np.array(palette.convert("RGB")))
    Image.fromarray(grey > 100).save(tmp_path / "binary.png")
    np.testing.assert_array_equal(read(tmp_path / "binary.png").voxels, (grey > 100) * 255)

    turned = Image.fromarray(grey)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "camera.jpg", exif=exif, quality=100)
    assert read(tmp_path / "camera.jpg").voxels.shape == (30, 20)

    # A name that lies: the content decides.
    (tmp_path / "colour.png").rename(tmp_path / "scan.nii")
    np.testing.assert_array_equal(read(tmp_path / "scan.nii").voxels, colour)

    pages = [Image.fromarray(page) for page in phantom(3, 20, 30)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    scan = read(tmp_path / "pages.tif")
    np.testing.assert_array_equal(scan.voxels, phantom(3, 20, 30))
    assert read(tmp_path / "pages.tif", 1).voxels.shape == (20, 30)
    FORMATS["png"].write(tmp_path / "mask.tif", block(scan), scan, ())
    np.testing.assert_array_equal(read(tmp_path / "mask.tif").voxels, block(scan))
    with pytest.raises(LiteMedSamError, match="one slice"):
        FORMATS["png"].write(tmp_path / "mask.png", block(scan), scan, ())
    assert not (tmp_path / "mask.png").exists()

    flat = read(tmp_path / "grey.png")
    FORMATS["png"].write(tmp_path / "mask.png", block(flat) * np.uint16(300), flat, ())
    np.testing.assert_array_equal(read(tmp_path / "mask.png").voxels, block(flat) * np.uint16(300))
    few = block(flat) * np.uint8(255)
    few[0, 0] = 3
    FORMATS["png"].write(tmp_path / "mask.png", few, flat, ())
    np.testing.assert_array_equal(FORMATS["png"].read_mask(tmp_path / "mask.png", flat).labels, few)
    with Image.open(tmp_path / "mask.png") as shown:
        assert shown.mode == "P"
        np.testing.assert_array_equal(np.array(shown), few)
        colours = np.array(shown.convert("RGB"))
    # Seen in a viewer: black where nothing is, else as bright as can be.
    np.testing.assert_array_equal(colours.max(axis=2), np.where(few > 0, 255, 0))
    assert (colours[few == 3][0] != colours[few == 255][0]).any()
    cut = tmp_path / "cut.png"
    cut.write_bytes((tmp_path / "deep.png").read_bytes()[:200])
    assert "damaged" in refusal(cut)
    with pytest.raises(LiteMedSamError, match="6 numbers for an image of 30 × 20"):
        prepare(flat, Objects.of_boxes("scan", np.array([[0.0, 0, 0, 1, 1, 1]])))


PIXELS = phantom(1, 8, 10)[0]


def test_pictures(tmp_path):
    pages = [Image.new("L", (4, 5)), Image.new("L", (5, 4))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    refused(tmp_path / "a.tif", "its pages differ in size; choose one with --frame")
    assert format_of(tmp_path / "a.tif").read(tmp_path / "a.tif", 1).voxels.shape == (4, 5)
    refused(tmp_path / "a.tif", "has no page 2, expected 0 to 1", frame=2)
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    data = struct.pack(">I", 10) + b"IDAT" + bytes(14)
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)
    refused(tmp_path / "b.png", "too large a picture")
    scan = Scan("a", PIXELS, False)
    with pytest.raises(LiteMedSamError, match="a picture holds at most 65535 objects"):
        FORMATS["png"].write(tmp_path / "c.png", PIXELS.astype(np.uint32), scan, ())
