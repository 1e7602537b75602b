"""Folders and patterns become lists of scans."""

import nibabel
import numpy as np
from litemedsam.engine.io.formats import format_of
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
