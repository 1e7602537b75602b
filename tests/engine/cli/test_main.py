"""``litemedsam-infer`` as a user calls it."""

import json
import os
import sys
import weakref

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.engine.bundle.precision import PRECISIONS
from litemedsam.engine.cli.main import command, main
from places import EXAMPLES

from litemedsam import Predictor

IMAGE = EXAMPLES / "2DBox_phantom.npz"


def infer(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def small_cases(tmp_path_factory):
    """A folder with a 2D case, a grey 2D case and a volume of two slices."""
    folder = tmp_path_factory.mktemp("cases")
    image = np.load(IMAGE, allow_pickle=False)
    np.savez(folder / "b.npz", imgs=image["imgs"], boxes=image["boxes"])
    np.savez(folder / "a.npz", imgs=image["imgs"][..., 0], boxes=image["boxes"][1:])
    volume = np.load(EXAMPLES / "3DBox_phantom.npz", allow_pickle=False)
    np.savez(folder / "c.npz", imgs=volume["imgs"][6:8], boxes=[[19, 32, 0, 63, 81, 1]], spacing=volume["spacing"])
    return folder


@pytest.fixture(scope="module")
def results(small_cases, tmp_path_factory):
    """The folder run, with its output."""
    output = tmp_path_factory.mktemp("results")
    run = infer("-i", small_cases, "-o", output, "--report", output / "run.json", "-v")
    assert run.exit_code == 0, run.output
    return output, run


def test_a_folder(results):
    output, run = results
    assert sorted(path.name for path in output.iterdir()) == ["a.npz", "b.npz", "c.npz", "run.json"]
    shapes = {name: np.load(output / f"{name}.npz", allow_pickle=False)["segs"].shape for name in "abc"}
    assert shapes == {"a": (320, 420), "b": (320, 420), "c": (2, 128, 112)}
    assert "b.npz: 3 objects in" in run.output
    assert "encode" in run.output


def test_the_report(results):
    report = json.loads((results[0] / "run.json").read_text())
    run = report["run"]
    assert run["default_model"] is True
    assert run["precision"] in PRECISIONS
    assert run["precision_reason"]
    assert len(run["weights_sha256"]) == 64
    case = report["cases"][1]
    assert case["objects"] == 3
    assert case["encoded"] == 1
    assert (
        case["voxels"]
        == np.bincount(np.load(results[0] / "b.npz", allow_pickle=False)["segs"].ravel(), minlength=4)[1:].tolist()
    )
    assert {"read", "encode", "decode", "masks", "write", "total"} <= set(case["seconds"])


def test_other_order_and_an_overlay_give_the_same_bytes(small_cases, results, tmp_path):
    run = infer(*(small_cases / f"{name}.npz" for name in "cba"), "-o", tmp_path, "--overlay", "-q")
    assert run.exit_code == 0
    assert run.output == ""
    for name in "abc":
        assert (tmp_path / f"{name}.npz").read_bytes() == (results[0] / f"{name}.npz").read_bytes()
        picture = cv2.imread(str(tmp_path / f"{name}.png"))
        assert picture is not None
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_existing_results_are_kept(small_cases, results, tmp_path):
    target = tmp_path / "c.npz"
    target.write_bytes(b"mine")
    run = infer(small_cases / "c.npz", "-o", tmp_path)
    assert run.exit_code == 1
    assert "exists; add --overwrite or --skip-existing" in run.output
    assert target.read_bytes() == b"mine"
    run = infer(small_cases / "c.npz", "-o", tmp_path, "--skip-existing")
    assert run.exit_code == 0
    assert target.read_bytes() == b"mine"
    run = infer(small_cases / "c.npz", "-o", tmp_path, "--overwrite")
    assert run.exit_code == 0
    assert target.read_bytes() == (results[0] / "c.npz").read_bytes()


GOOD = np.zeros((20, 30, 3), np.uint8)
BOX = np.array([[2, 3, 9, 9]])
BAD = {
    "pickled": ({"imgs": np.array([{}], dtype=object), "boxes": BOX}, "imgs holds pickled Python objects"),
    "no_boxes_key": ({"imgs": GOOD}, "lacks boxes; expected the keys imgs, boxes, got imgs"),
    "rank": ({"imgs": np.zeros((2, 3, 4, 5, 6), np.uint8), "boxes": BOX}, "imgs has shape (2, 3, 4, 5, 6)"),
    "rgba": ({"imgs": np.zeros((20, 30, 4), np.uint8), "boxes": BOX}, "imgs has shape (20, 30, 4)"),
    "nan": ({"imgs": np.full((20, 30), np.nan), "boxes": BOX}, "imgs holds NaN or infinity"),
    "range": ({"imgs": np.full((20, 30), 300), "boxes": BOX}, "values from 300 to 300, expected 0..255"),
    "negative": ({"imgs": np.full((20, 30), -1.5), "boxes": BOX}, "values from -1.5 to -1.5"),
    "letters": ({"imgs": np.array([["a"]]), "boxes": BOX}, "expected numbers in 0..255"),
    "empty": ({"imgs": np.zeros((0, 30), np.uint8), "boxes": BOX}, "imgs is empty"),
    "box_rank": ({"imgs": GOOD, "boxes": np.array([2, 3, 9, 9])}, "boxes has shape (4,)"),
    "no_objects": ({"imgs": GOOD, "boxes": np.zeros((0, 4))}, "there are no boxes"),
    "swapped": ({"imgs": GOOD, "boxes": np.array([[2, 3, 9, 9], [9, 3, 2, 9]])}, "object 2: x_min 9 is greater"),
    "outside": ({"imgs": GOOD, "boxes": np.array([[2, 3, 99, 9]])}, "object 1: x from 2 to 99"),
    "box_nan": ({"imgs": GOOD, "boxes": np.array([[2, 3, np.nan, 9]])}, "object 1: the box (2, 3, nan, 9)"),
    "z_outside": (
        {"imgs": np.zeros((3, 20, 30), np.uint8), "boxes": np.array([[2, 3, 1, 9, 9, 3]])},
        "object 1: z from 1 to 3",
    ),
    "z_between": (
        {"imgs": np.zeros((3, 20, 30), np.uint8), "boxes": np.array([[2, 3, 0.5, 9, 9, 2]])},
        "expected whole slice numbers",
    ),
    "spacing": (
        {"imgs": np.zeros((3, 20, 30), np.uint8), "boxes": np.array([[2, 3, 1, 9, 9, 2]]), "spacing": np.zeros(3)},
        "expected positive numbers in mm",
    ),
}


@pytest.fixture(scope="module")
def bad_run(small_cases, tmp_path_factory):
    """Every bad case among good ones, in one run of the folder."""
    folder, output = tmp_path_factory.mktemp("bad"), tmp_path_factory.mktemp("bad-results")
    for name, (arrays, _) in BAD.items():
        np.savez(folder / f"{name}.npz", **arrays)
    whole = (small_cases / "c.npz").read_bytes()
    (folder / "truncated.npz").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[len(whole) // 3 : len(whole) // 3 + 400] = bytes(400)
    (folder / "damaged.npz").write_bytes(damaged)
    (folder / "text.npz").write_text("not an npz")
    (folder / "zero.npz").touch()
    with open(folder / "array.npz", "wb") as file:
        np.save(file, GOOD)
    (folder / "zz_good.npz").write_bytes(whole)
    return folder, output, infer("-i", folder, "-o", output)


def test_bad_cases_fail_and_the_others_go_on(bad_run):
    folder, output, run = bad_run
    assert run.exit_code == 1
    assert [path.name for path in output.iterdir()] == ["zz_good.npz"]
    errors = [line for line in run.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == len(list(folder.iterdir())) - 1
    assert "Traceback" not in run.output


@pytest.mark.parametrize("name", BAD)
def test_bad_arrays_are_explained(bad_run, name):
    (line,) = [line for line in bad_run[2].output.splitlines() if line.startswith("Error: ") and f"/{name}.npz" in line]
    assert BAD[name][1] in line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("truncated", "not an npz file, or a damaged one"),
        ("damaged", "is damaged"),
        ("text", "not an npz file, or a damaged one"),
        ("zero", "not an npz file, or a damaged one"),
        ("array", "a single array, expected an npz file"),
    ],
)
def test_bad_files_are_explained(bad_run, name, message):
    (line,) = [line for line in bad_run[2].output.splitlines() if line.startswith("Error: ") and f"/{name}.npz" in line]
    assert message in line


def test_a_missing_file(tmp_path):
    run = infer(tmp_path / "none.npz", "-o", tmp_path)
    assert run.exit_code == 1
    assert "none.npz: cannot be read (No such file or directory)" in run.output


def test_an_output_that_is_a_file(small_cases, tmp_path):
    (tmp_path / "taken").touch()
    run = infer(small_cases / "c.npz", "-o", tmp_path / "taken")
    assert run.exit_code == 1
    assert "cannot be written" in run.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x.npz", "-i", "y"],
        ["x.npz", "--overwrite", "--skip-existing"],
        ["x.npz", "--backend", "z"],
        ["a/x", "b/x"],
    ],
)
def test_usage_errors_exit_2(arguments):
    assert infer(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"), [(["-i", "nowhere"], "no such folder"), (["x.npz", "--model", "y"], "y: no such bundle")]
)
def test_what_cannot_be_started_exits_1(arguments, message):
    run = infer(*arguments)
    assert run.exit_code == 1
    assert message in run.output


