"""Bodies of requests: JSON objects of known keys, within limits that are counted while they come."""

import asyncio
import json

import pytest
from litemedsam.server.refusal import TOO_LARGE, TOO_SLOW, Refusal
from litemedsam.server.security import body
from litemedsam.server.security.body import declared_length, json_object
from starlette.requests import Request

from litemedsam import LiteMedSamError


def request(content=b"", wait=0.0, **headers):
    """A request whose body comes in parts of ten thousand bytes, each after a while."""
    parts = [content[k : k + 10_000] for k in range(0, len(content), 10_000)] or [b""]

    async def receive():
        await asyncio.sleep(wait)
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": given}, receive)


JSON = {"content_type": "application/json; charset=utf-8"}


def read(content, required=(), optional=(), **headers):
    return asyncio.run(json_object(request(content, **{**JSON, **headers}), required, optional))


def test_an_object_of_known_keys_is_read():
    assert read(b'{"box": [1], "name": "a"}', ("box",), ("name",)) == {"box": [1], "name": "a"}
    assert read(b"") == {}
    assert asyncio.run(json_object(request())) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "the body is not JSON, expected an object"),
        (b"[" * 50_000, "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[1]", "the body is a list, expected an object"),
        (b"{}", "the body: lacks box, expected the keys: box, name"),
        (b'{"box": 1, "nmae": 2}', "the body: unknown key 'nmae', expected the keys: box, name"),
    ],
)
def test_other_bodies_are_refused(content, words):
    with pytest.raises(LiteMedSamError, match=words):
        read(content, ("box",), ("name",))


def test_json_says_that_it_is_json():
    for kind in ("text/plain", "", "application/x-www-form-urlencoded"):
        with pytest.raises(LiteMedSamError, match="expected application/json"):
            read(b"{}", content_type=kind)


@pytest.mark.parametrize("headers", [{}, {"content_length": "70000"}])
def test_a_body_is_limited_by_its_header_and_by_what_comes(headers):
    content = json.dumps({"name": "x" * 70_000}).encode()
    with pytest.raises(Refusal, match=r"a body of (70000|more than 65536) bytes") as error:
        read(content, **headers)
    assert error.value.status == TOO_LARGE


def test_a_slow_body_is_dropped(monkeypatch):
    monkeypatch.setattr(body, "_PATIENCE_SECONDS", 0.05)
    with pytest.raises(Refusal, match="did not come in time") as error:
        asyncio.run(json_object(request(b"{}", wait=1.0, **JSON)))
    assert error.value.status == TOO_SLOW


@pytest.mark.parametrize("length", ["-5", "1.5", "x", "9" * 19])
def test_a_length_is_a_number(length):
    assert declared_length(request()) is None
    assert declared_length(request(content_length="12")) == 12
    with pytest.raises(LiteMedSamError, match="expected a number of bytes"):
        declared_length(request(content_length=length))
