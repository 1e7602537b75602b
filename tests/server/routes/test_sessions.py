"""Sessions over HTTP: slices, masks, history, events, several of them at once."""

import threading
from http import HTTPStatus
from io import BytesIO

import cv2
import numpy as np
import pytest
from litemedsam.server.sessions.open_scan import OpenScan
from server_client import IMAGE_BOX, VOLUME_BOX
from synthetic_scans import phantom

VOLUME = phantom()


def decoded(answer):
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)


def test_slices_are_the_scan_s_voxels_in_three_planes(client):
    session = client.opened("scan.nii.gz")["id"]
    for plane, k, expected in (
        ("axial", 2, VOLUME[2]),
        ("coronal", 20, VOLUME[::-1, 20]),
        ("sagittal", 30, VOLUME[::-1, :, 30]),
    ):
        page = decoded(client.get(f"/api/sessions/{session}/slices/{plane}/{k}"))
        np.testing.assert_array_equal(page, expected)


def test_a_window_is_level_and_width(client):
    session = client.opened("series")["id"]
    page = decoded(client.get(f"/api/sessions/{session}/slices/axial/2?level=100&width=50"))
    expected = np.rint(np.clip((VOLUME[2].astype(float) - 75) / 50 * 255, 0, 255))
    np.testing.assert_allclose(page, expected, atol=1)