def test_an_empty_folder(tmp_path):
    run = infer("-i", tmp_path)
    assert run.exit_code == 1
    assert "holds no .npz files" in run.output


def test_ort_refuses_bf16(small_cases, tmp_path):
    run = infer(small_cases / "c.npz", "-o", tmp_path, "--backend", "onnxruntime", "--precision", "bf16")
    assert run.exit_code == 1
    assert "use --backend openvino" in run.output


def test_the_process_ends_before_its_graphs_are_freed(tmp_path, tiny_bundle, scans, monkeypatch):
    """To free them takes a tenth of a short run; the system does it faster."""
    held, ended = [], []
    make = Predictor.of

    def made(*given):
        predictor = make(*given)
        held.append(weakref.ref(predictor))
        return predictor

    monkeypatch.setattr(Predictor, "of", made)
    monkeypatch.setattr(os, "_exit", lambda code: ended.append((code, held[0]() is not None)))
    words = [scans / "slice.png", "--box", "9,13,29,30", "-o", tmp_path, "--model", tiny_bundle, "-q"]
    monkeypatch.setattr(sys, "argv", ["litemedsam-infer", *map(str, words)])
    streams = sys.stdout, sys.stderr
    try:
        command()
    finally:
        sys.stdout, sys.stderr = streams
    assert ended == [(0, True)]
    assert (tmp_path / "slice.png").is_file()
