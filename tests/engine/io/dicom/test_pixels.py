"""The pixels of DICOM images."""

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.formats import format_of
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes
from synthetic_scans import dicom_image, phantom

from litemedsam import LiteMedSamError


def read(path, frame=None):
    return format_of(path).read(path, frame)


def refusal(path, frame=None):
    with pytest.raises(LiteMedSamError) as error:
        prepare(read(path, frame), Objects.of_boxes("scan", np.array([[0.0, 0, 0, 1, 1, 0]])))
    assert "\n" not in str(error.value)
    return str(error.value)


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
