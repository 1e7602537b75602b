"""Uploads: limited, stored under the server's own names, and removed with what they were for."""

import asyncio
import os
from http import HTTPStatus

import pytest
from litemedsam.server.files import uploads as module
from litemedsam.server.files.uploads import Uploads
from litemedsam.server.refusal import Refusal


def test_an_upload_is_limited_by_its_header_and_by_what_comes(serve):
    client = serve(max_upload=1000)
    path = f"/api/uploads/{client.uploaded()}/files"
    announced = client.put(path, content=b"x" * 1001)
    assert announced.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert "--max-upload" in announced.json()["error"]["remedy"]
    streamed = client.put(path, content=(b"x" * 100 for _ in range(11)))
    assert streamed.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert client.services.uploads.on_disk() == 0
    assert client.put(path, content=b"x" * 600).status_code == HTTPStatus.CREATED
    assert client.put(path, content=b"x" * 600).status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert client.services.uploads.on_disk() == 1


@pytest.mark.parametrize("name", ["../../evil.nii.gz", "C:\\evil.nii.gz", "/etc/evil.nii.gz", "a\0b.nii.gz", "…" * 400])
def test_a_client_s_name_never_becomes_a_path(client, name):
    key = client.uploaded()
    assert (
        client.put(f"/api/uploads/{key}/files", params={"name": name}, content=b"x").status_code == HTTPStatus.CREATED
    )
    upload = client.services.uploads.get(key)
    (written,) = upload.folder.iterdir()
    assert written.name in ("00000.nii.gz", "00000")
    assert "/" not in upload.name
    assert "\\" not in upload.name
    assert len(upload.name) <= 100


def test_uploads_go_with_their_session_and_with_the_server(client, scans):
    session = client.post("/api/sessions", json={"upload": client.uploaded(scans / "slice.png")}).json()["id"]
    assert client.services.uploads.on_disk() == 1
    assert client.delete(f"/api/sessions/{session}").status_code == HTTPStatus.NO_CONTENT
    assert client.services.uploads.on_disk() == 0
    assert client.get(f"/api/sessions/{session}").status_code == HTTPStatus.GONE
    broken = client.post("/api/sessions", json={"upload": client.uploaded(scans / "boxes.json")})
    assert broken.status_code == HTTPStatus.BAD_REQUEST
    assert broken.json()["error"]["text"].startswith("boxes.json: ")
    assert client.services.uploads.on_disk() == 0


def test_a_vanishing_client_leaves_nothing():
    async def vanish():
        uploads = Uploads(1000)

        async def chunks():
            yield b"x" * 100
            raise ConnectionError("gone")

        with pytest.raises(Refusal, match="cannot be stored"):
            await uploads.receive(uploads.begin(), "a.nii", None, chunks())
        left = uploads.on_disk()
        uploads.close()
        return left

    assert asyncio.run(vanish()) == 0


def test_a_silent_client_is_dropped(monkeypatch):
    monkeypatch.setattr("litemedsam.server.files.uploads._PATIENCE_SECONDS", 0.05)

    async def wait():
        uploads = Uploads(1000)

        async def chunks():
            yield b"x"
            await asyncio.sleep(5)

        with pytest.raises(Refusal, match="nothing was sent") as refused:
            await uploads.receive(uploads.begin(), "a.nii", None, chunks())
        left = uploads.on_disk()
        uploads.close()
        return left, refused.value.status

    assert asyncio.run(wait()) == (0, HTTPStatus.REQUEST_TIMEOUT)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full disk to write to")
def test_a_full_disk_is_reported(monkeypatch, client):
    key = client.uploaded()
    folder = client.services.uploads.get(key).folder
    full = open

    def on_full_disk(path, mode, **given):
        (folder / "00000").touch()
        return full("/dev/full", "wb", buffering=0)

    monkeypatch.setattr("litemedsam.server.files.uploads.open", on_full_disk, raising=False)
    answer = client.put(f"/api/uploads/{key}/files", params={"name": "scan"}, content=b"x" * 10)
    assert answer.status_code == HTTPStatus.INSUFFICIENT_STORAGE
    assert "No space left" in answer.json()["error"]["text"]
    assert client.services.uploads.on_disk() == 0


@pytest.fixture
def uploads(tmp_path):
    made = Uploads(1000, tmp_path)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


async def parts_of(content):
    yield content


def received(uploads, upload, name, content=b"x"):
    asyncio.run(uploads.receive(upload, name, None, parts_of(content)))


def test_one_file_is_opened_itself_and_many_as_their_folder(uploads):
    upload = uploads.begin()
    received(uploads, upload, "first.DCM")
    assert upload.path.name == "00000.dcm"
    received(uploads, upload, "second", b"yy")
    assert upload.path == upload.folder
    assert sorted(path.name for path in upload.folder.iterdir()) == ["00000.dcm", "00001"]
    assert (upload.name, upload.files, upload.nbytes) == ("first.DCM", 2, 3)


def test_an_upload_that_nobody_takes_over_is_forgotten(uploads, monkeypatch):
    waiting, held = uploads.begin(), uploads.begin()
    uploads.hold(held.key)
    now = module.monotonic()
    monkeypatch.setattr(module, "monotonic", lambda: now + 2000)
    uploads.forget()
    with pytest.raises(Refusal, match="there is no such upload; begin a new one"):
        uploads.get(waiting.key)
    assert uploads.get(held.key) is held
    uploads.remove(held.key)
    uploads.remove(held.key)
    assert not held.folder.exists()


def test_uploads_are_limited_in_number(uploads):
    for _ in range(32):
        uploads.begin()
    with pytest.raises(Refusal, match="32 uploads wait, expected at most 32") as error:
        uploads.begin()
    assert error.value.status == HTTPStatus.SERVICE_UNAVAILABLE
