"""No output of the command replaces what it reads, nor a file of another kind, nor another output."""

import json
import os
import shutil

import pytest
from litemedsam.engine.running.run import run
from sample_scans import BOX

FLAT_BOX = "9,13,29,30"


@pytest.fixture
def mine(scans, tmp_path):
    """The phantom of every format in a folder of its own."""
    return shutil.copytree(scans, tmp_path / "mine")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuses(infer, folder, *arguments, words, code=1):
    """The run writes nothing at all, whatever is to be done with results that exist."""
    before = contents(folder)
    for existing in ((), ("--overwrite",), ("--skip-existing",)):
        run = infer(*arguments, *existing, code=code)
        (line,) = run.stderr.splitlines()[-1:]
        assert words in line
        assert "--overwrite" not in line
        assert contents(folder) == before


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("flat.npz", ()),
        ("volume.npz", ()),
        ("scan.nii.gz", ("--box", BOX)),
        ("slice.png", ("--box", FLAT_BOX)),
        ("pages.tif", ("--box", BOX)),
    ],
)
def test_a_result_in_the_case_s_own_folder(infer_into, mine, case, options):
    refuses(infer_into(mine), mine, mine / case, *options, words="is read by this run, and would be replaced")


def test_a_dicom_file_and_its_series(infer_into, mine):
    file = next((mine / "series").iterdir())
    file.rename(mine / "series" / "one.dcm")
    into = infer_into(mine / "series")
    refuses(into, mine, mine / "series", "--box", BOX, words="among the files of")
    refuses(into, mine, mine / "series" / "one.dcm", "--box", BOX, words="is read by this run")


def test_a_stack_of_slices_and_its_folder(infer_into, mine):
    refuses(infer_into(mine), mine, mine / "stack", "--stack", "--box", BOX, words="is read by this run")
    into = infer_into(mine / "stack")
    refuses(into, mine, mine / "stack", "--stack", "--box", BOX, words="among the files of", code=1)


def test_a_folder_into_itself(infer_into, mine, tmp_path):
    cases = tmp_path / "cases"
    cases.mkdir()
    (mine / "flat.npz").rename(cases / "flat.npz")
    refuses(infer_into(cases), cases, "-i", cases, words="is read by this run, and would be replaced")


def test_the_same_folder_under_another_name(infer_into, mine, tmp_path):
    (tmp_path / "link").symlink_to(mine)
    refuses(infer_into(tmp_path / "link"), mine, mine / "flat.npz", words="is the same file as")
    (tmp_path / "hard").mkdir()
    os.link(mine / "flat.npz", tmp_path / "hard" / "flat.npz")
    refuses(infer_into(tmp_path / "hard"), mine, mine / "flat.npz", words="is the same file as")


def test_a_case_that_is_a_link_to_the_result(infer_into, mine, tmp_path):
    (tmp_path / "alias").mkdir()
    (tmp_path / "alias" / "flat.npz").symlink_to(mine / "flat.npz")
    refuses(infer_into(mine), mine, tmp_path / "alias" / "flat.npz", words="is the same file as")


def test_masks_and_boxes_and_drawings(infer_into, mine):
    into = infer_into(mine)
    (mine / "x").mkdir()
    shutil.move(mine / "scan.nii.gz", mine / "x" / "mask.nii.gz")
    given = (mine / "x" / "mask.nii.gz", "--boxes-from", mine / "mask.nii.gz")
    refuses(into, mine, *given, words="is read by this run")
    # The drawing of flat.npz is flat.png, which is the mask itself.
    (mine / "flat.png").write_bytes((mine / "slice.png").read_bytes())
    given = ("--boxes-from", mine / "flat.png", "--format", "nifti", "--overlay")
    refuses(into, mine, mine / "flat.npz", *given, words="flat.png: is read by this run")


@pytest.mark.parametrize("record", ["--csv", "--report", "--html"])
@pytest.mark.parametrize("name", ["flat.npz", "scan.nii.gz", "mask.nii.gz", "boxes.json"])
def test_records_replace_no_file_of_another_kind(infer, mine, record, name):
    for case in (
        ("flat.npz",),
        ("scan.nii.gz", "--boxes", mine / "boxes.json"),
        ("scan.nii.gz", "--boxes-from", mine / "mask.nii.gz"),
    ):
        before = contents(mine)
        run = infer(mine / case[0], *case[1:], record, mine / name, code=1)
        (line,) = run.stderr.splitlines()
        assert "give" in line
        assert contents(mine) == before


def test_outputs_that_would_replace_each_other(infer, mine, tmp_path):
    both = tmp_path / "both"
    infer(mine / "flat.npz", "--report", both, "--csv", both, code=2)
    infer(mine / "flat.npz", "--report", tmp_path / "results" / "flat.npz", code=2)
    assert not (tmp_path / "results").exists()


ODD = ("inf", "-inf", "nan", "-0", "1e308", "-1e308", "1e-320", "99999999999999999999", "1" + "0" * 400, "1" * 5000)


@pytest.mark.parametrize("value", ODD)
def test_numbers_that_are_none_end_in_one_line_or_in_a_sound_result(infer, scans, tmp_path, recwarn, value):
    flat, deep = scans / "slice.png", scans / "scan.nii.gz"
    box = ("--box", FLAT_BOX)
    for arguments in (
        *((flat, *box, option, value) for option in ("--cache-mb", "--seed", "--threads", "--frame")),
        (flat, "--box", f"9,13,{value},30"),
        (flat, "--box", f"{value},13,29,30"),
        (deep, "--box", f"9,13,{value},29,30,{value}"),
        (deep, "--box", f"9,13,{value},29,30,{value}", "--box-space", "world"),
        (flat, *box, "--spacing", f"{value},1"),
        (flat, *box, "--spacing", f"{value},{value}"),
        (flat, *box, "--window", f"{value},{value}"),
        (deep, "--boxes-from", scans / "mask.nii.gz", "--margin", value),
        (scans / "flat.npz", "--workers", value),
    ):
        run = infer(*arguments, "--overwrite", "--report", tmp_path / "r.json", "-q", code=None)
        assert run.exit_code in (0, 1, 2)
        lines = [line for line in run.stderr.splitlines() if line.startswith("Error: ")]
        assert len(lines) == (run.exit_code != 0), run.output
        assert "export the bundle" not in run.output
        if run.exit_code == 0:
            # Neither NaN nor Infinity, which are no JSON.
            json.loads((tmp_path / "r.json").read_text(), parse_constant=pytest.fail)
        (tmp_path / "r.json").unlink(missing_ok=True)
    assert [str(warning.message) for warning in recwarn if warning.category is RuntimeWarning] == []


def test_what_a_killed_worker_left_is_gone_after_the_run(infer, scans, tmp_path, monkeypatch):
    folder = tmp_path / "cases"
    folder.mkdir()
    for name in "ab":
        shutil.copy(scans / "slice.png", folder / f"{name}.png")
    left = tmp_path / "results" / ".a.png.0123abcd.part"

    def run_with_a_death(*given):
        left.write_bytes(b"half a result")
        return run(*given)

    monkeypatch.setattr("litemedsam.engine.cli.invocation.run", run_with_a_death)
    infer("-i", folder, "--box", FLAT_BOX)
    assert sorted(path.name for path in left.parent.iterdir()) == ["a.png", "b.png"]
