"""COCO detection: which picture, which pixels, which names."""

import copy
import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from form_files import COLUMNS, ROWS, asked, picture, touched
from hypothesis import given, settings
from hypothesis import strategies as st
from litemedsam.engine.cli.main import main
from litemedsam.engine.objects.forms.content import pixels_between
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.scan.scan import Scan
from tiny_bundle import write_tiny_bundle

from litemedsam import LiteMedSamError

# As annotation programs write it, with all the keys that they add.
DATASET = {
    "info": {"description": "polyps", "version": "1.0", "year": 2024},
    "licenses": [],
    "images": [
        {"id": 7, "file_name": "case.png", "width": COLUMNS, "height": ROWS, "license": 1, "coco_url": ""},
        {"id": 8, "file_name": "train/other.jpg", "width": 5, "height": 5},
    ],
    "categories": [
        {"id": 1, "name": "polyp", "supercategory": "lesion"},
        {"id": 2, "name": "Magenfalte größer", "supercategory": ""},
    ],
    "annotations": [
        {"id": 1, "image_id": 8, "category_id": 1, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0, "segmentation": []},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [12, 20, 69, 58], "area": 4002, "iscrowd": 0},
        {"id": 3, "image_id": 7, "category_id": 1, "bbox": [10.3, 20.25, 20.5, 9.5], "iscrowd": 0,
         "segmentation": [[10.3, 20.25, 30.8, 20.25, 30.8, 29.75]]},
        {"id": 4, "image_id": 7, "category_id": 1, "bbox": [1, 1, 50, 50], "iscrowd": 1,
         "segmentation": {"counts": [1, 2], "size": [80, 100]}},
    ],
}  # fmt: skip


def changed(key, number, **values):
    """The data set with other values in one entry."""
    content = copy.deepcopy(DATASET)
    content[key][number] |= values
    return content


def test_the_boxes_of_the_picture_of_the_scan_s_name(tmp_path):
    found = asked(tmp_path, DATASET, picture())
    # x, y, width and height become first and last pixels; fractions the pixels that they touch.
    np.testing.assert_array_equal(found.boxes, [[12, 20, 80, 77], [10, 20, 30, 29]])
    assert found.names == ("Magenfalte größer", "polyp")
    assert [note.partition(": ")[2] for note in prepare(picture(), found).notes] == [
        "1 annotations of crowds are left aside",
        "1 outlines are left aside, their boxes count",
    ]


def test_one_file_serves_every_picture(tmp_path):
    other = asked(tmp_path, DATASET, picture("other.jpg", 5, 5), "somewhere/other.jpg")
    np.testing.assert_array_equal(other.boxes, [[0, 0, 4, 4]])
    assert other.notes == ()


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0, COLUMNS - 1.5), st.floats(0, ROWS - 1.5), st.floats(0.01, 40), st.floats(0.01, 40), st.integers(0, 3)
)
def test_pixels_are_those_that_a_rectangle_touches(x, y, width, height, digits):
    low = round(x, digits), round(y, digits)
    high = min(low[0] + max(round(width, digits), 0.01), COLUMNS), min(low[1] + max(round(height, digits), 0.01), ROWS)
    expected = touched(low, high)
    np.testing.assert_array_equal(pixels_between(np.array(low), np.array(high)), expected)


def test_rounding_makes_no_further_pixel():
    # 473.07 + 165.93 is a little more than 639 in binary.
    np.testing.assert_array_equal(pixels_between(np.array([473.07]), np.array([473.07 + 165.93])), [473, 638])
    np.testing.assert_array_equal(pixels_between(np.array([9.9995]), np.array([20.0004])), [10, 19])
    np.testing.assert_array_equal(pixels_between(np.array([4.0]), np.array([4.0])), [4, 4])


@pytest.mark.parametrize(
    ("file_name", "path", "matches"),
    [
        ("case.png", "case.png", True),
        ("train\\case.png", "a/case.png", True),
        ("/home/someone/case.jpg", "a/case.png", True),
        ("case.dcm", "case.dcm", True),
        ("case.png", "case_0000.png", True),
        ("case_0000.png", "case_0000.png", True),
        ("Case.png", "case.png", False),
        ("case.png", "case_1.png", False),
        ("", "case.png", False),
    ],
)
def test_pictures_are_chosen_by_name(tmp_path, file_name, path, matches):
    content = changed("images", 0, file_name=file_name)
    if matches:
        assert len(asked(tmp_path, content, picture(), path).prompts) == 2
    else:
        with pytest.raises(LiteMedSamError, match=f"none of its 2 images is named {path}"):
            asked(tmp_path, content, picture(), path)


