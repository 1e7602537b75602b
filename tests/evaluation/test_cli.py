"""The command's output, files and refusals."""

import csv
import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.evaluation.cli import main


def save(folder, name, **arrays):
    folder.mkdir(exist_ok=True)
    np.savez(folder / name, **arrays)


def labels(*objects, shape=(40, 50)):
    made = np.zeros(shape, np.uint8)
    for k, (y, x, side) in enumerate(objects, 1):
        made[..., y : y + side, x : x + side] = k
    return made


@pytest.fixture
def folders(tmp_path):
    segs, gts = tmp_path / "segs", tmp_path / "gts"
    image = np.full((40, 50, 3), 40, np.uint8)
    save(gts, "2DBox_CT_one.npz", gts=labels((4, 4, 10), (20, 30, 10)), imgs=image,
         boxes=np.array([[4, 4, 13, 13], [30, 20, 39, 29]]))  # fmt: skip
    save(segs, "2DBox_CT_one.npz", segs=labels((4, 4, 10), (20, 32, 10)))
    shape = (6, 40, 50)
    save(gts, "3DBox_MR_two.npz", gts=labels((4, 4, 10), shape=shape), imgs=image[None, ..., 0].repeat(6, 0),
         boxes=np.array([[4, 4, 0, 13, 13, 5]]), spacing=np.array([0.8, 0.8, 5.0]))  # fmt: skip
    save(segs, "3DBox_MR_two.npz", segs=labels((4, 4, 10), shape=shape).astype(np.uint16))
    return segs, gts


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_no_output_replaces_a_case_or_the_other_one(folders, tmp_path):
    segs, gts = folders
    before = {path: path.read_bytes() for folder in folders for path in folder.iterdir()}
    (tmp_path / "link.csv").symlink_to(segs / "2DBox_CT_one.npz")
    for option in ("--csv", "--json"):
        for output in (segs / "2DBox_CT_one.npz", gts / "3DBox_MR_two.npz", tmp_path / "link.csv"):
            result = run("-s", segs, "-g", gts, option, output)
            assert result.exit_code == 1
            assert "would be replaced; choose another file" in result.output
    assert run("-s", segs, "-g", gts, "--csv", tmp_path / "f", "--json", tmp_path / "f").exit_code == 2
    assert {path: path.read_bytes() for folder in folders for path in folder.iterdir()} == before
    # New files beside the cases harm none.
    assert run("-s", segs, "-g", gts, "--csv", segs / "f.csv").exit_code == 0


def test_table_rows_and_everything(folders, tmp_path):
    segs, gts = folders
    result = run("-s", segs, "-g", gts, "--csv", tmp_path / "f.csv", "--json", tmp_path / "f.json", "--rivals")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["challenge", "corrected"]
    assert lines[2].split() == ["CT", "1", "2", "masks", "0.9000", *lines[2].split()[5:]]
    assert any(line.startswith("macro mean") and "0.9500" in line for line in lines)
    with open(tmp_path / "f.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["case"], r["method"], r["label"]) for r in rows if r["method"] in ("masks", "box")] == [
        ("2DBox_CT_one.npz", "masks", "1"),
        ("2DBox_CT_one.npz", "masks", "2"),
        ("2DBox_CT_one.npz", "box", "1"),
        ("2DBox_CT_one.npz", "box", "2"),
        ("3DBox_MR_two.npz", "masks", "1"),
        ("3DBox_MR_two.npz", "box", "1"),
    ]
    assert float(rows[1]["challenge_dsc"]) == float(rows[1]["corrected_dsc"]) == pytest.approx(0.8)
    document = json.loads((tmp_path / "f.json").read_text())
    assert document["means"]["masks"]["corrected"]["macro"]["dsc"] == pytest.approx(0.95)
    assert document["means"]["box"]["challenge"]["groups"]["MR 3D"] == {"dsc": 1, "nsd": 1, "undefined": 0}
    assert document["cases"][1]["spacing"] == [0.8, 0.8, 5]
    assert document["failures"] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.csv", "f.json", "gts", "segs"]


