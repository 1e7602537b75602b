"""The application: its routes behind the gate, ended with its lifespan."""

from http import HTTPStatus

import pytest
from litemedsam.server.app import ROUTES, application
from litemedsam.server.services import Services
from litemedsam.server.settings import ServerSettings

from litemedsam import LiteMedSamError


def test_the_end_of_the_lifespan_closes_all_sessions(serve):
    client = serve()
    session = client.services.store.get(client.opened("slice.png")["id"])
    with client:
        assert client.get("/api/sessions").json()["sessions"]
    assert client.services.store.all() == []
    assert session.opened.session.predict([[9, 13, 29, 30]]).masks.shape == (1, 40, 48)


def test_only_health_is_free(module_client):
    without = module_client.headers.pop("Authorization")
    try:
        for route in ROUTES:
            (method, *_) = route.methods - {"HEAD"}
            path = route.path.replace("{index}", "0")
            status = HTTPStatus.OK if path == "/healthz" else HTTPStatus.UNAUTHORIZED
            assert module_client.request(method, path).status_code == status, path
    finally:
        module_client.headers["Authorization"] = without


def test_a_slash_too_many_is_another_path(module_client):
    answer = module_client.get("/api/about/", follow_redirects=False)
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.json()["error"]["text"] == "GET /api/about/: Not Found"


def test_settings_that_make_no_sense_are_refused(engine):
    settings = ServerSettings(engine, allow_origins=("*",))
    services = Services.start(settings)
    with pytest.raises(LiteMedSamError, match="--allow-origin"):
        application(settings, services)
    services.close()
