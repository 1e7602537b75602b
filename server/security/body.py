"""Bodies of requests, within limits that are counted while they come."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from ...errors import LiteMedSamError
from ..refusal import TOO_LARGE, TOO_SLOW, Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

_LARGEST_JSON = 65_536
_PATIENCE_SECONDS = 30.0


def declared_length(request: Request) -> int | None:
    """The number of bytes that a request announces; None where it does not.

    Raises
    ------
    LiteMedSamError
        For what is no number.
    """
    header = request.headers.get("content-length")
    if header is None:
        return None
    if not header.isdecimal() or len(header) > 18:
        raise LiteMedSamError(f"content-length {header[:20]!r}, expected a number of bytes")
    return int(header)


async def json_object(
    request: Request, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The JSON object that a request carries; an empty body is an empty object.

    Parameters
    ----------
    request : Request
    required, optional : tuple of str
        Its keys; others are refused, so that a misspelt one is noticed.

    Raises
    ------
    LiteMedSamError
        For bodies that are too large, slow, no JSON object, or of other keys.
    """
    content = await limited_body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Pages of other sites can send forms and plain text without asking, but no JSON.
    if content and kind != "application/json":
        raise LiteMedSamError(f"the body is {kind[:40] or 'of no type'}, expected application/json")
    try:
        value = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise LiteMedSamError("the body is not JSON, expected an object") from error
    if not isinstance(value, dict):
        raise LiteMedSamError(f"the body is a {type(value).__name__}, expected an object")
    unknown = [key for key in value if key not in (*required, *optional)]
    missing = [key for key in required if key not in value]
    if unknown or missing:
        known = ", ".join((*required, *optional)) or "none"
        what = f"unknown key {unknown[0][:20]!r}" if unknown else f"lacks {missing[0]}"
        raise LiteMedSamError(f"the body: {what}, expected the keys: {known}")
    return value


async def limited_body(request: Request) -> bytes:
    """The body of a small request.

    Raises
    ------
    LiteMedSamError
        When it is too large or slow.
    """
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await _counted(request, _LARGEST_JSON)
    except TimeoutError as error:
        raise Refusal(TOO_SLOW, "the body did not come in time") from error


async def binary_body(request: Request, most: int) -> bytes:
    """The body of a request that carries an array of at most `most` bytes.

    Raises
    ------
    LiteMedSamError
        When it is too large, stops coming, or is of another type than octets.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Pages of other sites cannot send this type without asking.
    if kind != "application/octet-stream":
        raise LiteMedSamError(f"the body is {kind[:40] or 'of no type'}, expected application/octet-stream")
    try:
        return await _counted(request, most, _PATIENCE_SECONDS)
    except TimeoutError as error:
        raise Refusal(TOO_SLOW, "the body stopped coming") from error


async def _counted(request: Request, most: int, patience: float | None = None) -> bytes:
    """The body; raises `TimeoutError` where no part comes for so many seconds."""
    declared = declared_length(request)
    if declared is not None and declared > most:
        raise Refusal(TOO_LARGE, f"a body of {declared} bytes, expected at most {most}")
    parts: list[bytes] = []
    size = 0
    stream = aiter(request.stream())
    while True:
        async with asyncio.timeout(patience):
            part = await anext(stream, None)
        if part is None:
            return b"".join(parts)
        size += len(part)
        if size > most:
            raise Refusal(TOO_LARGE, f"a body of more than {most} bytes")
        parts.append(part)