def test_folders_decide_between_pictures_of_one_name(tmp_path, monkeypatch):
    # The folder that a relative path starts from counts as well.
    monkeypatch.chdir(tmp_path)
    content = changed("images", 1, file_name="b/case.png", width=None, height=None)
    content["images"][0]["file_name"] = "a/case.png"
    assert len(asked(tmp_path, content, picture(), "set/a/case.png").prompts) == 2
    assert len(asked(tmp_path, content, picture(), "set/b/case.png").prompts) == 1
    with pytest.raises(LiteMedSamError, match=r"2 images are named a/case\.png; give file_name the folders, too"):
        asked(tmp_path, content, picture(), "case.png")
    # The whole name counts before a name with another suffix.
    content["images"][1]["file_name"] = "a/case.jpg"
    assert len(asked(tmp_path, content, picture(), "case.png").prompts) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed("images", 0, width=99), "width 99, but the scan case.png has 100 × 80 pixels"),
        (changed("images", 0, height=[]), "height [], but the scan"),
        (changed("images", 0, id=[7]), "image 1: id is [7], expected a whole number"),
        (changed("images", 1, file_name=3), "image 2: file_name is 3, expected a text"),
        (changed("annotations", 1, bbox=[1, 2, 3]), "annotation 2: bbox is [1, 2, 3], expected 4 numbers"),
        (changed("annotations", 1, bbox=[1, 2, -3, 4]), "annotation 2: bbox is [1, 2, -3, 4], expected x, y, width"),
        (changed("annotations", 1, bbox=[1, 2, float("inf"), 4]), "annotation 2: bbox holds NaN, infinity"),
        (changed("annotations", 1, bbox=[1e308, 2, 1e308, 4]), "a number beyond any image"),
        (changed("annotations", 1, bbox=None), "annotation 2: bbox is None"),
        (changed("categories", 0, name=5), "category 1: name is 5, expected a text"),
        (changed("categories", 0, name="\ud800"), "expected a text"),
        ({"images": {}, "annotations": []}, "images is {}, expected a list"),
        ({"images": DATASET["images"], "annotations": 3}, "annotations is 3, expected a list"),
        ({"images": DATASET["images"], "annotations": [3]}, "annotation 1: int, expected an object with image_id"),
        ({"images": DATASET["images"], "annotations": []}, "holds no box for case.png"),
        ([{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}], "COCO results, which name no pict"),
    ],
)
def test_mistakes_are_named(tmp_path, content, words):
    with pytest.raises(LiteMedSamError) as error:
        asked(tmp_path, content, picture())
    assert words in str(error.value)
    assert "boxes.json" in str(error.value)
    assert str(error.value).isprintable()


def test_mistakes_in_another_picture_s_boxes_do_not_matter(tmp_path):
    assert len(asked(tmp_path, changed("annotations", 0, bbox=[]), picture()).prompts) == 2


def test_names_are_left_out_where_there_are_none(tmp_path):
    content = {key: DATASET[key] for key in ("images", "annotations")}
    assert asked(tmp_path, content, picture()).names == ("", "")
    assert asked(tmp_path, changed("annotations", 1, category_id=9), picture()).names == ("", "polyp")


def test_the_remedy_of_results_works(tmp_path):
    results = [{"image_id": 7, "category_id": 1, "bbox": [12, 20, 69, 58], "score": 0.9}]
    found = asked(tmp_path, {**DATASET, "annotations": results}, picture())
    np.testing.assert_array_equal(found.boxes, [[12, 20, 80, 77]])


def test_pixels_are_no_millimetres(tmp_path):
    with pytest.raises(LiteMedSamError, match="COCO holds pixels, not millimetres; leave --box-space out"):
        asked(tmp_path, DATASET, picture(), world=True)


def test_an_npz_image_in_colour_has_its_first_two_axes(tmp_path):
    image = Scan("case.npz", np.zeros((ROWS, COLUMNS, 3), np.uint8), ready=True)
    found = asked(tmp_path, DATASET, image, "case.npz")
    assert prepare(image, found).case.grid == (ROWS, COLUMNS)


def test_one_file_for_a_run_over_pictures(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    content = copy.deepcopy(DATASET)
    content["images"][1] = {"id": 8, "file_name": "other.png", "width": COLUMNS, "height": ROWS}
    (tmp_path / "coco.json").write_text(json.dumps(content))
    for name in ("case.png", "other.png", "third.png"):
        image.fromarray(rng.integers(0, 256, (ROWS, COLUMNS), np.uint8)).save(tmp_path / name)
    write_tiny_bundle(tmp_path / "bundle")
    arguments = ["case.png", "other.png", "third.png", "--boxes", "coco.json", "--model", "bundle", "-o", "out"]
    with chdir(tmp_path):
        run = CliRunner().invoke(main, [*arguments, "--report", "run.json"])
    assert run.exit_code == 1
    assert "none of its 2 images is named third.png" in run.output
    report = json.loads((tmp_path / "run.json").read_text())
    cases = {Path(case["case"]).name: case for case in report["cases"]}
    assert [cases[name]["objects"] for name in ("case.png", "other.png")] == [2, 1]
    assert "crowds are left aside" in cases["case.png"]["notes"][0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["case.png", "other.png"]
