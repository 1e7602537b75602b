"""Requests that must be refused, and limits that must hold."""

from http import HTTPStatus

import numpy as np
import psutil
import pytest
from server_client import IMAGE_BOX, TOKEN

S = "/api/sessions/SESSION"
GOOD = {"Authorization": f"Bearer {TOKEN}"}
NONE = {"Authorization": ""}
# Method, path, headers beside the token, body or JSON, and the status that must come.
ATTACKS = {
    "no token": ("GET", "/api/about", NONE, None, 401),
    "no token at the page": ("GET", "/", NONE, None, 401),
    "no token at its script": ("GET", "/page/main.js", NONE, None, 401),
    "no token at events": ("GET", f"{S}/events", NONE, None, 401),
    "no token, an upload": ("POST", "/api/uploads", NONE, None, 401),
    "no token, an unknown path": ("GET", "/nothing", NONE, None, 401),
    "no token at health with a slash": ("GET", "/healthz/", NONE, None, 401),
    "no token, health in capitals": ("GET", "/HEALTHZ", NONE, None, 401),
    "no token, MONAI Label's models": ("GET", "/info/", NONE, None, 401),
    "no token, MONAI Label's upload": ("PUT", "/session/", NONE, b"x", 401),
    "no token, MONAI Label's inference": ("POST", "/infer/litemedsam", NONE, b"x", 401),
    "no token, nnInteractive's lease": ("POST", "/claim", NONE, b"", 401),
    "no token, nnInteractive's image": ("POST", "/set_image", NONE, b"x", 401),
    "another site's page draws in nnInteractive's way": (
        "POST",
        "/add_bbox_interaction",
        {"Origin": "https://evil.example"},
        b"{}",
        403,
    ),
    "no lease": ("POST", "/undo", {}, b"", 410),
    "a guessed lease": ("POST", "/heartbeat", {"X-Lease-Token": "1"}, b"", 410),
    "a wrong password": ("POST", "/auth/token", NONE, b"username=a&password=wrong&grant_type=password", 401),
    "no password": ("POST", "/auth/token", NONE, b"", 401),
    "a password too large": ("POST", "/auth/token", NONE, b"password=" + b"x" * 70_000, 413),
    "another site's page logs in": ("POST", "/auth/token", {"Origin": "https://evil.example"}, b"", 403),
    "a form that is none": ("POST", "/infer/litemedsam", {}, b"x", 400),
    "a form of a broken boundary": ("PUT", "/session/", {"Content-Type": "multipart/form-data"}, b"x", 400),
    "a wrong token": ("GET", "/api/about", {"Authorization": "Bearer wrong"}, None, 401),
    "the start of the token": ("GET", "/api/about", {"Authorization": f"Bearer {TOKEN[:-1]}"}, None, 401),
    "the token as a password": ("GET", "/api/about", {"Authorization": f"Basic {TOKEN}"}, None, 401),
    "a wrong cookie": ("GET", "/api/about", {**NONE, "Cookie": "litemedsam-8000=wrong"}, None, 401),
    "another port's cookie": ("GET", "/api/about", {**NONE, "Cookie": f"litemedsam-8001={TOKEN}"}, None, 401),
    "the token in the query of the API": ("GET", f"/api/about?token={TOKEN}", NONE, None, 401),
    "a wrong token in the page's address": ("GET", "/?token=wrong", NONE, None, 401),
    "bytes for a token": ("GET", "/api/about", {"Authorization": b"Bearer \xff\xfe"}, None, 401),
    "another host (DNS rebinding)": ("GET", "/api/about", {"Host": "evil.example"}, None, 421),
    "another host with our port": ("GET", "/api/about", {"Host": "evil.example:8000"}, None, 421),
    "our name within another host": ("GET", "/api/about", {"Host": "127.0.0.1.evil.example"}, None, 421),
    "another host for the health": ("GET", "/healthz", {"Host": "evil.example"}, None, 421),
    "a user within the host": ("GET", "/api/about", {"Host": "127.0.0.1@evil.example"}, None, 421),
    "an empty host": ("GET", "/api/about", {"Host": ""}, None, 421),
    "another machine's address": ("GET", "/api/about", {"Host": "192.168.0.7:8000"}, None, 421),
    "another site's page": ("POST", "/api/uploads", {"Origin": "https://evil.example"}, None, 403),
    "another site's page reads": ("GET", "/api/about", {"Origin": "https://evil.example"}, None, 403),
    "a page of no origin": ("POST", "/api/uploads", {"Origin": "null"}, None, 403),
    "another port of this host": ("POST", "/api/uploads", {"Origin": "http://127.0.0.1:9999"}, None, 403),
    "a preflight of another site": ("OPTIONS", "/api/uploads", {"Origin": "https://evil.example"}, None, 403),
    "a form of another type": ("POST", "/api/sessions", {"Content-Type": "text/plain"}, b'{"file": "x"}', 400),
    "a path for a file": ("POST", "/api/sessions", {}, {"file": "/etc/passwd"}, 404),
    "a path upwards for a file": ("POST", "/api/sessions", {}, {"file": "../../etc/passwd"}, 404),
    "a path of Windows for a file": ("POST", "/api/sessions", {}, {"file": "C:\\Windows\\win.ini"}, 404),
    "a share of Windows for a file": ("POST", "/api/sessions", {}, {"file": "\\\\host\\share\\x.nii"}, 404),
    "an address for a file": ("POST", "/api/sessions", {}, {"file": "http://127.0.0.1/secret"}, 404),
    "an address as a key": ("POST", "/api/sessions", {}, {"url": "http://127.0.0.1/secret"}, 400),
    "a path for an upload": ("POST", "/api/sessions", {}, {"upload": "../other"}, 404),
    "a file and an upload": ("POST", "/api/sessions", {}, {"file": "a", "upload": "b"}, 400),
    "a number for a file": ("POST", "/api/sessions", {}, {"file": 7}, 400),
    "an object for a window": ("POST", "/api/sessions", {}, {"file": "a", "window": {}}, 400),
    "a frame below 0": ("POST", "/api/sessions", {}, {"file": "a", "frame": -1}, 400),
    "a path upwards in the page": ("GET", "/page/..%2fapp.py", {}, None, 404),
    "a path upwards, encoded": ("GET", "/page/%2e%2e%2fapp.py", {}, None, 404),
    "a path of Windows in the page": ("GET", "/page/..%5capp.py", {}, None, 404),
    "Python in the page": ("GET", "/page/__init__.py", {}, None, 404),
    "an unknown session": ("GET", "/api/sessions/unknown", {}, None, 404),
    "an unknown session upwards": ("GET", "/api/sessions/..%2f..%2fetc", {}, None, 404),
    "a method that changes, by GET": ("GET", f"{S}/undo", {}, None, 405),
    "an unknown method": ("TRACE", "/api/about", {}, None, 405),
    "no JSON": ("POST", f"{S}/objects", {"Content-Type": "application/json"}, b"{", 400),
    "JSON too deep": ("POST", f"{S}/objects", {"Content-Type": "application/json"}, b"[" * 60_000, 400),
    "a list for JSON": ("POST", f"{S}/objects", {"Content-Type": "application/json"}, b"[]", 400),
    "JSON too large": ("POST", f"{S}/objects", {"Content-Type": "application/json"}, b" " * 70_000, 413),
    "a length of no number": ("POST", f"{S}/undo", {"Content-Length": "-5"}, None, 400),
    "an unknown key": ("POST", f"{S}/objects", {}, {"box": IMAGE_BOX, "path": "/etc"}, 400),
    "no box": ("POST", f"{S}/objects", {}, {}, 400),
    "a box outside": ("POST", f"{S}/objects", {}, {"box": [0, 0, 10**6, 10]}, 400),
    "a box of text": ("POST", f"{S}/objects", {}, {"box": "0,0,1,1"}, 400),
    "a box of broken numbers": ("POST", f"{S}/objects", {}, {"box": [0.5, 0, 3, 3]}, 400),
    "a box the wrong way round": ("POST", f"{S}/objects", {}, {"box": [9, 9, 3, 3]}, 400),
    "a box of truth values": ("POST", f"{S}/objects", {}, {"box": [False, False, True, True]}, 400),
    "a name too long": ("POST", f"{S}/objects", {}, {"box": IMAGE_BOX, "name": "x" * 65}, 400),
    "a colour of script": ("PATCH", f"{S}/objects/1", {}, {"colour": "red;x"}, 404),
    "an object's key of text": ("DELETE", f"{S}/objects/%2e%2e", {}, None, 400),
    "an object's key of other digits": ("DELETE", f"{S}/objects/\u0661", {}, None, 400),
    "a slice beyond": ("GET", f"{S}/slices/image/1", {}, None, 400),
    "a slice of text": ("GET", f"{S}/slices/image/-1", {}, None, 400),
    "a plane that is not there": ("GET", f"{S}/slices/axial/0", {}, None, 400),
    "a window of no width": ("GET", f"{S}/slices/image/0?width=0", {}, None, 400),
    "a window of NaN": ("GET", f"{S}/slices/image/0?level=nan", {}, None, 400),
    "a window of infinity": ("GET", f"{S}/slices/image/0?level=inf&width=5", {}, None, 400),
    "a voxel outside": ("GET", f"{S}/voxel?x=9999&y=0", {}, None, 400),
    "an unknown format": ("POST", f"{S}/export", {}, {"format": "../x"}, 400),
    "nothing to save": ("POST", f"{S}/export", {}, {"format": "png"}, 409),
    "nothing to undo": ("POST", f"{S}/undo", {}, None, 409),
    "a file of an unknown upload": ("PUT", "/api/uploads/unknown/files?name=a.nii", {}, b"x", 404),
}


