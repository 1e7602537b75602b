"""Folders and patterns become lists of scans."""

import re
import shutil

import nibabel
import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.running.cohort import distinct
from litemedsam.engine.running.options import Options
from PIL import Image
from sample_scans import BOX, VOLUME


def test_folders_and_patterns_are_searched(infer, scans, tmp_path):
    folder = tmp_path / "cohort"
    (folder / "one").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for place in ("one/a.png", "b.png", ".hidden/c.png", ".d.png"):
        Image.fromarray(VOLUME[2]).save(folder / place)
    (folder / "notes.txt").write_text("not a scan")
    run = infer(folder, "--box", "9,13,29,30")
    assert "2 of 2 segmented" in run.stdout
    found = {str(path.relative_to(tmp_path / "results")) for path in (tmp_path / "results").rglob("*.png")}
    assert found == {"one/a.png", "b.png"}
    run = infer("-i", folder, "--box", "9,13,29,30", "--skip-existing")
    assert "0 of 0 segmented, 0 failed, 2 skipped" in run.stdout
    run = infer(folder / "**" / "*.png", "--box", "9,13,29,30", "--overwrite")
    assert "segmented, 0 failed" in run.stdout
    assert "no file matches this pattern" in infer(folder / "*.nii", "--box", BOX, code=1).stderr
    (tmp_path / "empty").mkdir()
    assert "holds no scans" in infer(tmp_path / "empty", "--box", BOX, code=1).stderr
    assert "holds no .npz files and no other scans" in infer("-i", tmp_path / "empty", code=1).stderr
    assert "no such folder" in infer("-i", tmp_path / "none", code=1).stderr
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(VOLUME[2]).save(other / "b.png")
    assert "would both become b.png" in infer(folder / "b.png", other / "b.png", "--box", "1,1,5,5", code=2).stderr
    # Of a case that cannot be opened the name alone is known.
    assert "cannot be read" in infer(folder / "absent.png", "--box", "1,1,5,5", code=1).stderr


def test_scans_of_one_name_but_for_the_suffix_have_results_of_their_own(infer, tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    for name in ("x.png", "x.jpg", "x.bmp", "y.jpg", "y.bmp", "z.tif", "z.tiff", "w.jpg"):
        Image.fromarray(VOLUME[2]).save(folder / name)
    run = infer(folder, "--box", "9,13,29,30", "--overlay")
    assert "8 of 8 segmented" in run.stdout
    results = {path.name for path in (tmp_path / "results").iterdir() if ".overlay" not in path.name}
    assert results == {"x.png", "x.jpg.png", "x.bmp.png", "y.jpg.png", "y.bmp.png", "z.tif", "z.tiff.tif", "w.png"}
    assert len(list((tmp_path / "results").iterdir())) == 16
    again = infer(folder, "--box", "9,13,29,30", "--skip-existing")
    assert "0 of 0 segmented, 0 failed, 8 skipped" in again.stdout


def test_a_drawing_never_replaces_another_scan_s_result(infer, tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    Image.fromarray(VOLUME[2]).save(folder / "a.png")
    np.savez(folder / "a.npz", imgs=VOLUME[2], boxes=[[9, 13, 29, 30]])
    nibabel.Nifti1Image(VOLUME[2:3].transpose(), np.eye(4)).to_filename(folder / "a.nii")
    cases = [folder / "a.png", folder / "a.npz", folder / "a.nii"]
    infer(*cases, "--box", "9,13,29,30", "--overlay")
    names = {path.name for path in (tmp_path / "results").iterdir()}
    # The drawings of a.npz and a.nii would be a.png, as the result of a.png.
    assert len(names) == 6
    for case in cases:
        kind = format_of(case)
        (result,) = [path for path in (tmp_path / "results").iterdir() if _is_result(path, case)]
        kind.read_mask(result, kind.read(case))


def _is_result(path, case):
    return path.name.startswith(case.name) and ".overlay" not in path.name and path.suffix == case.suffix


@pytest.fixture
def cohort(scans, tmp_path):
    """Scans with masks, strokes and earlier results beside them."""
    folder = tmp_path / "cohort"
    for name in ("masks", "old"):
        (folder / name).mkdir(parents=True)
    for source, names in (
        ("scan.nii.gz", ("a.nii.gz", "b.nii.gz")),
        ("mask.nii.gz", ("mask.nii.gz", "masks/a.nii.gz", "masks/b.nii.gz", "old/c.nii.gz")),
        ("strokes.nii.gz", ("strokes.nii.gz",)),
    ):
        for name in names:
            shutil.copy(scans / source, folder / name)
    return folder


def segmented(run):
    return sorted(re.findall(r"^(\S+): \d objects?", run.stdout, re.MULTILINE))


def test_masks_and_results_beside_scans_are_no_cases(infer, cohort, tmp_path):
    (tmp_path / "cohort" / "strokes.nii.gz").unlink()
    results = cohort / "old"
    expected = [str(results / name) for name in ("a.nii.gz", "b.nii.gz")]
    shutil.rmtree(cohort / "masks")
    for given in ((cohort,), ("-i", cohort), (cohort / "*.nii.gz",), sorted(cohort.glob("*.nii.gz"))):
        run = infer(*given, "--boxes-from", cohort / "mask.nii.gz", "--overwrite", output=results)
        assert segmented(run) == expected
        assert f"Note: {cohort / 'mask.nii.gz'}: left out, since --boxes-from names it" in run.stdout
        if given[-1] == cohort:
            assert f"Note: {results}: left out, since results go there" in run.stdout
    assert (
        "left out"
        not in infer(cohort, "--boxes-from", cohort / "mask.nii.gz", "--overwrite", "-q", output=results).stdout
    )


def test_a_folder_of_masks_within_the_cohort_is_not_searched(infer, cohort, tmp_path):
    shutil.rmtree(cohort / "old")
    (cohort / "mask.nii.gz").unlink()
    run = infer(cohort, "--boxes-from", cohort / "masks", "--scribbles", cohort / "strokes.nii.gz")
    assert f"{cohort / 'masks'}: left out, since --boxes-from names it" in run.stdout
    assert f"{cohort / 'strokes.nii.gz'}: left out, since --scribbles names it" in run.stdout
    assert "of 2 segmented" in run.stdout


def test_a_mask_that_is_the_only_case_is_segmented(infer, cohort):
    run = infer(cohort / "mask.nii.gz", "--boxes-from", cohort / "mask.nii.gz")
    assert len(segmented(run)) == 1
    assert "left out" not in run.stdout


def test_a_name_that_another_scan_has_already_is_made_longer(tmp_path):
    cases = [tmp_path / name for name in ("x.jpg", "x.jpg.png", "x.png")]
    for case in cases:
        case.write_bytes(b"")
    options = distinct(cases, Options(tmp_path / "out", format=FORMATS["png"]))
    assert [options.target(case).name for case in cases] == ["x.jpg.png", "x.jpg.png.png", "x.png"]
