"""The calls of nnInteractive's published client, unmodified, on a server of its own; and what is refused."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.scan.intensity import usual_scaling
from litemedsam.engine.settings import EngineSettings
from server_client import TOKEN

from litemedsam import Predictor

pytest.importorskip("blosc2", reason="there is no blosc2: pip install 'litemedsam[serve-nninteractive]'")
from litemedsam.server.protocols.nninteractive.nnia import pack, unpack

SHAPE = (7, 40, 48)
IMAGE = np.random.default_rng(0).integers(-200, 300, (1, *SHAPE)).astype(np.int16)


@pytest.fixture(scope="module")
def address(correctable_bundle):
    """A server in a process of its own, whose model takes corrections."""
    command = [Path(sys.executable).parent / "litemedsam-serve", "--port", 0, "--no-browser", "--token", TOKEN]
    command += ["--model", correctable_bundle, "--max-sessions", 2, "--threads", 1]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True) as server:
        yield re.search(r"http://[^?]+", server.stdout.readline())[0]
        server.terminate()


@pytest.fixture
def published(address):
    """The client's module, and a client that is connected."""
    remote = pytest.importorskip("nnInteractive.inference.remote.remote_session", reason="no nninteractive-client")
    client = remote.nnInteractiveRemoteInferenceSession(address, TOKEN)
    yield remote, client
    client.close()


def started(client):
    client.set_image(IMAGE, {"spacing": [2.0, 1.0, 1.0]})
    assert client.original_image_shape == (1, *SHAPE)
    buffer = np.zeros(SHAPE, np.uint8)
    client.set_target_buffer(buffer)
    return buffer


