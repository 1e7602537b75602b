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
    declared = declared_length(request)
    if declared is not None and declared > _LARGEST_JSON:
        raise Refusal(TOO_LARGE, f"a body of {declared} bytes, expected at most {_LARGEST_JSON}")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await _counted(request)
    except TimeoutError as error:
        raise Refusal(TOO_SLOW, "the body did not come in time") from error


async def _counted(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > _LARGEST_JSON:
            raise Refusal(TOO_LARGE, f"a body of more than {_LARGEST_JSON} bytes")
        parts.append(part)
    return b"".join(parts)
