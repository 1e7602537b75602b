"""Errors of every kind as JSON, and numbers in paths and queries."""

import asyncio
import json
from http import HTTPStatus

import pytest
from litemedsam.server.refusal import Refusal
from litemedsam.server.routes.answers import answer_error, real_number, whole_number
from starlette.exceptions import HTTPException
from starlette.requests import Request

from litemedsam import LiteMedSamError


def test_an_internal_error_says_nothing_about_files(client, caplog, capfd, monkeypatch):
    def broken(self):
        raise RuntimeError("/secret/path of patient")

    monkeypatch.setattr("litemedsam.server.files.data_folder.DataFolder.scans", broken)
    answer = client.get("/api/files")
    assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert answer.json()["error"]["text"] == "internal error of the server"
    assert answer.headers["x-content-type-options"] == "nosniff"
    told = caplog.text + "".join(capfd.readouterr())
    assert "internal error: RuntimeError" in told
    assert "secret" not in told


def request(query=""):
    scope = {"type": "http", "method": "GET", "path": "/a", "query_string": query.encode(), "headers": []}
    return Request({**scope, "server": ("127.0.0.1", 8000), "scheme": "http"})


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (LiteMedSamError("a is 3, expected 4", "say 4"), 400, "a is 3, expected 4; say 4"),
        (Refusal(409, "not now"), 409, "not now"),
        (HTTPException(405, "Method Not Allowed", {"Allow": "GET"}), 405, "GET /a: Method Not Allowed"),
        (RuntimeError("/secret"), 500, "internal error of the server"),
    ],
)
def test_every_error_is_one_form_of_json(error, status, text):
    answer = asyncio.run(answer_error(request(), error))
    assert answer.status_code == status
    body = json.loads(answer.body)["error"]
    assert body["text"] == text
    assert set(body) == {"text", "what", "expected", "remedy"}
    assert (answer.headers.get("allow") == "GET") == (status == 405)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "\u0661", "1" * 10, "x"])
def test_other_texts_are_no_whole_numbers(text):
    assert whole_number("slice", "007") == 7
    with pytest.raises(LiteMedSamError, match=r"slice .*, expected a whole number"):
        whole_number("slice", text)


@pytest.mark.parametrize("text", ["", "x", "nan", "1" * 41])
def test_other_texts_are_no_numbers(text):
    assert real_number(request("level=-1.5e2"), "level") == -150
    assert real_number(request(), "level") is None
    with pytest.raises(LiteMedSamError, match=r"level .*, expected a number"):
        real_number(request(f"level={text}"), "level")
