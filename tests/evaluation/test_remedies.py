"""Remedies of the command that evaluates: whoever does what a message says gets figures."""

import json

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.evaluation.cli import main

SQUARE = np.zeros((40, 50), np.uint8)
SQUARE[4:14, 6:20] = 1
CUBE = np.stack([SQUARE] * 4)
BOX = np.array([[6, 4, 19, 13]])


@pytest.fixture
def folders(tmp_path):
    for name in ("segs", "gts"):
        (tmp_path / name).mkdir()
    return tmp_path / "segs", tmp_path / "gts"


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def nifti(array, suffix=""):
    return lambda path: nibabel.Nifti1Image(array.transpose(), np.eye(4)).to_filename(path)


def evaluated(folders, name, truth, mask, *words):
    """The command's exit status and output, for one case written anew."""
    for folder, write in zip(folders, (mask, truth), strict=True):
        for old in folder.iterdir():
            old.unlink()
        if write is not None:
            write(folder / name)
    table = folders[0].parent / "figures.json"
    run = CliRunner().invoke(main, ["-s", *map(str, (folders[0], "-g", folders[1], "--json", table, *words))])
    return run.exit_code, run.output, json.loads(table.read_text()) if run.exit_code == 0 else None


IMAGE = np.full((40, 50, 3), 40, np.uint8)
FLAT = {"gts": SQUARE, "imgs": IMAGE, "boxes": BOX}
DEEP = {"gts": CUBE, "spacing": [1, 1, 2]}
FLAT_RIGHT = (npz(**FLAT), npz(segs=SQUARE))
DEEP_RIGHT = (npz(**DEEP), npz(segs=CUBE))
# The name, the wrong truth and masks, the remedy, and the right ones.
CASES = {
    "no masks": ("2DBox_CT_a.npz", (npz(**FLAT), None), "masks of the same file name", FLAT_RIGHT),
    "no key": ("2DBox_CT_a.npz", (npz(**FLAT), npz(masks=SQUARE)), "store the array as 'segs'", FLAT_RIGHT),
    "probabilities": (
        "2DBox_CT_a.npz",
        (npz(**FLAT), npz(segs=SQUARE / 2)),
        "store 0 for background and k for object k",
        FLAT_RIGHT,
    ),
    "labels below 0": (
        "2DBox_CT_a.npz",
        (npz(**FLAT), npz(segs=SQUARE.astype(np.int16) - 1)),
        "number the objects from 1",
        FLAT_RIGHT,
    ),
    "another size": (
        "2DBox_CT_a.npz",
        (npz(**FLAT), npz(segs=SQUARE[:20])),
        "segment the same image at its own size",
        FLAT_RIGHT,
    ),
    "a volume named 2D": ("2DBox_CT_a.npz", DEEP_RIGHT, "store gts with 2 axes", FLAT_RIGHT),
    "an image named 3D": ("3DBox_CT_a.npz", FLAT_RIGHT, "store gts with 3 axes", DEEP_RIGHT),
    "an odd spacing": (
        "3DBox_CT_a.npz",
        (npz(gts=CUBE, spacing=[1, 0, 2]), npz(segs=CUBE)),
        "store (x, y, z) in mm",
        DEEP_RIGHT,
    ),
    "a NIfTI volume named 2D": (
        "2DBox_CT_a.nii.gz",
        (nifti(CUBE), nifti(CUBE)),
        "begin the name with 3D, or store one slice",
        (nifti(SQUARE[None]), nifti(SQUARE[None])),
    ),
    "several volumes": (
        "3DBox_CT_a.nii.gz",
        (nifti(np.stack([CUBE, CUBE])), nifti(CUBE)),
        "store each volume in a file of its own",
        (nifti(CUBE), nifti(CUBE)),
    ),
}


@pytest.mark.parametrize(("name", "wrong", "remedy", "right"), CASES.values(), ids=CASES)
def test_files(folders, name, wrong, remedy, right):
    status, output, _ = evaluated(folders, name, *wrong)
    assert status == 1
    assert remedy in output
    status, output, found = evaluated(folders, name, *right)
    assert status == 0, output
    assert found["means"]["masks"]["corrected"]["macro"]["dsc"] == 1


def rivals(**arrays):
    return npz(**{**FLAT, **arrays})


RIVALS = {
    "an image of another size": (rivals(imgs=IMAGE[:20]), "store the image beside its own ground truth"),
    "boxes of another form": (rivals(boxes=[1, 2, 3]), "store one box per object"),
}


@pytest.mark.parametrize(("wrong", "remedy"), RIVALS.values(), ids=RIVALS)
def test_files_for_rivals(folders, wrong, remedy):
    status, output, _ = evaluated(folders, "2DBox_CT_a.npz", wrong, FLAT_RIGHT[1], "--rivals")
    assert status == 1
    assert remedy in output
    status, output, _ = evaluated(folders, "2DBox_CT_a.npz", *FLAT_RIGHT, "--rivals")
    assert status == 0, output


def test_rivals_of_files_without_images(folders):
    given = ("3DBox_CT_a.nii.gz", nifti(CUBE), nifti(CUBE))
    status, output, _ = evaluated(folders, *given, "--rivals")
    assert status == 1
    assert "leave --rivals out, or give npz files" in output
    assert evaluated(folders, *given)[0] == 0
    assert evaluated(folders, "2DBox_CT_a.npz", *FLAT_RIGHT, "--rivals")[0] == 0


def test_masks_of_two_names(folders):
    nifti(CUBE)(folders[1] / "3DBox_CT_a.nii.gz")
    for name in ("3DBox_CT_a.nii", "3DBox_CT_a.NII"):
        nifti(CUBE)(folders[0] / name)
    given = ["-s", str(folders[0]), "-g", str(folders[1])]
    run = CliRunner().invoke(main, given)
    assert run.exit_code == 1
    assert "masks may be 3DBox_CT_a.nii and 3DBox_CT_a.NII; keep one of them" in run.output
    (folders[0] / "3DBox_CT_a.NII").unlink()
    assert CliRunner().invoke(main, given).exit_code == 0
