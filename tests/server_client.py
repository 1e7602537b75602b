"""A client of the server's API, as programs use it."""

from pathlib import Path
from typing import Any

from litemedsam.server.services import Services
from starlette.testclient import TestClient

ADDRESS = "http://127.0.0.1:8000"
TOKEN = "a-token-for-tests"
# x_min, y_min, z_min, x_max, y_max, z_max of the phantom's ellipsoid as seen.
VOLUME_BOX = [9, 13, 1, 29, 30, 3]
IMAGE_BOX = [9, 13, 29, 30]


class Client(TestClient):
    """Starlette's client, with the calls that many tests make."""

    def __init__(self, app: Any, services: Services, **given: Any):
        super().__init__(app, raise_server_exceptions=False, **given)
        self.services = services

    def file_id(self, name: str) -> str:
        """The server's key of an offered file."""
        files = self.get("/api/files").json()["files"]
        return next(file["id"] for file in files if file["name"] == name)

    def opened(self, name: str, **options: Any) -> dict[str, Any]:
        """Open an offered file; the session."""
        answer = self.post("/api/sessions", json={"file": self.file_id(name), **options})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def uploaded(self, *paths: Path) -> str:
        """Upload files; the upload's key."""
        key: str = self.post("/api/uploads").json()["id"]
        for path in paths:
            answer = self.put(f"/api/uploads/{key}/files", params={"name": path.name}, content=path.read_bytes())
            assert answer.status_code == 201, answer.text
        return key

    def drawn(self, session: str, box: list[int], **values: Any) -> dict[str, Any]:
        """Draw a box and wait for its mask; the session's state."""
        answer = self.post(f"/api/sessions/{session}/objects", json={"box": box, **values})
        assert answer.status_code == 201, answer.text
        return self.settled(session)

    def settled(self, session: str) -> dict[str, Any]:
        """The state once all masks are there."""
        assert self.services.store.get(session).wait(20)
        found: dict[str, Any] = self.get(f"/api/sessions/{session}/state").json()
        return found

    def exported(self, session: str, form: str) -> bytes:
        """The result in a format."""
        answer = self.post(f"/api/sessions/{session}/export", json={"format": form})
        assert answer.status_code == 200, answer.text
        return answer.content
