"""Forms of several parts: read within limits, written as the clients of MONAI Label read them."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ...errors import LiteMedSamError
from ..refusal import TOO_LARGE, Refusal
from ..security.body import declared_length

if TYPE_CHECKING:
    from starlette.types import Message

# The parts beside the file, and their headers.
_OVERHEAD = 1_000_000
_MOST_FILES, _MOST_FIELDS = 4, 16
_CHUNK = 1_000_000


@asynccontextmanager
async def form_of(request: Request, most_bytes: int) -> AsyncIterator[FormData]:
    """The parts of a request; large ones lie on the disk and go at the end.

    Parameters
    ----------
    request : Request
    most_bytes : int
        Of all files.

    Raises
    ------
    LiteMedSamError
        When there is more, or when it is no form.
    """
    limit = most_bytes + _OVERHEAD
    declared = declared_length(request)
    if declared is not None and declared > limit:
        raise _too_large(limit)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise LiteMedSamError(f"the body is {kind[:40] or 'of no type'}, expected multipart/form-data")
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    try:
        form = await Request(request.scope, counted).form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS)
    except HTTPException as error:
        raise LiteMedSamError(f"the form cannot be read ({error.detail})", "send multipart/form-data") from error
    try:
        yield form
    finally:
        await form.close()


def _too_large(limit: int) -> Refusal:
    return Refusal(
        TOO_LARGE,
        f"a form of more than {limit / 1e6:.0f} MB, expected less",
        "start the server with a larger --max-upload",
    )


def file_in(form: FormData, *names: str) -> UploadFile | None:
    """The first file of some names; None where there is none."""
    return next((part for name in names for part in form.getlist(name) if isinstance(part, UploadFile)), None)


def parameters_in(form: FormData) -> dict[str, Any]:
    """The JSON object in the field ``params``; empty where it is absent.

    Raises
    ------
    LiteMedSamError
        When it is no JSON object.
    """
    text = form.get("params")
    try:
        value = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError) as error:
        raise LiteMedSamError("params is not JSON, expected an object") from error
    if not isinstance(value, dict):
        raise LiteMedSamError(f"params is a {type(value).__name__}, expected an object")
    return value


async def chunks_of(part: UploadFile) -> AsyncIterator[bytes]:
    """The content of a file, a megabyte at a time."""
    while chunk := await part.read(_CHUNK):
        yield chunk


def form_response(parameters: dict[str, Any], name: str, content: bytes) -> Response:
    """A form with the parts ``params`` and ``image``.

    Parameters
    ----------
    parameters : dict
        As JSON.
    name : str
        The file's name, whose suffix says its format; without quotes.
    content : bytes
    """
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\nContent-Type: application/json\r\n\r\n'
        f"{json.dumps(parameters)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={boundary}")
