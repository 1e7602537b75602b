"""Corrections on the server: each click starts from the mask before, and the saved prompts give the same bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.running.job import Request, segment_file
from litemedsam.engine.sessions.history import ObjectHistory
from litemedsam.engine.settings import EngineSettings
from litemedsam.server.sessions.open_scan import MOST_CORRECTIONS
from litemedsam.server.sessions.repairs import Repairs

from litemedsam import LiteMedSamError, Predictor

BOX, VOLUME_BOX = (6, 5, 34, 31), (6, 5, 1, 34, 31, 4)
STEPS = ((True, (20, 20)), (False, (10, 9)), (True, (12, 27)))


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
        found = [repairs.history(BOX, STEPS[:k], quiet) for k in range(4)]
        assert len(calls) == 1
        assert all(isinstance(each, ObjectHistory) and each.at == k for k, each in enumerate(found))
        fresh = Repairs(session).history(BOX, STEPS, quiet)
        np.testing.assert_array_equal(found[3].mask, fresh.mask)
        assert found[3].score == fresh.score
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
    steps = [{"add" if adds else "remove": [*place, *([3] if volume else [])]} for adds, place in STEPS]
    first = client.settled(session["id"])["objects"][0]
    for k in range(3):
        answer = client.patch(f"{at}/objects/{key}", json={"corrections": steps[: k + 1]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["objects"][0]["corrections"] == steps[: k + 1]
    state = client.settled(session["id"])
    assert state["objects"][0]["error"] == ""
    assert state["undo"] == 4
    prompts = tmp_path / "prompts.json"
    prompts.write_bytes(client.exported(session["id"], "prompts"))
    assert len(json.loads(prompts.read_text())["objects"][0]["corrections"]) == 3
    expected = segment_file(predictor, Request(Path(scans) / name, BoxesFile(prompts)))
    assert state["objects"][0]["voxels"] == np.count_nonzero(expected.result.labels)
    for _ in range(3):
        client.post(f"{at}/undo", json={})
    assert client.settled(session["id"])["objects"][0]["voxels"] == first["voxels"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "corrections is 3, expected a list"),
        ([{}], "expected one place under add or remove"),
        ([{"add": [1, 2], "remove": [1, 2]}], "expected one place under add or remove"),
        ([{"erase": [1, 2]}], "expected one place under add or remove"),
        ([{"add": [1, 2, 3]}], "expected whole numbers within 48 × 40"),
        ([{"add": [48, 2]}], "expected whole numbers within 48 × 40"),
        ([{"add": [True, 2]}], "expected whole numbers within 48 × 40"),
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
        Repairs(session).history(VOLUME_BOX, ((True, (20, 20, 6)),), quiet)
