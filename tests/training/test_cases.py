"""Folders of cases: what is read, what is refused, how they are parted."""

import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.training.cases import read_case, read_folders, split
from litemedsam.training.cli import main

from litemedsam import LiteMedSamError


def _save(path, images, marks):
    np.savez_compressed(path, imgs=images, gts=marks)
    return path


def _marks(*shape):
    marks = np.zeros(shape, np.uint8)
    marks[..., 4:12, 5:15] = 1
    marks[..., 14:18, 5:15] = 2
    return marks


def test_an_image_is_one_sample_with_a_mask_for_each_object(tmp_path):
    case = read_case(_save(tmp_path / "2DBox_US_set-a_007.npz", np.zeros((20, 24, 3), np.uint8), _marks(20, 24)))
    assert (case.group, case.source) == ("2DBox_US_set-a", "007")
    assert case.samples[0].masks.sum((1, 2)).tolist() == [80, 40]


def test_a_volume_gives_the_slices_that_bear_objects(tmp_path):
    marks = _marks(6, 20, 24)
    marks[:2] = 0
    images = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((20, 24), np.uint8)
    case = read_case(_save(tmp_path / "3DBox_CT_set-b_STS_004.npz", images, marks))
    assert [sample.image[0, 0] for sample in case.samples] == [2, 3, 4, 5]
    assert case.source == "STS_004"


def test_a_large_image_is_reduced_and_its_small_objects_kept(tmp_path):
    marks = np.zeros((900, 1300), np.uint16)
    marks[10:700, 20:1000] = 300
    case = read_case(_save(tmp_path / "x.npz", np.zeros((900, 1300), np.uint8), marks))
    assert max(case.samples[0].image.shape) == 640
    assert case.group == "cases"


@pytest.mark.parametrize(
    ("images", "marks", "said"),
    [
        (np.zeros((20, 24), np.float32), _marks(20, 24), "expected uint8"),
        (np.zeros((20, 24), np.uint8), _marks(20, 24).astype(float), "whole numbers"),
        (np.zeros((20, 24), np.uint8), _marks(20, 25), "do not belong together"),
        (np.zeros((5, 20, 24, 3), np.uint8), _marks(5, 20, 24), "do not belong together"),
        (np.zeros((0, 24), np.uint8), np.zeros((0, 24), np.uint8), "do not belong together"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, images, marks, said):
    with pytest.raises(LiteMedSamError, match=said):
        read_case(_save(tmp_path / "bad.npz", images, marks))


def test_bad_files_are_refused(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(LiteMedSamError, match="not an npz file, or a damaged one"):
        read_case(tmp_path / "bad.npz")
    np.savez(tmp_path / "unmarked.npz", imgs=np.zeros((4, 4), np.uint8))
    with pytest.raises(LiteMedSamError, match="has no gts"):
        read_case(tmp_path / "unmarked.npz")
    np.savez(tmp_path / "objects.npz", imgs=np.array([None]), gts=np.zeros(1))
    with pytest.raises(LiteMedSamError, match=r"objects\.npz: imgs holds pickled Python objects"):
        read_case(tmp_path / "objects.npz")


@pytest.mark.parametrize(
    ("images", "said"),
    [
        # 0.3 MB that unpack to a thousand times as much.
        (np.zeros((15_000, 20_000), np.uint8), "imgs: 0.58 MB declare 300 MB of data"),
        (np.array([[None, 1], [2, 3]]), "imgs holds pickled Python objects, which are never loaded"),
    ],
)
def test_the_command_refuses_what_unpacks_too_far_or_is_pickled(tmp_path, images, said):
    data = tmp_path / "data"
    data.mkdir()
    path = _save(data / "2DBox_US_set_1.npz", images, np.ones(images.shape, np.uint8))
    assert path.stat().st_size < 1e6
    run = CliRunner().invoke(main, ["default", "--data", str(data), "--out", str(tmp_path / "run")])
    assert run.exit_code == 1
    assert said in run.output
    assert run.output.count("\n") == 1


def test_folders_without_marked_cases_are_refused(tmp_path):
    with pytest.raises(LiteMedSamError, match="no such folder"):
        read_folders((tmp_path / "absent",))
    _save(tmp_path / "empty.npz", np.zeros((20, 24), np.uint8), np.zeros((20, 24), np.uint8))
    with pytest.raises(LiteMedSamError, match="no npz file with marked objects"):
        read_folders((tmp_path,))


def test_one_patient_is_on_one_side_of_the_split(tmp_path):
    for number in range(30):
        for kind in ("CT", "MR"):
            path = tmp_path / f"3DBox_{kind}_set_STS_{number:03}.npz"
            _save(path, np.zeros((2, 20, 24), np.uint8), _marks(2, 20, 24))
    learnt, measured = split(read_folders((tmp_path,)), 0.3)
    assert 4 <= len(measured) <= 30
    assert not {case.source for case in learnt} & {case.source for case in measured}
    assert len(learnt) + len(measured) == 60
