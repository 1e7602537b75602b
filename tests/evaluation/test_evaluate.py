"""Cases and folders measured: every remedy works, and a worker that dies costs one case."""

import os

import nibabel
import numpy as np
import pytest
from litemedsam.evaluation import evaluate
from litemedsam.evaluation.evaluate import MASKS, evaluate_case
from litemedsam.evaluation.rivals import RIVALS

from litemedsam import LiteMedSamError

FLAT = np.zeros((12, 14), np.uint8)
FLAT[3:8, 4:9] = 1
BOX = np.array([[4, 3, 8, 7]])
DEEP = np.stack([FLAT] * 3)
SPACING = np.array([1.0, 1, 2])
IMAGE = np.full(FLAT.shape, 9, np.uint8)


def stored(folder, name, content):
    """A file of arrays by key, or of one array as NIfTI."""
    folder.mkdir(exist_ok=True)
    if isinstance(content, dict):
        np.savez(folder / name, **content)
    elif content is not None:
        nibabel.Nifti1Image(np.ascontiguousarray(content.T), np.diag([1.0, 1, 2, 1])).to_filename(folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("name", "truth", "masks", "remedy", "better_name", "better_truth", "better_masks"),
    [
        ("a.npz", {"segs": FLAT}, {"segs": FLAT}, "store the array as 'gts'", "a.npz", {"gts": FLAT}, {"segs": FLAT}),
        ("a.npz", {"gts": FLAT}, None, "every ground truth needs masks of the", "a.npz", {"gts": FLAT}, {"segs": FLAT}),
        ("a.npz", {"gts": FLAT * 0.5}, {"segs": FLAT}, "store 0 for backgr", "a.npz", {"gts": FLAT}, {"segs": FLAT}),
        ("a.npz", {"gts": FLAT}, {"segs": FLAT[1:]}, "segment the same image at its", "a.npz", {"gts": FLAT},
         {"segs": FLAT}),
        ("a.npz", {"gts": FLAT}, {"segs": FLAT.astype(int) * 70000}, "number the objects from 1", "a.npz",
         {"gts": FLAT}, {"segs": FLAT}),
        ("a.npz", {"gts": DEEP, "spacing": [1, 0, 1]}, {"segs": DEEP}, "store (x, y, z) in mm", "a.npz",
         {"gts": DEEP, "spacing": SPACING}, {"segs": DEEP}),
        ("2D_CT_a.npz", {"gts": DEEP, "spacing": SPACING}, {"segs": DEEP}, "begin the name with 3D", "3D_CT_a.npz",
         {"gts": DEEP, "spacing": SPACING}, {"segs": DEEP}),
        ("3D_CT_a.npz", {"gts": FLAT}, {"segs": FLAT}, "or store gts with 3 axes", "3D_CT_a.npz",
         {"gts": FLAT[None], "spacing": SPACING}, {"segs": FLAT}),
        ("2D_CT_a.nii", DEEP, DEEP, "begin the name with 3D, or store one slice", "2D_CT_a.nii", DEEP[:1], DEEP[:1]),
        ("a.nii", np.stack([DEEP, DEEP]), DEEP, "store each volume in a file of its own", "a.nii", DEEP, DEEP),
        ("a.nii", DEEP, DEEP.astype(np.int16) * -1, "number the objects from 1", "a.nii", DEEP, DEEP),
        ("a.nii", DEEP, None, "every ground truth needs masks of the same file name", "a.nii", DEEP, DEEP),
    ],
)  # fmt: skip
def test_the_remedy_of_a_case_works(tmp_path, name, truth, masks, remedy, better_name, better_truth, better_masks):
    with pytest.raises(LiteMedSamError) as error:
        evaluate_case(stored(tmp_path / "gts", name, truth), stored(tmp_path / "segs", name, masks))
    assert remedy in str(error.value).partition("; ")[2]
    found = evaluate_case(
        stored(tmp_path / "gts", better_name, better_truth), stored(tmp_path / "segs", better_name, better_masks)
    )
    assert found.figures[MASKS]["corrected"].dsc == 1


@pytest.mark.parametrize(
    ("arrays", "remedy"),
    [
        ({"imgs": IMAGE[1:], "boxes": BOX}, "store the image beside its own ground truth"),
        ({"imgs": IMAGE, "boxes": BOX[0]}, "store one box per object"),
        ({"imgs": IMAGE}, "store the array as 'boxes'"),
    ],
)
def test_the_remedy_of_rivals_works(tmp_path, arrays, remedy):
    with pytest.raises(LiteMedSamError) as error:
        evaluate_case(stored(tmp_path, "a.npz", {"gts": FLAT, **arrays}), None, RIVALS)
    assert remedy in str(error.value).partition("; ")[2]
    good = stored(tmp_path, "a.npz", {"gts": FLAT, "imgs": IMAGE, "boxes": BOX})
    assert evaluate_case(good, None, RIVALS).figures["box"]["corrected"].dsc == 1


def test_a_worker_that_dies_is_a_failure(tmp_path, monkeypatch):
    class Dies(evaluate.ProcessPoolExecutor):
        def submit(self, job, name):
            return super().submit(os._exit, 1)

    stored(tmp_path, "a.npz", {"gts": FLAT})
    monkeypatch.setattr(evaluate, "ProcessPoolExecutor", Dies)
    (failure,) = evaluate.evaluate_folders(None, tmp_path, RIVALS, workers=2)
    assert "a worker process died; use fewer workers or more memory" in failure.message
