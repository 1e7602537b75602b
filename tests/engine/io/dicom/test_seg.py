"""DICOM SEG: segments of a scan."""

import numpy as np
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from synthetic_scans import phantom, stored, write_series

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
