"""The checks before every route: host, origin, token; and the headers on every answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from ...errors import LiteMedSamError
from ..refusal import error_body

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .access import Access
    from .hosts import HostRule, OriginRule

_log = logging.getLogger("litemedsam.server")
# Nothing but the page's own files; no inline script, no frame, no other host.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PAGE = "/"
_LOCKED = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="color-scheme" content="light dark"><title>litemedsam</title>
<h1>litemedsam</h1><p>This address lacks the token. Open the whole address that <code>litemedsam-serve</code> printed,
or enter its token:</p><form action="/" method="get"><label>Token <input name="token" type="password"
autocomplete="off" autofocus required></label> <button>Open</button></form></html>"""
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_METHODS_KNOWN = frozenset((*_METHODS.split(", "), "HEAD", "OPTIONS"))


class Gate:
    """ASGI middleware that answers what is refused by itself.

    Parameters
    ----------
    app : ASGIApp
    hosts : HostRule
    origins : OriginRule
    access : Access
    free : iterable of str
        Paths that need no token.
    """

    def __init__(self, app: ASGIApp, hosts: HostRule, origins: OriginRule, access: Access, free: Iterable[str]):
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._access = access
        self._free = frozenset(free)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            # There are no web sockets.
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        entering = scope["path"] == _PAGE and self._access.enters(scope["query_string"].decode("latin-1"))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                own.update(_HEADERS)
                if origin in self._origins.allowed:
                    own["Access-Control-Allow-Origin"] = origin
                    own["Cross-Origin-Resource-Policy"] = "cross-origin"
                own.add_vary_header("Origin")
                if entering:
                    own.append("Set-Cookie", self._access.set_cookie())
            await send(message)

        refused = self._refusal(scope, headers, entering)
        if refused is not None:
            await refused(scope, receive, with_headers)
            return
        try:
            await self._app(scope, receive, with_headers)
        except Exception as error:  # noqa: BLE001 - answered with 500 already
            # Without the message and its trace, which may name files.
            _log.error("internal error: %s", type(error).__name__, exc_info=_log.isEnabledFor(logging.DEBUG))

    def _refusal(self, scope: Scope, headers: Headers, entering: bool) -> Response | None:
        """The answer to a request that goes no further."""
        if not self._hosts.allows(headers.getlist("host")):
            return _refused(
                421, "the request is for another host", "open the server under its own address, or add --allow-host"
            )
        if not self._origins.allows(headers.getlist("origin"), headers.get("host", "")):
            return _refused(
                403, "the request comes from another site's page", "add --allow-origin for a page you trust"
            )
        if scope["method"] not in _METHODS_KNOWN:
            return _refused(405, f"the method is not known, expected one of: {_METHODS}")
        if scope["method"] == "OPTIONS" and headers.get("origin") in self._origins.allowed:
            granted = {
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": "authorization, content-type",
                "Access-Control-Max-Age": "600",
            }
            return Response(status_code=204, headers=granted)
        if scope["path"] in self._free or entering or self._access.allows(headers):
            return None
        if scope["path"] == _PAGE:
            return Response(_LOCKED, 401, {"WWW-Authenticate": "Bearer"}, "text/html")
        return _refused(401, "the request lacks the token", "open the address that litemedsam-serve printed")


def _refused(status: int, message: str, remedy: str | None = None) -> Response:
    body = json.dumps(error_body(LiteMedSamError(message, remedy)))
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return Response(body, status, headers, "application/json")