@pytest.fixture(scope="module")
def victim(module_client):
    """A client with an open image, for attacks that change nothing."""
    return module_client, module_client.opened("slice.png")["id"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused(victim, attack):
    client, session = victim
    method, path, headers, body, status = ATTACKS[attack]
    headers = {name: value for name, value in {**GOOD, **headers}.items() if value or name == "Host"}
    given = {"json": body} if isinstance(body, dict) else {"content": body}
    without = client.headers.pop("Authorization")
    try:
        answer = client.request(method, path.replace("SESSION", session), headers=headers, **given)
    finally:
        client.headers["Authorization"] = without
    assert answer.status_code == status, answer.text
    assert "/tmp" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "access-control-allow-origin" not in answer.headers
    if answer.headers["content-type"] == "application/json":
        assert set(answer.json()["error"]) == {"text", "what", "expected", "remedy"}


def test_there_are_enough_attacks():
    assert len(ATTACKS) >= 30


def test_links_do_not_lead_out_of_the_data_folder(serve, scans, tmp_path):
    data, outside = tmp_path / "data", tmp_path / "outside"
    data.mkdir()
    outside.mkdir()
    (outside / "secret.npz").write_bytes((scans / "flat.npz").read_bytes())
    (data / "good.npz").write_bytes((scans / "flat.npz").read_bytes())
    (data / "link.npz").symlink_to(outside / "secret.npz")
    (data / "folder").symlink_to(outside)
    (data / "series").mkdir()
    for number, path in enumerate(sorted((scans / "series").iterdir())):
        (data / "series" / f"{number}.dcm").write_bytes(path.read_bytes())
    client = serve(data=(data,))
    assert {file["name"] for file in client.get("/api/files").json()["files"]} == {"good.npz", "series"}
    (data / "series" / "0.dcm").unlink()
    (data / "series" / "0.dcm").symlink_to(outside / "secret.npz")
    assert {file["name"] for file in client.get("/api/files").json()["files"]} == {"good.npz"}


def test_a_file_that_becomes_a_link_is_not_opened(serve, scans, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "good.npz").write_bytes((scans / "flat.npz").read_bytes())
    client = serve(data=(data,))
    key = client.file_id("good.npz")
    (data / "good.npz").unlink()
    (data / "good.npz").symlink_to(scans / "flat.npz")
    assert client.post("/api/sessions", json={"file": key}).status_code == HTTPStatus.NOT_FOUND


def test_a_header_that_declares_gigabytes_is_refused_before_memory_is_taken(client, tmp_path):
    header = np.lib.format.header_data_from_array_1_0(np.zeros(1, np.uint8))
    header["shape"] = (4000, 4000, 4000)
    path = tmp_path / "bomb.npz"
    import zipfile

    with zipfile.ZipFile(path, "w") as archive, archive.open("imgs.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, header)
    answer = client.post("/api/sessions", json={"upload": client.uploaded(path)})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["text"].startswith("bomb.npz")


def held():
    """Threads, open files and memory in MB of this process."""
    process = psutil.Process()
    return process.num_threads(), process.num_fds(), process.memory_info().rss / 1e6


def test_five_hundred_sessions_leave_nothing(client, scans):
    for number in range(500):
        session = client.post("/api/sessions", json={"upload": client.uploaded(scans / "slice.png")}).json()["id"]
        if number % 20 == 0:
            client.drawn(session, IMAGE_BOX)
        assert client.delete(f"/api/sessions/{session}").status_code == HTTPStatus.NO_CONTENT
        if number == 99:
            before = held()
    threads, files, memory = held()
    assert threads <= before[0] + 2
    assert files <= before[1] + 2
    assert memory <= before[2] + 20
    assert client.services.uploads.on_disk() == 0
    assert client.services.store.all() == []


def test_no_name_of_a_file_is_logged(client, caplog):
    caplog.set_level("INFO")
    client.opened("scan.nii.gz")
    client.post("/api/sessions", json={"file": "unknown"})
    assert "scan" not in caplog.text
