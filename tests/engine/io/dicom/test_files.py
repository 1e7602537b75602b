"""Folders of DICOM files: one series each, whole and in order."""

import io
import shutil

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.files import is_dicom, looks_like_dicom
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from synthetic_scans import ROOT, dicom_image, phantom, stored, write_series

from litemedsam import LiteMedSamError


def read(path, frame=None):
    return format_of(path).read(path, frame)


def refusal(path, frame=None):
    with pytest.raises(LiteMedSamError) as error:
        prepare(read(path, frame), Objects.of_boxes("scan", np.array([[0.0, 0, 0, 1, 1, 0]])))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "series"
    return folder, write_series(folder, stored(phantom(5, 8, 9), (0, 1, 2), (False,) * 3))


def test_bad_dicom_is_refused_in_one_line(series, tmp_path):
    folder, paths = series
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    dicom_image(phantom(1, 8, 9)[0], series=ROOT + "9").save_as(mixed / "other")
    assert "2 series" in refusal(mixed)

    paths[2].unlink()
    assert "1 slice missing between slices 1 and 2" in refusal(folder)

    twice = tmp_path / "twice"
    shutil.copytree(mixed, twice, ignore=shutil.ignore_patterns("other"))
    other = pydicom.dcmread(twice / paths[0].name)
    other.PixelData = bytes(len(other.PixelData))
    other.save_as(twice / "copy")
    assert "2 different images at the same place" in refusal(twice)

    cut = tmp_path / "cut.dcm"
    cut.write_bytes(paths[0].read_bytes()[:-20])
    assert "damaged" in refusal(cut)
    cut.write_bytes(paths[0].read_bytes()[:300])
    assert "contains no image" in refusal(cut)

    localizer = tmp_path / "localizer"
    shutil.copytree(twice, localizer, ignore=shutil.ignore_patterns("copy"))
    dicom_image(phantom(1, 4, 9)[0], 77).save_as(localizer / "scout")
    assert "images of one size" in refusal(localizer)

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "without DICOM" in refusal(empty)


def refused(path, words, frame=None, kind=None):
    with pytest.raises(LiteMedSamError) as error:
        (format_of(path) if kind is None else FORMATS[kind]).read(path, frame)
    assert words in str(error.value), str(error.value)


def test_dicom_series(tmp_path):
    scan = stored(phantom(4, 8, 10), (0, 1, 2), (False, False, False))
    folder = tmp_path / "series"
    paths = write_series(folder, scan)
    refused(folder, "is a single volume, has no frame 1; leave --frame out", frame=1)

    def changed(path, **changes):
        image = pydicom.dcmread(path)
        for key, value in changes.items():
            if value is None:
                delattr(image, key)
            else:
                setattr(image, key, value)
        image.save_as(path)

    whole = {path: path.read_bytes() for path in paths}
    for changes, words in (
        ({"ImagePositionPatient": None}, "does not say where it lies"),
        ({"NumberOfFrames": 2}, "many frames in a series of several files"),
        ({"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, "differ in direction or pixel spacing"),
        ({"ImagePositionPatient": [90, 20, -27.2]}, "its slices do not lie in an even row"),
        ({"SeriesInstanceUID": "1.2.3"}, "contains 2 series"),
        ({"Rows": 4}, "10 × 4 pixels in a series of 10 × 8"),
    ):
        changed(paths[2], **changes)
        with pytest.raises(LiteMedSamError) as error:
            Dicom().read(folder)
        assert words in str(error.value) or "10 × 8 pixels in a series of 10 × 4" in str(error.value)
        paths[2].write_bytes(whole[paths[2]])
    for path in paths:
        changed(path, Modality="SEG")
    refused(folder, "contains no DICOM images")
    refused(paths[0], "a segmentation, expected an image")


def without_meta(image, syntax, preamble=False, meta=False):
    """The bytes of an image whose Transfer Syntax UID is missing, encoded by a syntax."""
    content = io.BytesIO()
    image.file_meta.TransferSyntaxUID = syntax
    image.save_as(content)
    whole = pydicom.dcmread(io.BytesIO(content.getvalue()))
    plain = io.BytesIO()
    pydicom.Dataset(whole).save_as(plain, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    start = b"\0" * 128 + b"DICM" if preamble else b""
    if meta:
        information = io.BytesIO()
        del whole.file_meta.TransferSyntaxUID
        pydicom.filewriter.write_file_meta_info(information, whole.file_meta, enforce_standard=False)
        start += information.getvalue()
    return start + plain.getvalue()


@pytest.mark.parametrize("syntax", [pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian])
@pytest.mark.parametrize(("preamble", "meta"), [(False, False), (True, False), (True, True), (False, True)])
def test_a_file_without_transfer_syntax_is_read_by_looking(tmp_path, syntax, preamble, meta):
    pixels = phantom(1, 8, 9)[0].astype(np.int16) - 100
    path = tmp_path / "IM0001"
    path.write_bytes(without_meta(dicom_image(pixels), syntax, preamble, meta))
    assert is_dicom(path)
    np.testing.assert_array_equal(read(path).voxels, pixels)
    np.testing.assert_array_equal(read(tmp_path).voxels, pixels)


@pytest.mark.parametrize("syntax", [pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian])
def test_a_slice_without_preamble_is_a_slice_of_its_series(series, syntax):
    folder, paths = series
    last = max(paths, key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    last.write_bytes(without_meta(pydicom.dcmread(last), syntax))
    scan = read(folder)
    np.testing.assert_array_equal(scan.voxels, phantom(5, 8, 9))
    assert scan.notes == ()


def test_compressed_pixels_without_transfer_syntax_are_refused_in_words(tmp_path):
    image = dicom_image(phantom(1, 8, 9)[0])
    image.compress(pydicom.uid.RLELossless)
    content = io.BytesIO()
    image.save_as(content)
    kept = content.getvalue()
    whole = pydicom.dcmread(io.BytesIO(kept))
    start = kept.index(b"\x08\x00\x16\x00UI")
    (tmp_path / "a.dcm").write_bytes(kept[start:])
    assert whole.file_meta.TransferSyntaxUID == pydicom.uid.RLELossless
    with pytest.raises(LiteMedSamError, match="no Transfer Syntax UID, which names the kind of compression"):
        read(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08\x00",
        b"\x08\x00\x05\x00" * 300,
        b"\x02\x00\x00\x00UL\x04\x00",
        b"\x08\x00\x05\x00\xff\xff\xff\x7f" + b"\0" * 200,
        b"\x10\x00\x10\x00\x02\x00\x00\x00ab" * 4,
        b"PK\x03\x04" + b"\0" * 500,
        bytes(1024),
    ],
)
def test_other_bytes_are_no_data_set(content):
    assert not looks_like_dicom(content)
