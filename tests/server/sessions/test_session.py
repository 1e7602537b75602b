"""A session's search for the slices of an object: a step of its own, which can be stopped and refused."""

import json
import threading

import pytest
from litemedsam.server.refusal import Refusal


def begun(client, name, box):
    """The address of a session of a scan, and the key of an object in it."""
    session = client.opened(name)
    at = f"/api/sessions/{session['id']}"
    return session["id"], at, client.post(f"{at}/objects", json={"box": box}).json()["key"]


def test_a_box_of_one_slice_is_extended_in_one_step(client):
    session, at, key = begun(client, "scan.nii.gz", [6, 5, 2, 34, 31, 2])
    answer = client.post(f"{at}/objects/{key}/extend", json={})
    assert answer.status_code == 200, answer.text
    (drawn,) = answer.json()["objects"]
    x_min, y_min, first, x_max, y_max, last = drawn["box"]
    assert [x_min, y_min, x_max, y_max] == [6, 5, 34, 31]
    assert 0 <= first <= 2 <= last <= 4
    assert answer.json()["undo"] == (1 if first == last else 2)
    prompts = json.loads(client.exported(session, "prompts"))
    assert prompts["objects"][0]["box"][:2]
    assert client.settled(session)["objects"][0]["error"] == ""


@pytest.mark.parametrize(
    ("name", "box", "words"),
    [
        ("slice.png", [6, 5, 34, 31], "slice.png: an image has no further slices"),
        ("scan.nii.gz", [6, 5, 1, 34, 31, 3], "the box covers slices 1 to 3, expected one slice to search from"),
    ],
)
def test_what_cannot_be_extended_is_refused(client, name, box, words):
    _, at, key = begun(client, name, box)
    answer = client.post(f"{at}/objects/{key}/extend", json={})
    assert answer.status_code == 400
    assert words in answer.text
    assert client.post(f"{at}/objects/99/extend", json={}).status_code == 404


def test_a_search_stops_when_nobody_waits_or_the_box_has_changed(client, monkeypatch):
    session, at, key = begun(client, "scan.nii.gz", [6, 5, 2, 34, 31, 2])
    opened = client.services.store.get(session)
    with pytest.raises(Refusal, match="the search for slices was stopped"):
        opened.extend(key, lambda: True)
    assert len(opened.state()["objects"]) == 1
    searching, changed = threading.Event(), threading.Event()
    search = type(opened.opened).extended

    def slow(scan, box, progress):
        found = search(scan, box, progress)
        searching.set()
        assert changed.wait(20)
        return found

    monkeypatch.setattr(type(opened.opened), "extended", slow)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.post(f"{at}/objects/{key}/extend", json={})))
    thread.start()
    assert searching.wait(20)
    opened.change(key, box=[7, 5, 2, 34, 31, 2])
    changed.set()
    thread.join(20)
    assert answers[0].status_code == 409
    assert "the box has changed during the search for slices; search again" in answers[0].text
    assert opened.state()["objects"][0]["box"] == [7, 5, 2, 34, 31, 2]
