"""Offered scans have keys that say nothing, and stay within their folder."""

import pytest
from litemedsam.server.files.data_folder import DataFolder

from litemedsam import LiteMedSamError


def test_files_and_folders_are_offered_together(scans):
    data = DataFolder([scans, scans / "slice.png"])
    names = [scan.name for scan in data.scans()]
    assert names.count("slice.png") == 2
    assert "series" in names
    assert "stack/slice_000.png" in names
    for scan in data.scans():
        assert data.find(scan.key).path == scan.path
        assert scan.name not in scan.key


def test_keys_differ_between_servers(scans):
    one, other = DataFolder([scans]), DataFolder([scans])
    with pytest.raises(LiteMedSamError, match="no such file"):
        other.find(one.scans()[0].key)


def test_a_long_list_is_cut(scans, monkeypatch):
    monkeypatch.setattr("litemedsam.server.files.data_folder.MOST_LISTED", 2)
    assert len(DataFolder([scans]).scans()) == 2


def test_a_place_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(LiteMedSamError, match="no such file or folder"):
        DataFolder([tmp_path / "absent"])
