"""One file of boxes, or a folder of them: which file, read how often, and what no form takes."""

import json
from pathlib import Path

import numpy as np
import pytest
from form_files import picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litemedsam.engine.objects.forms.registry import BOXES_FORMS, form_of
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan

from litemedsam import LiteMedSamError

RECTANGLE = {"label": "a", "shape_type": "rectangle", "points": [[1, 2], [11, 12]]}
DATASET = {
    "images": [{"id": 1, "file_name": "case.png"}],
    "categories": [{"id": 1, "name": "a"}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 10]}],
}
ROI = {"type": "ROI", "center": [-6, -7, 6], "size": [8, 8, 9], "orientation": [1, 0, 0, 0, 1, 0, 0, 0, 1]}
EVERY_FORM = {
    "own": {"version": 1, "objects": [{"box": [1, 2, 10, 11]}]},
    "rectangles": [{"type": "rectangle", "data": [1, 2, 10, 11]}],
    "plain": [[1, 2, 10, 11]],
    "coco": DATASET,
    "labelme": {"shapes": [RECTANGLE]},
}


@pytest.mark.parametrize("name", EVERY_FORM)
def test_a_folder_holds_one_file_for_each_scan_in_any_form(tmp_path, name):
    (tmp_path / "case.json").write_text(json.dumps(EVERY_FORM[name]))
    (tmp_path / "other.json").write_text("[[1, 1, 2, 2]]")
    found = BoxesFile(tmp_path).objects(Path("scans/case.png"), picture())
    np.testing.assert_array_equal(found.boxes, [[1, 2, 10, 11]])
    np.testing.assert_array_equal(BoxesFile(tmp_path).objects(Path("other.png"), picture()).boxes, [[1, 1, 2, 2]])
    with pytest.raises(LiteMedSamError, match=r"holds no file third\.mrk\.json or \.json"):
        BoxesFile(tmp_path).objects(Path("third.png"), picture())


def test_a_folder_of_slicer_files(tmp_path):
    (tmp_path / "case.mrk.json").write_text(json.dumps({"markups": [ROI]}))
    volume = Scan("case.nii.gz", np.zeros((9, 40, 50), np.uint8), True, Geometry(np.diag([1.0, 1, 3, 1])))
    found = BoxesFile(tmp_path).objects(Path("case.nii.gz"), volume)
    np.testing.assert_array_equal(found.boxes, [[2, 3, 1, 10, 11, 3]])


def test_a_file_of_many_scans_is_parsed_once_and_again_when_it_changes(tmp_path, monkeypatch):
    calls = []
    parse = json.loads
    monkeypatch.setattr(json, "loads", lambda content: calls.append(1) or parse(content))
    file = tmp_path / "many.json"
    file.write_text(json.dumps(DATASET))
    source = BoxesFile(file)
    for _ in range(3):
        np.testing.assert_array_equal(source.objects(Path("case.png"), picture()).boxes, [[1, 2, 10, 11]])
    assert len(calls) == 1
    file.write_text("[[1, 1, 2, 2]]")
    np.testing.assert_array_equal(source.objects(Path("case.png"), picture()).boxes, [[1, 1, 2, 2]])
    assert len(calls) == 2


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[[1, 2, 10, 11]]")
    np.testing.assert_array_equal(BoxesFile(tmp_path / "a.json").objects(Path("a"), picture()).boxes, [[1, 2, 10, 11]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"1" * 5000, "not JSON"),
        (b"null", "NoneType, expected an object with version, objects"),
        (b'{"boxes": [[1, 2, 3, 4]]}', "unknown key boxes; expected version, objects"),
    ],
)
def test_what_no_form_takes_is_explained(tmp_path, content, words):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(LiteMedSamError) as error:
        BoxesFile(tmp_path / "a.json").objects(Path("a.png"), picture())
    assert words in str(error.value)
    with pytest.raises(LiteMedSamError, match="cannot be read"):
        BoxesFile(tmp_path / "absent.json").objects(Path("a.png"), picture())


def test_each_form_is_recognised_by_itself_alone():
    contents = [*EVERY_FORM.values(), {"markups": [ROI]}, [{"image_id": 1, "bbox": [1, 2, 3, 4]}]]
    assert len({type(form_of(content)) for content in contents}) == len(contents) == len(BOXES_FORMS)


# Any JSON, and JSON that has the right shape with any value somewhere in it.
NUMBERS = st.floats() | st.integers() | st.floats(-100, 100).map(lambda x: round(x, 2))
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=4)
ANY = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner,
                   max_size=3), max_leaves=8)  # fmt: skip
TEMPLATES = [*EVERY_FORM.values(), {"markups": [ROI, {"type": "Line"}]}, [{"image_id": 1, "bbox": [1, 2, 3, 4]}],
             {"version": 1, "space": "world", "objects": [{"name": "a", "box": [1, 2, 3, 4], "z": [0, 1],
              "points": [[3, 3, 1]], "scribble": {"strokes": [[[3, 3, 1]]], "width": 2}}]}]  # fmt: skip


@st.composite
def damaged(draw):
    """A file of a known form with some values replaced, or keys dropped."""
    rate = draw(st.integers(3, 25))

    def walk(value):
        if draw(st.integers(0, rate)) == 0:
            return draw(ANY)
        if isinstance(value, dict):
            return {key: walk(inner) for key, inner in value.items() if draw(st.integers(0, 4 * rate))}
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    return walk(draw(st.sampled_from(TEMPLATES)))


@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(content=ANY | damaged(), world=st.booleans(), flat=st.booleans())
@pytest.mark.filterwarnings("error")
def test_any_json_gives_objects_or_one_line(tmp_path_factory, content, world, flat):
    file = tmp_path_factory.getbasetemp() / "fuzzed.json"
    file.write_bytes(json.dumps(content).encode())
    geometry = Geometry(np.array([[-1.0, 0, 0, 9], [0, 0, 2, 1], [0, 1.5, 0, -4], [0, 0, 0, 1]]))
    scan = picture() if flat else Scan("case.png", np.zeros((9, 80, 100), np.uint8), True, geometry)
    found, message = outcome(BoxesFile(file, world), scan)
    if found is None:
        assert message == " ".join(message.split())
        assert message.encode()
    else:
        assert found.prompts
        assert np.isfinite(found.boxes).all()
        assert all(name.encode().decode() == name for name in found.names)


def outcome(source, scan):
    """The objects, or None and the refusal."""
    try:
        return source.objects(Path("case.png"), scan), ""
    except LiteMedSamError as error:
        return None, str(error)
