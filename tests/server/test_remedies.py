"""Remedies of the server: a client that does what an answer says gets its mask, file or place."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.engine.bundle.info import ENCODER
from litemedsam.server.app import application
from litemedsam.server.cli import main
from litemedsam.server.launch import listening_socket
from litemedsam.server.services import Services
from litemedsam.server.settings import ServerSettings
from PIL import Image
from server_client import IMAGE_BOX, VOLUME_BOX

from litemedsam import LiteMedSamError


def refused(answer, remedy):
    """The answer is a refusal whose text ends with the remedy."""
    assert answer.status_code >= 400, answer.text
    # MONAI Label's clients show the answer as it is.
    structured = "json" in answer.headers["content-type"]
    assert remedy in (answer.json()["error"]["text"] if structured else answer.text)


def done(answer):
    """The content of an answer that is no refusal."""
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


def objects(client, session):
    return done(client.get(f"/api/sessions/{session}/state"))["objects"]


def test_files_that_are_not_there(client, scans):
    refused(client.post("/api/sessions", json={"file": "0" * 24}), "reload the list")
    assert client.opened("scan.nii.gz")["id"]
    refused(client.post("/api/sessions", json={"upload": "0" * 24}), "begin a new one")
    key = done(client.post("/api/uploads"))["id"]
    refused(client.post("/api/sessions", json={"upload": key}), "send a file first")
    key = client.uploaded(scans / "slice.png")
    assert done(client.post("/api/sessions", json={"upload": key}))["id"]
    refused(client.post("/api/sessions", json={}), "expected one")


def test_sessions_that_ended(client):
    refused(client.get("/api/sessions/nothing/state"), "open a scan first")
    session = client.opened("slice.png")["id"]
    assert client.delete(f"/api/sessions/{session}").status_code == 204
    refused(client.get(f"/api/sessions/{session}/state"), "open the scan again")
    again = client.opened("slice.png")["id"]
    assert objects(client, again) == []


def test_room_for_scans_and_uploads(serve, scans):
    client = serve(max_sessions=1, max_upload=500)
    first = client.opened("slice.png")["id"]
    client.drawn(first, IMAGE_BOX)
    refused(client.post("/api/sessions", json={"file": client.file_id("scan.nii.gz")}), "close one first")
    client.delete(f"/api/sessions/{first}")
    assert client.opened("scan.nii.gz")["id"]
    key = done(client.post("/api/uploads"))["id"]
    content = (scans / "scan.nii.gz").read_bytes()
    sent = f"/api/uploads/{key}/files"
    refused(
        client.put(sent, params={"name": "a.nii.gz"}, content=content), "start the server with a larger --max-upload"
    )
    larger = serve(max_upload=10**6)
    assert larger.uploaded(scans / "scan.nii.gz")


def test_memory_for_scans(serve, scans, tmp_path):
    for name in "ab":
        Image.fromarray(np.full((300, 400), ord(name), np.uint8)).save(tmp_path / f"{name}.png")
    probe = serve(data=(tmp_path,))
    taken = probe.services.store.get(probe.opened("a.png")["id"]).opened.nbytes
    client = serve(data=(tmp_path,), memory=int(1.5 * taken))
    first = client.opened("a.png")["id"]
    client.drawn(first, [10, 10, 200, 200])
    refused(client.post("/api/sessions", json={"file": client.file_id("b.png")}), "close a scan first")
    client.delete(f"/api/sessions/{first}")
    assert client.opened("b.png")["id"]


def test_nothing_to_save(client):
    session = client.opened("slice.png")["id"]
    place = f"/api/sessions/{session}/export"
    refused(client.post(place, json={"format": "png"}), "draw a box first")
    client.drawn(session, IMAGE_BOX)
    refused(client.post(place, json={"format": "gif"}), "expected one of: ")
    assert Image.open(io.BytesIO(client.exported(session, "png"))).size == (48, 40)


def test_slices_to_search_from(client):
    session = client.opened("scan.nii.gz")["id"]
    place = f"/api/sessions/{session}/objects"
    key = done(client.post(place, json={"box": VOLUME_BOX}))["key"]
    refused(client.post(f"{place}/{key}/extend"), "set its range to the slice where the object is clearest")
    one = [*VOLUME_BOX[:2], 2, *VOLUME_BOX[3:5], 2]
    done(client.patch(f"{place}/{key}", json={"box": one}))
    done(client.post(f"{place}/{key}/extend"))
    box = objects(client, session)[0]["box"]
    assert box[2] <= 2 <= box[5]


def test_values_that_the_answer_tells_how_to_give(client):
    """Where an answer says what was expected, exactly that is taken."""
    session = client.opened("scan.nii.gz")["id"]
    place = f"/api/sessions/{session}/objects"
    refused(client.post(place, json={"box": VOLUME_BOX[:4]}), "expected 6 whole numbers")
    refused(client.post(place, json={"box": [29, 13, 1, 9, 30, 3]}), "expected an ascending range in 0..")
    refused(client.post(place, json={"bx": VOLUME_BOX}), "expected the keys: box")
    refused(client.post(place, content=b"{}"), "expected application/json")
    refused(client.post(place, content=b"[", headers={"Content-Type": "application/json"}), "expected an object")
    key = client.drawn(session, VOLUME_BOX)["objects"][0]["key"]
    drawn = f"{place}/{key}"
    refused(client.patch(drawn, json={"colour": "red"}), "expected a text such as '#ff8000'")
    refused(client.patch(drawn, json={"visible": 1}), "expected true or false")
    refused(client.patch(drawn, json={"name": "x" * 2000}), "expected a text of at most")
    done(client.patch(drawn, json={"colour": "#ff8000", "visible": True, "name": "liver"}))
    refused(client.patch(f"{place}/99", json={"name": "x"}), f"expected one of: {key}")
    refused(client.get(f"/api/sessions/{session}/slices/axial/99"), "expected 0 to ")
    refused(client.get(f"/api/sessions/{session}/slices/oblique/0"), "expected one of: axial, coronal, sagittal")
    refused(client.get(f"/api/sessions/{session}/slices/axial/0?width=0&level=1"), "expected a width above 0")
    assert client.get(f"/api/sessions/{session}/slices/axial/0?width=400&level=1").status_code == 200
    found = objects(client, session)[0]
    assert (found["colour"], found["name"]) == ("#ff8000", "liver")


@pytest.fixture
def correcting(serve, engine, correctable_bundle):
    """A client of a server whose model takes corrections."""
    return serve(replace(engine, bundle=correctable_bundle))


def test_corrections_within_their_object(correcting):
    session = correcting.opened("scan.nii.gz")["id"]
    key = correcting.drawn(session, VOLUME_BOX)["objects"][0]["key"]
    place = f"/api/sessions/{session}/objects/{key}"
    outside = {"corrections": [{"add": [20, 20, 4]}]}
    refused(correcting.patch(place, json=outside), "set it inside, or make the box larger")
    done(correcting.patch(place, json={"corrections": [{"add": [20, 20, 2]}]}))
    correcting.settled(session)
    wider = [*VOLUME_BOX[:5], 4]
    done(correcting.patch(place, json={"box": wider}))
    done(correcting.patch(place, json=outside))
    made = correcting.settled(session)["objects"][0]
    assert made["corrections"] == outside["corrections"]
    assert not made["pending"]
    strokes = [{"add_stroke": [[20, 20, 2], [21, 20, 3]]}]
    refused(correcting.patch(place, json={"corrections": strokes}), "draw it slice by slice")
    strokes = [{"add_stroke": [[20, 20, z], [21, 20, z]]} for z in (2, 3)]
    done(correcting.patch(place, json={"corrections": strokes}))
    assert correcting.settled(session)["objects"][0]["corrections"] == strokes


def test_points_within_their_box(client):
    session = client.opened("slice.png")["id"]
    key = client.drawn(session, IMAGE_BOX)["objects"][0]["key"]
    place = f"/api/sessions/{session}/objects/{key}"
    outside = {"points": [[35, 35]]}
    refused(client.patch(place, json=outside), "set it inside, or make the box larger")
    done(client.patch(place, json={"points": [[20, 20]]}))
    done(client.patch(place, json={"box": [9, 13, 40, 38]}))
    done(client.patch(place, json=outside))
    assert client.settled(session)["objects"][0]["points"] == [[35, 35]]


def inferred(client, session, **parameters):
    form = {"params": (None, json.dumps({"result_extension": ".nrrd", **parameters}))}
    return client.post(f"/infer/litemedsam?session_id={session}&output=image", files=form)


def test_monai_labels_regions_and_clicks(client, scans):
    given = {"files": ("scan.nii.gz", (scans / "scan.nii.gz").read_bytes())}
    session = done(client.put("/session/", files=given))["session_id"]
    refused(inferred(client, session), "place the ROI box around the object first, then run again")
    refused(inferred(client, session, roi=[900, 901, 900, 901, 1, 3]), "place the ROI box on the image")
    roi = [9, 29, 13, 30, 1, 3]
    refused(inferred(client, session, roi=roi, foreground=[[99, 99, 99]]), "remove it")
    refused(inferred(client, session, roi=roi, background=[[1, 1, 1]]), "remove them, or make the ROI box smaller")
    refused(inferred(client, session, roi=roi, result_extension=".gif"), "expected one of: ")
    refused(inferred(client, "gone", roi=roi), "load the volume again")
    assert inferred(client, session, roi=roi, foreground=[], background=[]).status_code == 200
    assert inferred(client, session, roi=[9, 20, 13, 25, 1, 3]).status_code == 200
    refused(client.post("/infer/another", files={"params": (None, "{}")}), "expected litemedsam")


def test_the_password_that_the_server_printed(client):
    form = {"username": "any", "grant_type": "password"}
    answer = client.post("/auth/token", data={**form, "password": "guessed"}, headers={"Authorization": ""})
    refused(answer, "litemedsam-serve printed it as token=")
    answer = client.post("/auth/token", data={**form, "password": client.services.settings.token})
    assert done(answer)["access_token"] == client.services.settings.token


def test_a_port_that_is_taken():
    with listening_socket("127.0.0.1", 0) as first:
        first.listen()
        taken = first.getsockname()[1]
        with pytest.raises(LiteMedSamError, match="choose another --port; 0 takes a free one"):
            listening_socket("127.0.0.1", taken)
        with listening_socket("127.0.0.1", 0) as other:
            assert other.getsockname()[1] not in (0, taken)


def test_a_bundle_that_is_none(engine, scans, tmp_path, tiny_bundle):
    with pytest.raises(LiteMedSamError, match=f"holds no {ENCODER}; give a folder made by litemedsam-export"):
        Services.start(ServerSettings(replace(engine, bundle=scans), data=(scans,)))
    services = Services.start(ServerSettings(replace(engine, bundle=tiny_bundle), data=(scans,)))
    assert services.store.all() == []
    services.close()


def test_origins_and_folders_of_the_command(engine, tmp_path):
    settings = ServerSettings(engine, allow_origins=("viewer.example.org",))
    services = Services.start(settings)
    with pytest.raises(LiteMedSamError, match="expected scheme and host such as https://viewer"):
        application(settings, services)
    assert application(replace(settings, allow_origins=("https://viewer.example.org",)), services)
    services.close()
    run = CliRunner().invoke(main, [str(tmp_path / "absent"), "--no-browser"])
    assert run.exit_code == 1
    assert "no such file or folder" in run.output
