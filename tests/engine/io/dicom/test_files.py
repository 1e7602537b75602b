"""Folders of DICOM files: one series each, whole and in order."""

import io
import struct

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.files import is_dicom, looks_like_dicom
from scan_files import read
from synthetic_scans import dicom_image, phantom, stored, write_series

from litemedsam import LiteMedSamError


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "series"
    return folder, write_series(folder, stored(phantom(5, 8, 9), (0, 1, 2), (False,) * 3))


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


def test_an_element_with_a_long_length_belongs_to_a_data_set_without_preamble():
    def element(number, kind, content):
        size = b"\0\0" + struct.pack("<I", len(content)) if kind == b"SQ" else struct.pack("<H", len(content))
        return struct.pack("<HH", 8, number) + kind + size + content

    head = b"".join(element(k, b"SQ" if k == 2 else b"CS", b"ISO ") for k in range(1, 12))
    assert looks_like_dicom(head)
    assert not looks_like_dicom(head.replace(b"SQ\0\0\4\0\0\0", b"SQ\0\0\4\0\0\4"))


def test_a_file_may_mention_the_deflated_syntax(tmp_path):
    image = dicom_image(phantom(1, 8, 9)[0])
    image.ImageComments = pydicom.uid.DeflatedExplicitVRLittleEndian
    image.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(tmp_path / "a.dcm").voxels, phantom(1, 8, 9)[0])
