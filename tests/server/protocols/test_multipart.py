"""Forms of several parts: read within limits, and written as they are read."""

import asyncio

import pytest
from litemedsam.server.protocols.multipart import chunks_of, file_in, form_of, form_response, parameters_in
from litemedsam.server.refusal import TOO_LARGE, Refusal
from starlette.requests import Request

from litemedsam import LiteMedSamError


def request(content, kind, **headers):
    given = {"content-type": kind, **headers}
    # Without an application, Starlette raises another error.
    scope = {"type": "http", "method": "POST", "path": "/", "app": None}
    scope["headers"] = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    parts = [content[k : k + 500_000] for k in range(0, len(content), 500_000)] or [b""]

    async def receive():
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    return Request(scope, receive)


def read(content, kind, most=1000, **headers):
    """Parameters, and name and content of the image, of a form."""

    async def inside():
        async with form_of(request(content, kind, **headers), most) as form:
            part = file_in(form, "file", "image")
            found = b"" if part is None else b"".join([chunk async for chunk in chunks_of(part)])
            return parameters_in(form), part and part.filename, found

    return asyncio.run(inside())


def test_what_is_written_is_read_back():
    answer = form_response({"label": "ä"}, "mask.nii.gz", b"\r\n--\0" * 50)
    assert read(answer.body, answer.headers["content-type"]) == ({"label": "ä"}, "mask.nii.gz", b"\r\n--\0" * 50)


def test_a_form_is_limited_by_its_header_and_by_what_comes():
    answer = form_response({}, "a", b"x" * 1_500_000)
    for headers in ({}, {"content_length": str(len(answer.body))}):
        with pytest.raises(Refusal, match="start the server with a larger --max-upload") as error:
            read(answer.body, answer.headers["content-type"], **headers)
        assert error.value.status == TOO_LARGE
    assert len(read(answer.body, answer.headers["content-type"], 1_000_000)[2]) == 1_500_000


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("application/json", "the body is application/json, expected multipart/form-data"),
        ("", "the body is of no type"),
        ("multipart/form-data", "the form cannot be read"),
    ],
)
def test_what_is_no_form_is_refused(kind, words):
    with pytest.raises(LiteMedSamError, match=words):
        read(b"x", kind)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "params is not JSON"), ("[1]", "params is a list, expected an object")]
)
def test_parameters_are_a_json_object(text, words):
    assert parameters_in({}) == {}
    assert parameters_in({"params": '{"a": 1}'}) == {"a": 1}
    with pytest.raises(LiteMedSamError, match=words):
        parameters_in({"params": text})