def test_workers_give_the_same(folders, tmp_path):
    segs, gts = folders
    alone = run("-s", segs, "-g", gts, "--csv", tmp_path / "1.csv")
    many = run("-s", segs, "-g", gts, "--csv", tmp_path / "2.csv", "--workers", 2)
    assert alone.exit_code == many.exit_code == 0
    assert alone.stdout == many.stdout
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_every_broken_case_is_one_line_and_the_others_go_on(folders, tmp_path):
    segs, gts = folders
    truth = {"gts": labels((4, 4, 10))}
    for name in ("missing", "shape", "key", "pickled", "float", "torn", "bare", "rest"):
        save(gts, f"2DBox_US_{name}.npz", **truth)
    save(segs, "2DBox_US_shape.npz", segs=labels((4, 4, 10), shape=(40, 51)))
    save(segs, "2DBox_US_key.npz", masks=truth["gts"])
    save(segs, "2DBox_US_pickled.npz", segs=np.array([{}], object))
    save(segs, "2DBox_US_float.npz", segs=np.ones((40, 50)))
    (segs / "2DBox_US_torn.npz").write_bytes((segs / "2DBox_CT_one.npz").read_bytes()[:150])
    with open(segs / "2DBox_US_bare.npz", "wb") as file:
        np.save(file, truth["gts"])
    (segs / "2DBox_US_rest.npz").write_bytes(b"")
    save(gts, "3DBox_MR_plane.npz", **truth)
    save(gts, "3DBox_MR_nospacing.npz", gts=labels((4, 4, 10), shape=(3, 40, 50)))
    save(gts, "3DBox_MR_badspacing.npz", gts=labels((4, 4, 10), shape=(3, 40, 50)), spacing=np.array([1.0, 1, 0]))
    save(segs, "2DBox_US_alone.npz", segs=truth["gts"])
    result = run("-s", segs, "-g", gts, "--json", tmp_path / "f.json")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    expected = {
        "missing": "no such file",
        "shape": r"(40, 51)",
        "key": "'segs'",
        "pickled": "pickled",
        "float": "float64",
        "torn": "npz",
        "bare": "single array",
        "rest": "npz",
        "plane": "3D",
        "nospacing": "'spacing'",
        "badspacing": "above 0",
        "alone": "no ground truth",
    }
    assert len(errors) == len(expected)
    for name, words in expected.items():
        assert sum(f"_{name}.npz" in e and words in e for e in errors) == 1, (name, errors)
    document = json.loads((tmp_path / "f.json").read_text())
    assert len(document["failures"]) == len(expected)
    assert [c["name"] for c in document["cases"]] == ["2DBox_CT_one.npz", "3DBox_MR_two.npz"]


def test_nothing_to_measure_but_failures(folders, tmp_path):
    segs, gts = folders
    for path in segs.iterdir():
        path.unlink()
    result = run("-s", segs, "-g", gts, "--csv", tmp_path / "f.csv", "--json", tmp_path / "f.json")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(json.loads((tmp_path / "f.json").read_text())["failures"]) == 2


def test_an_undefined_figure_is_null_and_named(tmp_path):
    hole = labels((4, 4, 10), (4, 4, 0), (20, 30, 10))
    save(tmp_path / "gts", "2DBox_CT_hole.npz", gts=hole)
    save(tmp_path / "segs", "2DBox_CT_hole.npz", segs=hole)
    result = run("-s", tmp_path / "segs", "-g", tmp_path / "gts", "--json", tmp_path / "f.json")
    assert result.exit_code == 0
    assert "undefined" in result.stdout
    figures = json.loads((tmp_path / "f.json").read_text())["cases"][0]["figures"]["masks"]
    assert figures["challenge"]["dsc"] is None
    assert figures["challenge"]["nsd"] == 0
    assert figures["corrected"]["dsc"] == 1


def test_wrong_use(folders, tmp_path):
    segs, gts = folders
    (tmp_path / "empty").mkdir()
    for arguments in (
        [],
        ["-g", gts],
        ["-s", segs],
        ["-s", tmp_path / "none", "-g", gts],
        ["-s", segs, "-g", tmp_path / "empty"],
        ["-s", segs, "-g", gts, "--workers", 0],
        ["-s", segs, "-g", gts, "--csv", tmp_path / "none" / "f.csv"],
    ):
        assert run(*arguments).exit_code == 2, arguments