def test_the_capabilities_are_those_of_the_model(published):
    _, client = published
    taken = {"points": True, "bbox2d": True, "bbox3d": True, "scribble": True, "lasso": False}
    assert client.supported_interactions == taken
    assert not client.supports_initial_label
    assert client.supports_undo
    assert "Not a medical device" in client.license


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_box_on_a_slice_of_any_direction_then_corrections_and_undo(published, axis):
    _, client = published
    buffer = started(client)
    box = [[1, 6], [8, 30], [10, 40]]
    middle = (3, 20, 24)
    box[axis] = [middle[axis], middle[axis] + 1]
    changed = client.add_bbox_interaction(box, True)
    assert buffer.any()
    # What is found lies in the box drawn, in the other two directions.
    found = np.nonzero(buffer)
    for other in {0, 1, 2} - {axis}:
        assert box[other][0] <= found[other].min() <= found[other].max() < box[other][1]
        assert changed[other][0] == found[other].min()
    assert found[axis].min() <= middle[axis] <= found[axis].max()
    first = buffer.copy()
    inside = tuple(int(index[len(index) // 2]) for index in found)
    client.add_point_interaction(inside, False)
    assert buffer[inside] == 0
    second = buffer.copy()
    outside = list(middle)
    client.add_point_interaction(outside, not buffer[middle])
    assert buffer[middle] != second[middle]
    assert client.undo()
    np.testing.assert_array_equal(buffer, second)
    assert client.undo()
    np.testing.assert_array_equal(buffer, first)
    assert client.undo()
    assert not buffer.any()
    assert not client.undo()


def test_a_box_of_three_directions_is_the_same_as_in_python(published, correctable_bundle):

    _, client = published
    buffer = started(client)
    client.add_bbox_interaction([[1, 6], [8, 30], [10, 40]], True)
    pixels = usual_scaling(IMAGE[0], "")[0].pixels("image", IMAGE[0])
    with Predictor(correctable_bundle, threads=1) as predictor, predictor.open(pixels, volume=True) as session:
        history = session.begin([10, 8, 1, 39, 29, 5])
        np.testing.assert_array_equal(buffer > 0, history.mask)
        client.add_point_interaction([3, 12, 14], True)
        history = session.correct(history, 3, add=[[14, 12]])
        np.testing.assert_array_equal(buffer > 0, history.mask)
        scribble = np.zeros(SHAPE, np.uint8)
        scribble[4, 20, 15:30] = 1
        client.add_scribble_interaction(scribble, False)
        history = session.correct(history, 4, remove_stroke=scribble[4])
        np.testing.assert_array_equal(buffer > 0, history.mask)
        # The same scribble as a part of the image.
        client.undo()
        client.add_scribble_interaction(
            scribble[4:5, 19:22, 10:32], False, interaction_bbox=[[4, 5], [19, 22], [10, 32]]
        )
        np.testing.assert_array_equal(buffer > 0, history.mask)


def test_interactions_may_wait_for_their_prediction(published):
    _, client = published
    buffer = started(client)
    assert client.add_bbox_interaction([[1, 6], [8, 30], [10, 40]], True, run_prediction=False) is None
    assert not buffer.any()
    assert client._predict() is not None
    assert buffer.any()
    assert client._predict() is None
    client.reset_interactions()
    assert not buffer.any()
    assert not client.undo()


def test_the_server_lets_no_more_clients_in_than_it_may(published, address):
    remote, client = published
    second = remote.nnInteractiveRemoteInferenceSession(address, TOKEN)
    with pytest.raises(remote.ServerAtCapacityError, match="2 clients are connected, expected at most 2"):
        remote.nnInteractiveRemoteInferenceSession(address, TOKEN)
    second.close()
    remote.nnInteractiveRemoteInferenceSession(address, TOKEN).close()
    with pytest.raises(Exception, match="401"):
        remote.nnInteractiveRemoteInferenceSession(address, "another")
    assert client.supported_interactions["bbox2d"]


@pytest.fixture
def leased(serve, correctable_bundle):
    """A client of the tests with a lease and an image, and the headers of its calls."""
    client = serve(engine=EngineSettings(correctable_bundle, threads=1))
    headers = {"X-Lease-Token": client.post("/claim").json()["lease_token"]}
    assert image(client, headers).status_code == 200
    assert (
        client.post("/set_target_buffer", json={"shape": list(SHAPE), "dtype": "uint8"}, headers=headers).json() == {}
    )
    return client, headers


def image(client, headers, array=IMAGE, **others):
    sent = {**headers, "Content-Type": "application/octet-stream", **others}
    return client.post("/set_image", content=pack(array), headers=sent)


def test_an_answer_is_the_changed_part_alone(leased):
    client, headers = leased
    answer = client.post("/add_bbox_interaction", json={"bbox_coords": [[1, 6], [8, 30], [10, 40]]}, headers=headers)
    meta = json.loads(answer.headers["X-Meta"])
    assert meta["ran_prediction"]
    part = unpack(answer.content, 10**6)
    assert list(part.shape) == [high - low for low, high in meta["bbox"]]
    assert part.dtype == np.uint8
    assert part.any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("add_bbox_interaction", {"bbox_coords": 3}, "expected three pairs"),
        ("add_bbox_interaction", {"bbox_coords": [[1, 6], [8, 30]]}, "expected three pairs"),
        ("add_bbox_interaction", {"bbox_coords": [[6, 6], [8, 30], [1, 4]]}, "three ascending pairs"),
        ("add_bbox_interaction", {"bbox_coords": [[1, 6], [8.5, 30], [1, 4]]}, "three ascending pairs"),
        ("add_bbox_interaction", {"bbox_coords": [[1, 6], [8, 30], [60, 70]]}, "within (7, 40, 48)"),
        (
            "add_bbox_interaction",
            {"bbox_coords": [[1, 6], [8, 30], [1, 4]], "include_interaction": False},
            "a box that removes",
        ),
        ("add_point_interaction", {"coordinates": [1, 2]}, "expected three whole numbers"),
        ("add_point_interaction", {"coordinates": [1, 2, 48]}, "within (7, 40, 48)"),
        ("add_point_interaction", {"coordinates": [1, True, 4]}, "expected three whole numbers"),
        (
            "add_point_interaction",
            {"coordinates": [1, 2, 3]},
            "there is no box yet; draw a box around the object",
        ),
        ("add_point_interaction", {"place": [1, 2, 3]}, "unknown key 'place'"),
        ("set_target_buffer", {"shape": [1, 2, 3], "dtype": "uint8"}, "expected [7, 40, 48]"),
        ("set_target_buffer", {"shape": list(SHAPE), "dtype": "object"}, "expected one of: uint8"),
        ("add_lasso_interaction", {}, "no lasso and no initial mask"),
        ("add_initial_seg_interaction", {}, "no lasso and no initial mask"),
        ("set_do_autozoom", {}, "lacks do_autozoom"),
    ],
)
def test_calls_that_make_no_sense_are_refused(leased, path, content, words):
    client, headers = leased
    answer = client.post(f"/{path}", json=content, headers=headers)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(SHAPE, np.uint8), "an image of shape (7, 40, 48), expected (1, A, B, C); send one channel"),
        (np.zeros((2, *SHAPE), np.uint8), "expected (1, A, B, C)"),
        (np.zeros((1, *SHAPE), bool), "an image of type bool, expected numbers"),
        (np.full((1, *SHAPE), np.nan, np.float32), "NaN or infinite"),
        (np.zeros((1, 0, 4, 4), np.uint8), "expected (1, A, B, C)"),
    ],
)
def test_images_that_make_no_sense_are_refused(leased, array, words):
    client, headers = leased
    answer = image(client, headers, array)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_bodies_and_headers_are_checked(leased):
    client, headers = leased
    assert "application/octet-stream" in client.post("/set_image", json={}, headers=headers).json()["detail"]
    answer = image(client, headers, **{"X-Meta": "{"})
    assert "the header X-Meta is not JSON" in answer.json()["detail"]
    assert "with the keys" in image(client, headers, **{"X-Meta": '{"a": 1}'}).json()["detail"]
    scribble = {**headers, "Content-Type": "application/octet-stream"}
    answer = client.post("/add_scribble_interaction", content=pack(np.zeros((2, 2, 2), bool)), headers=scribble)
    assert "which its box contradicts" in answer.json()["detail"]


