"""The gate: who is let in, what every answer carries, and what goes no further."""

import asyncio
from http import HTTPStatus

import pytest
from litemedsam.server.security.access import Access
from litemedsam.server.security.gate import Gate
from litemedsam.server.security.hosts import HostRule, OriginRule
from server_client import TOKEN


def test_the_token_opens_by_header_by_cookie_and_by_the_page_s_address(client):
    assert client.get("/api/about").status_code == HTTPStatus.OK
    del client.headers["Authorization"]
    assert client.get("/api/about").status_code == HTTPStatus.UNAUTHORIZED
    page = client.get(f"/?token={TOKEN}")
    assert page.status_code == HTTPStatus.OK
    cookie = page.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert client.get("/api/about").status_code == HTTPStatus.OK
    assert TOKEN not in page.text


def test_health_needs_no_token(client):
    del client.headers["Authorization"]
    assert client.get("/healthz").json() == {"ok": True}


def test_an_allowed_origin_and_host_are_let_in(serve):
    viewer = "https://viewer.example.org"
    client = serve(allow_origins=(viewer,), allow_hosts=("work.example",))
    answer = client.get("/api/about", headers={"Origin": viewer, "Host": "work.example:9000"})
    assert answer.headers["access-control-allow-origin"] == viewer
    assert answer.headers["vary"] == "Origin"
    preflight = client.options("/api/uploads", headers={"Origin": viewer, "Authorization": ""})
    assert preflight.status_code == HTTPStatus.NO_CONTENT
    assert "access-control-allow-credentials" not in preflight.headers
    assert client.post("/api/uploads", headers={"Origin": "http://127.0.0.1:8000"}).status_code == HTTPStatus.CREATED


async def application(scope, receive, send):
    """Answers everything with its path."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def asked(path="/a", method="GET", kind="http", app=application, **headers):
    """Status, headers and body of the gate's answer, or its single message to other protocols."""
    gate = Gate(app, HostRule("127.0.0.1", ()), OriginRule(()), Access(TOKEN, 8000), ("/free",))
    given = {"host": "127.0.0.1:8000", **headers}
    scope = {"type": kind, "method": method, "path": path, "query_string": b"", "headers": []}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in given.items()]
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(gate(scope, None, send))
    if kind != "http":
        return sent
    return sent[0]["status"], {key.decode(): value.decode() for key, value in sent[0]["headers"]}, sent[1]["body"]


OWN = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("asking", "status"),
    [
        ({"path": "/free"}, 200),
        ({**OWN}, 200),
        ({}, 401),
        ({"path": "/"}, 401),
        ({**OWN, "host": "evil.example"}, 421),
        ({**OWN, "origin": "https://evil.example"}, 403),
        ({**OWN, "method": "TRACE"}, 405),
        ({"method": "OPTIONS", "origin": "https://evil.example"}, 403),
    ],
)
def test_every_answer_has_the_headers_whoever_gives_it(asking, status):
    found, headers, _ = asked(**asking)
    assert found == status
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "script-src 'self'" in headers["content-security-policy"]
    assert ("www-authenticate" in headers) == (status == 401)


def test_what_is_refused_never_reaches_the_application():
    async def reached(scope, receive, send):
        raise AssertionError(scope["path"])

    assert asked(app=reached)[0] == HTTPStatus.UNAUTHORIZED


def test_web_sockets_are_closed():
    assert asked(kind="websocket") == [{"type": "websocket.close", "code": 1008}]
