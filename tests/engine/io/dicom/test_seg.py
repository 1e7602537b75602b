"""DICOM SEG: segments of a scan."""

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from synthetic_scans import edit_series, phantom, stored, write_series

from litemedsam import LiteMedSamError

PIXELS = phantom(1, 8, 10)[0]


def test_a_result_is_read_back(tmp_path):
    folder = tmp_path / "series"
    write_series(folder, stored(phantom(3, 8, 10), (0, 1, 2), (False, False, False)))
    scan = Dicom().read(folder)
    labels = (scan.voxels > 100).astype(np.uint8)
    path = tmp_path / "mask.dcm"
    Dicom().write(path, labels, scan, ("a",))
    np.testing.assert_array_equal(Dicom().read_mask(path, scan).labels, labels)
    with pytest.raises(LiteMedSamError, match="a DICOM SEG holds at most 65535 segments"):
        Dicom().write(path, labels.astype(np.uint32), scan, ())


def test_a_result_is_the_same_whatever_was_checked_before(tmp_path):
    def edit(image):
        image.SpecificCharacterSet, image.PatientName, image.PatientSex = "ISO_IR 100", "Jürgen^Größe", "UNKNOWN"
        image.SliceThickness = None

    edit_series(write_series(tmp_path / "series", stored(phantom(3, 8, 10), (0, 1, 2), (False,) * 3)), edit)
    written = []
    for checks in range(3):
        scan = Dicom().read(tmp_path / "series")
        for _ in range(checks):
            Dicom().check_result(tmp_path / "mask.dcm", scan, ("a",))
        Dicom().write(tmp_path / "mask.dcm", (scan.voxels > 100).astype(np.uint8), scan, ("a",))
        written.append((tmp_path / "mask.dcm").read_bytes())
    assert written[0] == written[1] == written[2]
    assert pydicom.dcmread(tmp_path / "mask.dcm").PatientName == "Jürgen^Größe"
