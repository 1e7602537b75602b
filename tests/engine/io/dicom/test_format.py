"""Single DICOM files."""

import numpy as np
from litemedsam.engine.io.dicom.format import Dicom, holds_dicom
from scan_files import refused
from synthetic_scans import dicom_image, phantom

PIXELS = phantom(1, 8, 10)[0]


def test_dicom_files(tmp_path):
    path = tmp_path / "a.dcm"

    def written(**changes):
        image = dicom_image(PIXELS)
        for key, value in changes.items():
            setattr(image, key, value)
        image.save_as(path)
        return path

    refused(written(Rows=-1 & 0xFFFF, Columns=60000), "declare")
    refused(written(NumberOfFrames=-3), "a negative size")
    # Beyond 32 bits, whole numbers become floats.
    voxels = Dicom().read(written(RescaleSlope="1e9", RescaleIntercept="0")).voxels
    np.testing.assert_allclose(voxels, PIXELS * 1e9, rtol=1e-6)
    assert Dicom().read(written(RescaleSlope="3", RescaleIntercept="-7")).voxels.dtype == np.int32
    refused(written(), "has no frame 4, expected 0 to 0", frame=4)
    path.write_bytes(written().read_bytes()[:200])
    refused(path, "contains no image")
    flat = dicom_image(PIXELS)
    flat.PixelSpacing = [0, 0]
    flat.ImagePositionPatient, flat.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    flat.save_as(path)
    read = Dicom().read(path)
    assert read.geometry is None
    assert read.spacing is None
    assert holds_dicom(tmp_path)
