"""Cases that calibrate and cases that measure: no source is among both."""

import numpy as np
import pytest
from litemedsam.export import calibration

from litemedsam.errors import LiteMedSamError


def test_no_source_calibrates_and_measures(tmp_path):
    for number in range(12):
        for modality in ("CT", "MR"):
            (tmp_path / f"3DBox_{modality}_made_patient{number}.npz").touch()
    first, again = (calibration.part(tmp_path, 9, 9) for _ in range(2))
    assert first == again
    calibrating, measuring = ({case.source for case in cases} for cases in (first.calibrating, first.measuring))
    assert calibrating.isdisjoint(measuring)
    for cases in (first.calibrating, first.measuring):
        assert 2 <= len(cases) <= 9
        assert {case.modality for case in cases} == {"CT", "MR"}


def test_a_specimen_is_not_parted(tmp_path):
    names = [calibration.NamedCase.of(tmp_path / f"2DBox_US_set_sub-a_{k}.npz").source for k in "12"]
    assert names == ["set_sub-a"] * 2
    assert calibration.NamedCase.of(tmp_path / "scan.npz").modality == "other"


@pytest.mark.parametrize("files", [[], ["2DBox_US_made_0.npz"]])
def test_a_folder_of_too_little_is_refused(tmp_path, files):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(LiteMedSamError, match="expected two or more"):
        calibration.part(tmp_path, 4, 4)
    with pytest.raises(LiteMedSamError, match="no such folder"):
        calibration.part(tmp_path / "absent", 4, 4)


def test_views_of_a_volume_are_the_middles_of_its_objects(tmp_path):
    volume = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((6, 20, 30), np.uint8)
    np.savez(tmp_path / "v.npz", imgs=volume, boxes=[[1, 2, 0, 9, 8, 3], [4, 5, 3, 20, 15, 5]])
    views = calibration.NamedCase.of(tmp_path / "v.npz").views()
    assert [int(view.image[0, 0]) for view in views] == [1, 4]
    assert [view.boxes.tolist() for view in views] == [[[1, 2, 9, 8]], [[4, 5, 20, 15]]]
