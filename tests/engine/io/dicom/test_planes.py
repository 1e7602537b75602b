"""Where the slices of a DICOM image lie."""

import numpy as np
import pydicom
import pytest
from scan_files import read
from synthetic_scans import dicom_image, phantom, stored, write_series


def test_frames_of_an_enhanced_image_are_ordered_by_place(tmp_path):
    pixels = phantom(4, 8, 10)
    image = dicom_image(pixels[0])
    order = [2, 0, 3, 1]
    image.NumberOfFrames = 4
    image.PixelData = pixels[order].tobytes()
    shared, frames = pydicom.Dataset(), []
    shared.PlaneOrientationSequence = [pydicom.Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = [pydicom.Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [2, 1]
    shared.PixelMeasuresSequence[0].SliceThickness = 3
    for z in order:
        frame = pydicom.Dataset()
        frame.PlanePositionSequence = [pydicom.Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = [5, 6, 3 * z]
        frames.append(frame)
    image.SharedFunctionalGroupsSequence, image.PerFrameFunctionalGroupsSequence = [shared], frames
    image.save_as(tmp_path / "enhanced.dcm")
    scan = read(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(scan.voxels, pixels)
    np.testing.assert_allclose(scan.spacing, [1, 2, 3])
    assert scan.origin.frames == (1, 3, 0, 2)


def test_a_gantry_tilt_shears_the_grid(tmp_path):
    plain = stored(phantom(4, 6, 7), (0, 1, 2), (False,) * 3)
    affine = plain.affine.copy()
    affine[1, 2] = 0.5
    paths = write_series(tmp_path / "tilted", type(plain)(plain.voxels, affine))
    assert len(paths) == 4
    scan = read(tmp_path / "tilted")
    np.testing.assert_allclose(scan.geometry.affine, np.diag([-1, -1, 1, 1]) @ affine, atol=1e-4)
    assert scan.geometry.voxel_volume == pytest.approx(1.2 * 1.0 * 1.4)
