"""Endpoints as functions of the shared services, with one way to answer errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ...errors import LiteMedSamError
from ..refusal import error_body, status_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..services import Services

_LONGEST_NUMBER = 9

Endpoint = Callable[["Request"], Awaitable[Response]]

in_thread = run_in_threadpool
"""Run a blocking function with its arguments in a thread."""


def services_of(request: Request) -> Services:
    """What the routes share."""
    services: Services = request.app.state.services
    return services


def whole_number(name: str, text: str) -> int:
    """A part of a path as a number of at least 0.

    Raises
    ------
    LiteMedSamError
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise LiteMedSamError(f"{name} {text[:20]!r}, expected a whole number")
    return int(text)


def real_number(request: Request, name: str) -> float | None:
    """A number in the query; None where it is absent.

    Raises
    ------
    LiteMedSamError
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    # NaN is the only number that differs from itself.
    if number != number or len(text) > 40:
        raise LiteMedSamError(f"{name} {text[:20]!r}, expected a number")
    return number


async def answer_error(request: Request, error: Exception) -> Response:
    """The answer to an error of ours, of HTTP, or any other, which the gate logs."""
    if isinstance(error, LiteMedSamError):
        return JSONResponse(error_body(error), status_of(error))
    if isinstance(error, HTTPException):
        body = error_body(LiteMedSamError(f"{request.method} {request.url.path[:80]}: {error.detail}"))
        return JSONResponse(body, error.status_code, error.headers)
    return JSONResponse(error_body(LiteMedSamError("internal error of the server")), 500)