def test_a_mask_appears_in_all_planes_in_its_colour_and_goes_with_its_object(client):
    session = client.opened("scan.nii.gz")["id"]
    state = client.drawn(session, VOLUME_BOX)
    (drawn,) = state["objects"]
    saved = np.load(BytesIO(client.exported(session, "npz")))["segs"]
    expected = saved == 1
    assert expected[2].any()
    red, green, blue = (int(drawn["colour"][k : k + 2], 16) for k in (1, 3, 5))
    for plane, k, mask in (
        ("axial", 2, expected[2]),
        ("axial", 0, expected[0]),
        ("coronal", 20, expected[::-1, 20]),
        ("sagittal", 20, expected[::-1, :, 20]),
    ):
        page = decoded(client.get(f"/api/sessions/{session}/masks/{plane}/{k}"))
        np.testing.assert_array_equal(page[..., 3] == 255, mask)
        assert (page[mask] == [blue, green, red, 255]).all()
    outline = decoded(client.get(f"/api/sessions/{session}/masks/axial/2?outline=1"))[..., 3] == 255
    eroded = cv2.erode(expected[2].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    np.testing.assert_array_equal(outline, expected[2] & ~eroded)
    client.patch(f"/api/sessions/{session}/objects/{drawn['key']}", json={"visible": False})
    assert not decoded(client.get(f"/api/sessions/{session}/masks/axial/2")).any()


def test_while_a_mask_is_computed_the_one_before_is_shown(client, monkeypatch):
    session = client.opened("slice.png")["id"]
    client.drawn(session, IMAGE_BOX)
    path, go = f"/api/sessions/{session}", threading.Event()
    before = client.get(f"{path}/masks/image/0").content
    predict = OpenScan.predict

    def slow(self, *given):
        assert go.wait(10)
        return predict(self, *given)

    monkeypatch.setattr(OpenScan, "predict", slow)
    state = client.patch(f"{path}/objects/1", json={"box": [12, 13, 29, 30]}).json()
    assert state["objects"][0]["pending"]
    assert client.get(f"{path}/masks/image/0").content == before
    refused = client.post(f"{path}/export", json={"format": "png"})
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "still being computed" in refused.json()["error"]["text"]
    go.set()
    client.settled(session)
    assert client.get(f"{path}/masks/image/0").content != before


def test_everything_can_be_undone_and_redone(client):
    session = client.opened("slice.png")["id"]
    key = client.drawn(session, IMAGE_BOX)["objects"][0]["key"]
    path = f"/api/sessions/{session}"
    client.patch(f"{path}/objects/{key}", json={"name": "left lung"})
    client.patch(f"{path}/objects/{key}", json={"box": [10, 13, 29, 30], "colour": "#123456", "visible": False})
    client.delete(f"{path}/objects/{key}")
    seen = []
    while (answer := client.post(f"{path}/undo", json={})).status_code == HTTPStatus.OK:
        seen.append([(o["name"], o["box"][0], o["visible"]) for o in answer.json()["objects"]])
    assert seen == [[("left lung", 10, False)], [("left lung", 9, True)], [("", 9, True)], []]
    for _ in range(4):
        last = client.post(f"{path}/redo", json={}).json()
    assert last["objects"] == []
    assert (last["undo"], last["redo"]) == (4, 0)


def test_saving_is_remembered_until_the_next_change(client):
    session = client.opened("slice.png")["id"]
    assert not client.get(f"/api/sessions/{session}/state").json()["unsaved"]
    assert client.drawn(session, IMAGE_BOX)["unsaved"]
    client.exported(session, "png")
    assert not client.settled(session)["unsaved"]
    assert client.drawn(session, [1, 1, 5, 5])["unsaved"]


def test_a_voxel_has_its_index_in_the_file_its_place_and_its_value(client):
    session = client.opened("scan.nii.gz")["id"]
    found = client.get(f"/api/sessions/{session}/voxel?x=20&y=22&z=2").json()
    assert found["value"] == 200
    # The phantom's affine: 1.2, 1.0, 1.4 mm along left, posterior, superior from (-10, 20, -30) in LPS.
    assert found["mm"] == pytest.approx([10 - 1.2 * 20, -20 - 22, -30 + 1.4 * 2], abs=1e-3)
    assert found["index"] == [20, 22, 2]


def test_two_clients_see_the_same_session_and_events_tell_them(client):
    session = client.opened("slice.png")["id"]
    listeners = client.services.store.get(session).listeners
    lines: list[str] = []
    listening = threading.Event()

    def listen():
        with client.stream("GET", f"/api/sessions/{session}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                lines.append(line)

    # Starlette's client gives a stream once it has ended; the server ends it with the session.
    thread = threading.Thread(target=listen)
    thread.start()
    for _ in range(1000):
        if len(listeners):
            listening.set()
            break
        threading.Event().wait(0.01)
    assert listening.is_set()
    client.drawn(session, IMAGE_BOX)
    client.delete(f"/api/sessions/{session}")
    thread.join(10)
    assert not thread.is_alive()
    names = [line[7:] for line in lines if line.startswith("event: ")]
    assert names[0] == "state"
    assert "masks" in names
    assert not len(listeners)


def test_an_upload_of_a_series_is_one_scan(client, scans):
    key = client.uploaded(*sorted((scans / "series").iterdir()))
    answer = client.post("/api/sessions", json={"upload": key, "name": "knee"})
    assert answer.status_code == HTTPStatus.CREATED
    assert answer.json()["name"] == "knee"
    assert answer.json()["size"] == [48, 40, 5]


def test_options_of_reading_are_those_of_the_command(client, scans):
    pages = client.opened("pages.tif", frame=2)
    assert pages["size"] == [48, 40]
    bad = client.post("/api/sessions", json={"file": client.file_id("scan.nii.gz"), "window": "dark"})
    assert bad.json()["error"]["expected"].startswith("one of") or "unknown window" in bad.json()["error"]["text"]


def test_hundreds_of_sessions_leave_nothing_behind(client, scans):
    for _ in range(100):
        session = client.post("/api/sessions", json={"upload": client.uploaded(scans / "slice.png")}).json()["id"]
        client.post(f"/api/sessions/{session}/objects", json={"box": IMAGE_BOX})
        client.delete(f"/api/sessions/{session}")
    assert client.services.store.all() == []
    assert client.services.uploads.on_disk() == 0
    assert len(client.services.predictor()._cache) == 0
