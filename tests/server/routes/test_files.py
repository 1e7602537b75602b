"""Offered files and uploads by the API."""

from http import HTTPStatus


def test_offered_files_have_keys_and_names_alone(module_client):
    files = module_client.get("/api/files").json()["files"]
    assert {"scan.nii.gz", "series", "slice.png"} <= {file["name"] for file in files}
    assert all(set(file) == {"id", "name"} for file in files)
    assert len({file["id"] for file in files}) == len(files)


def test_an_upload_counts_its_files_and_can_be_taken_back(client, scans):
    key = client.post("/api/uploads").json()["id"]
    content = (scans / "slice.png").read_bytes()
    for number in (1, 2):
        answer = client.put(f"/api/uploads/{key}/files", params={"name": "a.png"}, content=content)
        assert answer.status_code == HTTPStatus.CREATED
        assert answer.json() == {"id": key, "files": number, "bytes": number * len(content)}
    assert client.delete(f"/api/uploads/{key}").status_code == HTTPStatus.NO_CONTENT
    assert client.services.uploads.on_disk() == 0
    assert client.delete(f"/api/uploads/{key}").status_code == HTTPStatus.NOT_FOUND


def test_an_upload_begins_without_keys(client):
    assert client.post("/api/uploads", json={"name": "a"}).status_code == HTTPStatus.BAD_REQUEST