def test_help_is_light_and_evaluation_knows_no_network():
    code = (
        "import sys; import litemedsam.evaluation.cli; heavy = {'numpy', 'scipy', 'cv2', 'torch'} & set(sys.modules); "
        "import litemedsam.evaluation.evaluate, litemedsam.evaluation.report; "
        "far = ('litemedsam.engine', 'litemedsam.models', 'torch', 'onnx'); "
        "rooms = {m for m in sys.modules if m.startswith(far)}; "
        "print(sorted(heavy), sorted(rooms))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_clicks(correctable_bundle, folders, tmp_path):
    _, gts = folders
    save(gts, "2DBox_MR_boxless.npz", gts=labels((4, 4, 10)), imgs=np.full((40, 50), 40, np.uint8))
    given = ["-g", gts, "--clicks", 2, "--model", correctable_bundle, "--threads", 1, "--objects", 1]
    result = run(*given, "--csv", tmp_path / "f.csv", "--json", tmp_path / "f.json")
    assert result.exit_code == 1
    assert "2DBox_MR_boxless.npz: no key 'boxes'" in result.output
    assert "1 cases failed, 2 were measured" in result.output
    assert any(line.startswith("macro mean") for line in result.stdout.splitlines())
    with open(tmp_path / "f.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["case"], row["label"], row["clicks"]) for row in rows] == [
        (name, "1", str(step)) for name in ("2DBox_CT_one.npz", "3DBox_MR_two.npz") for step in range(3)
    ]
    document = json.loads((tmp_path / "f.json").read_text())
    assert [case["name"] for case in document["cases"]] == ["2DBox_CT_one.npz", "3DBox_MR_two.npz"]
    assert [failure["name"] for failure in document["failures"]] == ["2DBox_MR_boxless.npz"]


def test_clicks_need_a_model_that_takes_them(tiny_bundle, folders):
    _, gts = folders
    result = run("-g", gts, "--clicks", 1, "--model", tiny_bundle)
    assert result.exit_code == 1
    assert "takes no corrections" in result.output
    assert run("-g", gts, "--clicks", 1, "--rivals").exit_code == 2
    assert run("-g", gts, "--rivals", "--objects", 1).exit_code == 2


def test_the_command_says_what_it_lacks(tmp_path):
    folder = tmp_path / "gts"
    folder.mkdir()
    assert "nothing to measure" in run("-g", folder).stderr
    assert "no npz, NIfTI, NRRD or MetaImage files" in run("-g", folder, "--rivals").stderr
    save(folder, "2DBox_CT_a.npz", gts=labels((2, 3, 4)), imgs=labels((2, 3, 4)), boxes=np.array([[3, 2, 6, 4]]))
    assert "no such folder" in run("-g", folder, "--rivals", "--csv", tmp_path / "none" / "a.csv").stderr
    # A place where nothing can be written, even by root.
    done = run("-g", folder, "--rivals", "--csv", "/proc/a.csv")
    assert done.exit_code == 1
    assert "choose a file that can be written" in done.stderr
    done = run("-g", folder, "--rivals", "--json", tmp_path / "a.json")
    assert done.exit_code == 0
    assert "macro mean" in done.stdout


def test_without_any_good_case_there_is_no_table(tmp_path):
    save(tmp_path, "2DBox_CT_a.npz", gts=labels((2, 3, 4)))
    done = run("-g", tmp_path, "--rivals")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "1 cases failed, 0 were measured" in done.stderr


def test_clicks_without_files_for_the_figures(correctable_bundle, folders, tmp_path):
    given = ["--clicks", 1, "--model", correctable_bundle, "--threads", 1, "--objects", 1]
    result = run("-g", folders[1], *given)
    assert result.exit_code == 0, result.output
    assert "macro mean" in result.stdout
    (tmp_path / "boxless").mkdir()
    save(tmp_path / "boxless", "2DBox_MR_a.npz", gts=labels((4, 4, 10)), imgs=np.full((40, 50), 40, np.uint8))
    result = run("-g", tmp_path / "boxless", *given)
    assert result.exit_code == 1
    assert "1 cases failed, 0 were measured" in result.output
    assert "macro mean" not in result.stdout


def test_clicks_need_the_images_beside_the_truths(correctable_bundle, tmp_path):
    image = nibabel.Nifti1Image(labels((4, 4, 10)).T, np.eye(4))
    image.to_filename(tmp_path / "2DBox_MR_a.nii.gz")
    result = run("-g", tmp_path, "--clicks", 1, "--model", correctable_bundle)
    assert result.exit_code == 2
    assert "no npz files; --clicks needs their imgs, boxes and gts" in result.output
