"""Corrections on the server: each click starts from the mask before, and the saved prompts give the same bytes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.running.job import Request, segment_file
from litemedsam.engine.sessions.history import ObjectHistory
from litemedsam.engine.settings import EngineSettings
from litemedsam.server.sessions.corrections import MOST_CORRECTIONS, as_json
from litemedsam.server.sessions.objects import Correction
from litemedsam.server.sessions.repairs import Repairs

from litemedsam import LiteMedSamError, Predictor

BOX, VOLUME_BOX = (6, 5, 34, 31), (6, 5, 1, 34, 31, 4)
STEPS = (
    Correction(True, ((20, 20),)),
    Correction(False, ((10, 9),)),
    Correction(True, ((12, 27), (16, 27), (16, 24))),
    Correction(False, ((30, 8), (33, 12))),
)


def quiet(done, total):
    """No progress."""


@pytest.fixture(scope="module")
def predictor(correctable_bundle):
    with Predictor(correctable_bundle, "onnxruntime", "f32", threads=1) as made:
        yield made


def test_each_click_starts_from_the_mask_before(predictor, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (40, 48), np.uint8)
    with predictor.open(image) as session:
        begun, calls = session.begin, []
        monkeypatch.setattr(session, "begin", lambda box: calls.append(box) or begun(box))
        repairs = Repairs(session)
        found = [repairs.history(BOX, STEPS[:k], quiet) for k in range(5)]
        assert len(calls) == 1
        assert all(isinstance(each, ObjectHistory) and each.at == k for k, each in enumerate(found))
        fresh = Repairs(session).history(BOX, STEPS, quiet)
        np.testing.assert_array_equal(found[4].mask, fresh.mask)
        assert found[4].score == fresh.score
        assert repairs.history(BOX, STEPS[:1], quiet) is found[1]


@pytest.fixture
def correcting(serve, correctable_bundle):
    return serve(engine=EngineSettings(correctable_bundle, "onnxruntime", "f32", threads=1))


@pytest.mark.parametrize("name", ["slice.png", "scan.nii.gz"])
def test_corrections_by_the_api_and_their_saved_form(correcting, predictor, scans, tmp_path, name):
    client = correcting
    session = client.opened(name)
    volume = session["volume"]
    assert client.get("/api/about").json()["corrections"]
    box = list(VOLUME_BOX if volume else BOX)
    at = f"/api/sessions/{session['id']}"
    key = client.post(f"{at}/objects", json={"box": box}).json()["key"]
    deeper = [
        replace(step, places=tuple((*place, *([3] if volume else [])) for place in step.places)) for step in STEPS
    ]
    steps = [as_json(step) for step in deeper]
    first = client.settled(session["id"])["objects"][0]
    for k in range(4):
        answer = client.patch(f"{at}/objects/{key}", json={"corrections": steps[: k + 1]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["objects"][0]["corrections"] == steps[: k + 1]
    state = client.settled(session["id"])
    assert state["objects"][0]["error"] == ""
    assert state["undo"] == 5
    prompts = tmp_path / "prompts.json"
    prompts.write_bytes(client.exported(session["id"], "prompts"))
    saved = json.loads(prompts.read_text())["objects"][0]["corrections"]
    assert [next(iter(made)) for made in saved] == ["add", "remove", "add_strokes", "remove_strokes"]
    expected = segment_file(predictor, Request(Path(scans) / name, BoxesFile(prompts)))
    assert state["objects"][0]["voxels"] == np.count_nonzero(expected.result.labels)
    for _ in range(4):
        client.post(f"{at}/undo", json={})
    assert client.settled(session["id"])["objects"][0]["voxels"] == first["voxels"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "corrections is 3, expected a list"),
        ([{}], "expected one of add, remove, add_stroke, remove_stroke"),
        ([{"add": [1, 2], "remove": [1, 2]}], "expected one of add, remove, add_stroke, remove_stroke"),
        ([{"erase": [1, 2]}], "expected one of add, remove, add_stroke, remove_stroke"),
        ([{"add": [1, 2, 3]}], "expected whole numbers within 48 × 40"),
        ([{"add": [48, 2]}], "expected whole numbers within 48 × 40"),
        ([{"add": [True, 2]}], "expected whole numbers within 48 × 40"),
        ([{"add_stroke": [[1, 2]]}], "expected a list of 2 to 500 places"),
        ([{"add_stroke": [[1, 2]] * 501}], "expected a list of 2 to 500 places"),
        ([{"remove_stroke": [[1, 2], [48, 2]]}], "expected whole numbers within 48 × 40"),
        ([{"add_stroke": 3}], "expected a list of 2 to 500 places"),
        ([{"add": [1, 2]}] * (MOST_CORRECTIONS + 1), "expected a list of at most 100"),
    ],
)
def test_corrections_that_make_no_sense_are_refused(correcting, given, words):
    session = correcting.opened("slice.png")
    at = f"/api/sessions/{session['id']}/objects"
    key = correcting.post(at, json={"box": list(BOX)}).json()["key"]
    answer = correcting.patch(f"{at}/{key}", json={"corrections": given})
    assert answer.status_code == 400
    assert words in answer.text


def test_a_model_without_corrections_refuses_them(client):
    session = client.opened("slice.png")
    at = f"/api/sessions/{session['id']}/objects"
    key = client.post(at, json={"box": list(BOX)}).json()["key"]
    answer = client.patch(f"{at}/{key}", json={"corrections": [{"add": [9, 9]}]})
    assert answer.status_code == 400
    assert "takes no corrections" in answer.text


def test_an_error_of_the_engine_reaches_who_asked(predictor):
    volume = np.random.default_rng(0).integers(0, 256, (7, 40, 48), np.uint8)
    with predictor.open(volume, volume=True) as session, pytest.raises(LiteMedSamError, match="leaves out"):
        Repairs(session).history(VOLUME_BOX, (Correction(True, ((20, 20, 6),)),), quiet)


def test_a_stroke_over_several_slices_is_refused(correcting):
    session = correcting.opened("scan.nii.gz")
    at = f"/api/sessions/{session['id']}/objects"
    key = correcting.post(at, json={"box": list(VOLUME_BOX)}).json()["key"]
    given = {"corrections": [{"add_stroke": [[9, 9, 2], [12, 9, 3]]}]}
    answer = correcting.patch(f"{at}/{key}", json=given)
    assert answer.status_code == 400
    assert "lies on several slices, expected one; draw it slice by slice" in answer.text
    given["corrections"][0]["add_stroke"][1][2] = 2
    assert correcting.patch(f"{at}/{key}", json=given).status_code == 200
