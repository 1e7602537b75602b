"""Errors that have an HTTP status, and all errors as JSON."""

from __future__ import annotations

from ..errors import LiteMedSamError

BAD_REQUEST, CONFLICT, GONE, TOO_LARGE, FULL = 400, 409, 410, 413, 503
NOT_FOUND, TOO_SLOW, STORAGE = 404, 408, 507


class Refusal(LiteMedSamError):
    """A request that is refused with another status than 400.

    Parameters
    ----------
    status : int
        Of HTTP.
    message, remedy : str
        See `LiteMedSamError`.
    """

    def __init__(self, status: int, message: str, remedy: str | None = None):
        super().__init__(message, remedy)
        self.status = status


def status_of(error: LiteMedSamError) -> int:
    """The HTTP status of an error."""
    return error.status if isinstance(error, Refusal) else BAD_REQUEST


def error_body(error: LiteMedSamError) -> dict[str, dict[str, str]]:
    """An error as JSON: the whole line as ``text``, and its parts.

    Parameters
    ----------
    error : LiteMedSamError

    Returns
    -------
    dict
        Under ``error``: ``text``, ``what`` (where and what was found), ``expected`` and ``remedy``; the last two are
        empty where the message has no such part.
    """
    what, _, expected = error.message.partition(", expected ")
    return {"error": {"text": str(error), "what": what, "expected": expected, "remedy": error.remedy}}
