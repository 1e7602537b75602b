"""Truths and masks by path: the kind of file by its suffix, the masks of a case by its name."""

import numpy as np
import pytest
from litemedsam.evaluation.cases import case_names, has_truth, masks_of, read_masks, read_truth, stem_of

from litemedsam import LiteMedSamError


def touched(path):
    path.touch()
    return path


def test_masks_are_found_by_name(tmp_path):
    segs = tmp_path
    assert masks_of(segs, "a.npz") == segs / "a.npz"
    upper = touched(segs / "a.NII")
    assert masks_of(segs, "a.npz") == upper
    assert masks_of(segs, "a.nii.gz") == upper
    touched(segs / "a.npz")
    assert masks_of(segs, "a.npz") == segs / "a.npz"
    with pytest.raises(LiteMedSamError, match=r"masks may be a\.npz and a\.NII; keep one of them"):
        masks_of(segs, "a.nii.gz")
    upper.unlink()
    assert masks_of(segs, "a.nii.gz") == segs / "a.npz"
    assert masks_of(segs, "b.nii.gz") == segs / "b.nii.gz"
    assert [stem_of(name) for name in ("a.b.npz", "a.NII.GZ", "a.nii", "a.txt")] == ["a.b", "a", "a", "a.txt"]


def test_a_folder_s_cases_are_files_of_every_kind_in_order(tmp_path):
    for name in ("b.npz", "a.NII.GZ", "c.seg.nrrd", "d.mhd", "e.hdr", "f.txt", "g.img"):
        touched(tmp_path / name)
    assert case_names(tmp_path) == ["a.NII.GZ", "b.npz", "c.seg.nrrd", "d.mhd", "e.hdr"]


@pytest.mark.parametrize(
    ("name", "known"),
    [("a.nii.gz", True), ("a_0000.npz", True), ("a_0001.npz", False), ("b.npz", False), ("a.seg.nrrd", True)],
)
def test_masks_belong_to_a_truth_by_name(name, known):
    assert has_truth(name, {"a"}) == known


def test_truth_and_masks_may_be_of_two_kinds(tmp_path):
    labels = np.zeros((8, 9), np.uint8)
    labels[2:5, 3:7] = 1
    np.savez(tmp_path / "2DBox_CT_a.npz", gts=labels, segs=labels)
    truth = read_truth(tmp_path / "2DBox_CT_a.npz")
    np.testing.assert_array_equal(read_masks(tmp_path / "2DBox_CT_a.npz", truth), labels)
    # What has no known suffix is read as npz.
    (tmp_path / "case").write_bytes(b"text")
    for path in (tmp_path / "case", touched(tmp_path / "a.nii")):
        with pytest.raises(LiteMedSamError, match=path.name):
            read_truth(path)
