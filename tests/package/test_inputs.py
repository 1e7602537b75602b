"""No output replaces an input, under whatever name."""

import os

import pytest

from litemedsam import LiteMedSamError
from litemedsam.inputs import InputFiles

REMEDY = "give another folder"


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.nii"
    path.write_bytes(b"scan")
    return path


def test_the_file_itself_a_link_and_a_hard_link_are_refused(tmp_path, scan):
    (tmp_path / "link.nii").symlink_to(scan)
    os.link(scan, tmp_path / "hard.nii")
    inputs = InputFiles([scan, tmp_path / "absent"])
    with pytest.raises(LiteMedSamError, match=r"scan.nii: is read by this run, and would be replaced; give another"):
        inputs.refuse(scan, REMEDY)
    for name in ("link.nii", "hard.nii"):
        with pytest.raises(LiteMedSamError, match=rf"{name}: is the same file as .*scan.nii"):
            inputs.refuse(tmp_path / name, REMEDY)
    for name in ("other.nii", "absent", "sub/scan.nii"):
        inputs.refuse(tmp_path / name, REMEDY)


def test_a_way_round_through_other_folders_is_refused(tmp_path, scan):
    (tmp_path / "results").symlink_to(tmp_path)
    with pytest.raises(LiteMedSamError, match="would be replaced"):
        InputFiles([scan]).refuse(tmp_path / "results" / "scan.nii", REMEDY)


def test_files_of_an_input_folder_and_the_folder_itself_are_refused(tmp_path):
    folder = tmp_path / "stack"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"1")
    inputs = InputFiles([folder])
    for name in ("1.png", "new.png"):
        with pytest.raises(LiteMedSamError, match="would lie among the files of"):
            inputs.refuse(folder / name, REMEDY)
    with pytest.raises(LiteMedSamError, match="would be replaced"):
        inputs.refuse(folder, REMEDY)
    inputs.refuse(folder / "below" / "1.png", REMEDY)
    inputs.refuse(tmp_path / "1.png", REMEDY)


def test_a_folder_that_holds_an_input_is_not_replaced(tmp_path, scan):
    with pytest.raises(LiteMedSamError, match="which this run reads and would replace"):
        InputFiles([scan]).refuse(tmp_path, REMEDY)
