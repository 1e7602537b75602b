"""The pixels of DICOM images."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes
from scan_files import read, refusal
from synthetic_scans import dicom_image, phantom, stored, write_series


def test_dicom_ct_is_in_hounsfield_units_and_windowed(tmp_path):
    image = dicom_image(np.array([[0, 1064, 864, 1264]], np.int16).repeat(4, axis=0))
    image.RescaleIntercept = -1024
    image.save_as(tmp_path / "ct.dcm")
    prepared = prepare(
        read(tmp_path / "ct.dcm"), GivenBoxes([(0, 0, 1, 1)]).objects(tmp_path, read(tmp_path / "ct.dcm"))
    )
    np.testing.assert_array_equal(prepared.case.pixels[0], [0, 128, 0, 255])
    assert "level 40, width 400" in prepared.notes[0]


def test_dark_is_bright_in_monochrome1(tmp_path):
    image = dicom_image(np.arange(16, dtype=np.uint8).reshape(4, 4), modality="CR")
    image.PhotometricInterpretation = "MONOCHROME1"
    image.save_as(tmp_path / "cr.dcm")
    prepared = prepare(read(tmp_path / "cr.dcm"), Objects.of_boxes("scan", np.array([[0.0, 0, 1, 1]])))
    np.testing.assert_array_equal(prepared.case.pixels, 255 - np.arange(16).reshape(4, 4))


def test_a_compressed_image_without_a_decoder_is_refused(tmp_path):
    image = dicom_image(phantom(1, 8, 9)[0])
    image.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    image.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    image["PixelData"].is_undefined_length = True
    image.save_as(tmp_path / "compressed.dcm")
    message = refusal(tmp_path / "compressed.dcm")
    assert "decoder" in message
    assert "pip install" in message


def test_a_lookup_table_is_applied(tmp_path):
    image = dicom_image(np.zeros((4, 4), np.uint8) + np.arange(4, dtype=np.uint8))
    table = pydicom.Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 0, 16], "US"
    table["LUTDescriptor"].VR = "US"
    table.add_new("LUTData", "US", [10, 30, 20, 500])
    del image.RescaleSlope, image.RescaleIntercept
    image.ModalityLUTSequence = [table]
    image.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(Dicom().read(tmp_path / "a.dcm").voxels, [[10, 30, 20, 500]] * 4)


def prepared(path, frame=None):
    scan = read(path, frame)
    box = [0.0, 0, 0, 1, 1, 0] if scan.is_volume else [0.0, 0, 1, 1]
    return prepare(scan, Objects.of_boxes("scan", np.array([box])))


def stored_padding(image, key, value):
    """Padding as a file stores it, of the type that the standard wants or of the other one."""
    kind = "SS" if value < 0 else "US"
    image.add_new(key, kind, value)


@pytest.mark.parametrize(
    ("padding", "limit", "dtype"),
    [
        (-2000, None, np.int16),
        (63536, None, np.int16),
        (-2000, -1900, np.int16),
        (-1900, -2000, np.int16),
        (0, None, np.uint16),
        (65535, None, np.uint16),
        (-1, None, np.uint16),
    ],
)
def test_padding_is_black_and_does_not_count(tmp_path, padding, limit, dtype):
    values = np.linspace(100, 900, 40 * 30).reshape(40, 30).astype(dtype)
    image = dicom_image(values, modality="MR")
    filled = values.copy()
    filled[:, :8] = np.array(padding % 65536, np.uint16).view(dtype)
    if limit is not None:
        filled[:, 8:10] = [-1950, limit]
    image.PixelData = filled.tobytes()
    stored_padding(image, "PixelPaddingValue", padding)
    if limit is not None:
        stored_padding(image, "PixelPaddingRangeLimit", limit)
    image.RescaleSlope, image.RescaleIntercept = 2, 10
    image.save_as(tmp_path / "mr.dcm")
    edge = 8 if limit is None else 10
    pixels = prepared(tmp_path / "mr.dcm").case.pixels
    inside = 2 * values[:, edge:].astype(np.float64) + 10
    low, high = np.percentile(inside, [0.5, 99.5])
    np.testing.assert_array_equal(pixels[:, edge:], np.rint((np.clip(inside, low, high) - low) / (high - low) * 255))
    assert not pixels[:, :edge].any()


def test_padding_of_monochrome1_is_black_too(tmp_path):
    values = np.linspace(100, 900, 40 * 30).reshape(40, 30).astype(np.uint16)
    values[:, :8] = 5000
    image = dicom_image(values, modality="DX")
    image.PhotometricInterpretation, image.PixelPaddingValue = "MONOCHROME1", 5000
    image["PixelPaddingValue"].VR = "US"
    image.save_as(tmp_path / "dx.dcm")
    pixels = prepared(tmp_path / "dx.dcm").case.pixels
    assert not pixels[:, :8].any()
    assert pixels[0, 8] == 255
    assert pixels[-1, -1] == 0


def test_padding_of_one_slice_of_a_series(tmp_path):
    volume = np.linspace(100, 900, 3 * 20 * 30).reshape(3, 20, 30).astype(np.int16)
    volume[1, :, :5] = -2000
    paths = write_series(tmp_path / "series", stored(volume, (0, 1, 2), (False,) * 3), modality="MR")
    for path in paths:
        changed = pydicom.dcmread(path)
        if (changed.pixel_array == -2000).any():
            stored_padding(changed, "PixelPaddingValue", -2000)
            changed.save_as(path)
    scan = read(tmp_path / "series")
    np.testing.assert_array_equal(scan.padding, volume == -2000)
    # Seen as stored: axial, from the feet.
    pixels = prepared(tmp_path / "series").case.pixels
    assert not pixels[1, :, :5].any()
    assert pixels[2, -1, -1] == 255


def test_nothing_but_padding_is_left_as_it_is(tmp_path):
    image = dicom_image(np.full((4, 4), 7, np.int16), modality="MR")
    stored_padding(image, "PixelPaddingValue", 7)
    image.save_as(tmp_path / "a.dcm")
    assert read(tmp_path / "a.dcm").padding is None


@pytest.mark.parametrize(
    ("offset", "slope", "words"),
    [
        (0, 1, None),
        (1024, 1, "above the window abdomen"),
        (-3000, 1, "below the window"),
        (32768, 1, "above the window"),
    ],
)
def test_a_ct_without_its_offset_is_named_in_a_note(tmp_path, offset, slope, words):
    hounsfield = np.clip(np.random.default_rng(0).normal(20, 60, (40, 40)), -100, 300)
    hounsfield[:, :10] = -1000 if words is None else 20
    image = dicom_image(np.zeros((40, 40), np.int32 if offset > 30000 else np.int16))
    image.PixelData = (hounsfield + offset).astype(np.int32 if offset > 30000 else np.int16).tobytes()
    image.save_as(tmp_path / "ct.dcm")
    notes = prepared(tmp_path / "ct.dcm").notes
    assert "raw Hounsfield units" in notes[0]
    assert len(notes) == (1 if words is None else 2)
    if words is not None:
        assert words in notes[1]
        assert "try --window percentiles" in notes[1]


def test_damaged_pixels_are_not_taken_for_a_missing_decoder(tmp_path):
    image = dicom_image(phantom(1, 8, 9)[0])
    image.compress(pydicom.uid.RLELossless)
    image.PixelData = pydicom.encaps.encapsulate([b"\x01" + bytes(63) + b"\x05"])
    image["PixelData"].is_undefined_length = True
    image.save_as(tmp_path / "damaged.dcm")
    message = refusal(tmp_path / "damaged.dcm")
    assert "its pixels are damaged or cut off" in message
    assert "export it from its archive again" in message


def test_a_file_that_an_installable_decoder_reads_is_not_called_damaged():
    path = Path(find_spec("pydicom").origin).parent / "data" / "test_files" / "JPGExtended.dcm"
    if not path.exists() or find_spec("libjpeg") is not None:
        pytest.skip("pydicom was installed without its test files, or the decoder is installed")
    assert "pip install pylibjpeg pylibjpeg-libjpeg" in refusal(path)


def test_pixels_that_end_early_are_damaged(tmp_path):
    image = dicom_image(phantom(1, 8, 9)[0])
    image.PixelData = image.PixelData[:20]
    image.save_as(tmp_path / "a.dcm")
    assert "pixels are damaged" in refusal(tmp_path / "a.dcm")
