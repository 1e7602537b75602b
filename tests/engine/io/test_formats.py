"""A file's format is found by its content."""

import numpy as np
from litemedsam.engine.io.formats import FORMATS, format_of, result_name
from scan_files import read, refused, save
from synthetic_scans import dicom_image, phantom


def test_files_of_no_kind(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    refused(tmp_path / "a.txt", "a file of unknown kind")
    refused(tmp_path, "a folder without DICOM files")
    refused(tmp_path / "none.png", "cannot be read")
    (tmp_path / "a.NII.GZ").write_text("text")
    refused(tmp_path / "a.NII.GZ", "not a NIfTI file")
    (tmp_path / "a.dcm").write_bytes(b"")
    refused(tmp_path / "a.dcm", "holds no image")


def test_the_content_decides_not_the_name(tmp_path):
    volume = phantom(4, 5, 6)
    for name, other in (("a.nii.gz", "b.nii"), ("c.nii", "d.nii.gz"), ("e.nii.gz", "f.dcm"), ("g.nii", "h")):
        (save(tmp_path / name, volume.transpose())).rename(tmp_path / other)
        scan = read(tmp_path / other)
        np.testing.assert_array_equal(scan.voxels, volume)
        assert format_of(tmp_path / other).name == "nifti"
    dicom_image(volume[0]).save_as(tmp_path / "i.png")
    np.testing.assert_array_equal(read(tmp_path / "i.png").voxels, volume[0])
    assert result_name(tmp_path / "i.png", FORMATS["dicom"]) == "i.dcm"
