"""DICOM SEG: segments of a scan."""

import numpy as np
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan
from synthetic_scans import dicom_image, phantom, stored, write_series

from litemedsam import LiteMedSamError

PIXELS = phantom(1, 8, 10)[0]


def test_segments_belong_to_their_scan(tmp_path):
    folder = tmp_path / "series"
    write_series(folder, stored(phantom(3, 8, 10), (0, 1, 2), (False, False, False)))
    scan = Dicom().read(folder)
    labels = (scan.voxels > 100).astype(np.uint8)
    path = tmp_path / "mask.dcm"
    Dicom().write(path, labels, scan, ("a",))
    np.testing.assert_array_equal(Dicom().read_mask(path, scan).labels, labels)
    flat = Scan("flat", PIXELS, False)
    moved = Scan(
        "moved", scan.voxels, True, Geometry(scan.geometry.affine + np.diag([0, 0, 0, 0]) + np.eye(4, k=3) * 0.4)
    )
    for other, words in ((flat, "does not say where it lies"), (moved, "lies on another grid")):
        with pytest.raises(LiteMedSamError, match=words):
            Dicom().read_mask(path, other)
    smaller = Scan("smaller", scan.voxels[:, :4], True, scan.geometry)
    with pytest.raises(LiteMedSamError, match="its frames are not slices of the scan"):
        Dicom().read_mask(path, smaller)
    dicom_image(PIXELS).save_as(tmp_path / "b.dcm")
    with pytest.raises(LiteMedSamError, match="not a DICOM SEG"):
        Dicom().read_mask(tmp_path / "b.dcm", scan)
    with pytest.raises(LiteMedSamError, match="a DICOM SEG holds at most 65535 segments"):
        Dicom().write(path, labels.astype(np.uint32), scan, ())
