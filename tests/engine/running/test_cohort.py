"""Folders and patterns become lists of scans."""

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
