"""A session: what it says of itself, its states, its search for an object's slices, and its end."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from litemedsam.server.refusal import CONFLICT, Refusal
from litemedsam.server.sessions.open_scan import OpenScan, Reading
from litemedsam.server.sessions.session import ScanSession, display_name
from server_client import IMAGE_BOX, VOLUME_BOX

from litemedsam import LiteMedSamError, Predictor


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, "onnxruntime", threads=1) as made:
        yield made


@pytest.fixture
def session(predictor, scans):
    """A function (name of a scan) to a session, ended afterwards."""
    made = []
    with ThreadPoolExecutor(1) as pool:

        def begin(name="slice.png", cleanup=None):
            opened = OpenScan.read(scans / name, name, Reading(), predictor)
            made.append(ScanSession(f"key-{name}", opened, pool, ("--seed", "7"), cleanup))
            return made[-1]

        yield begin
        for each in made:
            each.close()


def test_a_session_describes_its_scan_once(session):
    told = session("scan.nii.gz").description()
    assert (told["id"], told["name"], told["volume"], told["size"]) == (
        "key-scan.nii.gz",
        "scan.nii.gz",
        True,
        [48, 40, 5],
    )
    assert [plane["name"] for plane in told["planes"]] == ["axial", "coronal", "sagittal"]
    assert told["formats"][0] == "nifti"
    assert "--seed 7" in told["command"]


def test_a_state_has_the_figures_of_finished_masks(session):
    one = session("scan.nii.gz")
    key = one.add(list(VOLUME_BOX), "liver")
    assert one.wait(20)
    state = one.state()
    (drawn,) = state["objects"]
    assert (drawn["key"], drawn["number"], drawn["name"], drawn["pending"]) == (key, 1, "liver", False)
    assert drawn["voxels"] > 0
    assert drawn["ml"] == pytest.approx(drawn["voxels"] * 1.2 * 1.4 / 1000)
    assert (state["undo"], state["redo"], state["unsaved"]) == (1, 0, True)
    assert one.state()["serial"] > state["serial"]


def test_saving_counts_until_the_next_change(session):
    one = session()
    with pytest.raises(Refusal, match="there is nothing to save; draw a box first"):
        one.export("png")
    key = one.add(IMAGE_BOX)
    assert one.wait(20)
    assert one.export("png").content.startswith(b"\x89PNG")
    assert not one.unsaved
    one.change(key, name="other")
    assert one.unsaved
    one.remove(key)
    assert not one.unsaved
    with pytest.raises(LiteMedSamError, match="format 'gif', expected one of: png"):
        one.export("gif")


def test_steps_that_are_not_there_are_a_conflict(session):
    one = session()
    for back, word in ((True, "undo"), (False, "redo")):
        with pytest.raises(Refusal, match=f"there is nothing to {word}") as error:
            one.step(back)
        assert error.value.status == CONFLICT


def test_slices_that_are_not_there_are_refused(session):
    one = session("volume.npz")
    for call in (lambda k: one.slice_picture("xy", k, None, None), lambda k: one.mask_picture("xy", k, False)):
        assert call(4).startswith(b"\x89PNG")
        with pytest.raises(LiteMedSamError, match="slice 5, expected 0 to 4"):
            call(5)


def test_the_end_cleans_up_and_closes_the_streams(session):
    ended = []
    one = session(cleanup=lambda: ended.append("first"))
    one.at_the_end(lambda: ended.append("last"))
    one.close()
    assert ended == ["last"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.nii.gz", "a.nii.gz"),
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\a.dcm", "a.dcm"),
        ("folder/", "folder"),
        ("<b>|a?.png", "ba.png"),
        ("a\0\n.png", "a.png"),
        ("", "scan"),
        (" .. ", "scan"),
        ("x" * 200 + ".nii", "x" * 96 + ".nii"),
    ],
)
def test_a_name_is_for_people_alone(given, shown):
    assert display_name(given) == shown


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


def test_a_slice_is_encoded_while_a_box_is_drawn_on_it(session):
    one = session("scan.nii.gz")
    one.foresee(2)
    # One thread computes: this mask comes after the slice.
    one.add([*VOLUME_BOX[:2], 2, *VOLUME_BOX[3:5], 2])
    assert one.wait(20)
    assert one.opened.session.encoded == 1
    for wrong in (-1, 5, "2", True, None):
        with pytest.raises(LiteMedSamError, match="slice"):
            one.foresee(wrong)
    image = session("slice.png")
    image.foresee(0)
    image.add(list(IMAGE_BOX))
    assert image.wait(20)
    assert image.opened.session.encoded == 1


def test_one_slice_at_a_time_is_encoded_ahead(session, monkeypatch):
    one, go, encoded = session("scan.nii.gz"), threading.Event(), []

    def encode(self, k):
        assert go.wait(20)
        encoded.append(k)
        raise LiteMedSamError("told when the mask is computed")

    monkeypatch.setattr(OpenScan, "encode", encode)
    for k in (1, 2, 3):
        one.foresee(k)
    go.set()
    one.add(list(VOLUME_BOX))
    assert one.wait(20)
    one.foresee(4)
    one.add([*VOLUME_BOX[:2], 2, *VOLUME_BOX[3:5], 2])
    assert one.wait(20)
    assert encoded == [1, 4]