def test_an_image_beyond_the_memory_is_refused(serve, correctable_bundle):
    client = serve(engine=EngineSettings(correctable_bundle, threads=1), memory=40_000, max_upload=40_000)
    headers = {"X-Lease-Token": client.post("/claim").json()["lease_token"]}
    assert "expected at most 0 MB" in image(client, headers, np.zeros((1, 30, 40, 40), np.uint8)).json()["detail"]
    assert image(client, headers, np.random.default_rng(0).random((1, 20, 40, 40))).status_code == 413


def test_a_lease_that_has_ended_is_gone(leased, monkeypatch):
    client, headers = leased
    assert client.post("/heartbeat", headers=headers).json()["remaining_seconds"] > 590
    assert client.get("/lease_status", headers={"X-Lease-Token": "another"}).status_code == 410
    leases = client.app._app.state.leases
    later = time.monotonic() + 61
    monkeypatch.setattr("litemedsam.server.protocols.nninteractive.leases.monotonic", lambda: later)
    leases.tidy()
    answer = client.post("/undo", json={}, headers=headers)
    assert answer.status_code == 410
    assert answer.json()["detail"] == "this lease is unknown or has ended; connect again"


def test_a_released_lease_is_gone_and_frees_its_memory(leased):
    client, headers = leased
    leases = client.app._app.state.leases
    assert leases.room(leases.claim()) == leases.most_bytes - IMAGE[0].size * 4
    assert client.post("/release", headers=headers).json() == {"released": True}
    assert client.post("/release", headers=headers).status_code == 410
    assert leases.room(leases.claim()) == leases.most_bytes
