"""The token: in a header, in a cookie, or once in the address of the page."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

_SCHEME = "bearer"


class Access:
    """Decides who may ask.

    Parameters
    ----------
    token : str
        Empty where everyone may.
    port : int
        Part of the cookie's name, since browsers share cookies between the ports of a host.
    """

    def __init__(self, token: str, port: int):
        self._token = token.encode()
        self._cookie = f"litemedsam-{port}"

    def enters(self, query: str) -> bool:
        """Whether the query of the page's address, such as ``token=…``, carries the token."""
        return not self.open and self.is_token(dict(parse_qsl(query)).get("token", ""))

    @property
    def open(self) -> bool:
        """Whether no token is asked for."""
        return not self._token

    def is_token(self, given: str) -> bool:
        """Whether a text is the token; takes the same time whatever the text."""
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)

    def allows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers carries the token; names of headers in lower case."""
        if self.open:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == _SCHEME and self.is_token(given.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and self.is_token(morsel.value)

    def set_cookie(self) -> str:
        """The header that gives a browser the token: for this server alone, out of reach of scripts and other sites."""
        return f"{self._cookie}={self._token.decode()}; Path=/; HttpOnly; SameSite=Strict"
