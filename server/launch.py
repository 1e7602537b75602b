"""The server's process: its socket, its signals, the browser."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import quote

import uvicorn

from ..errors import LiteMedSamError
from .app import application
from .services import Services

if TYPE_CHECKING:
    from .settings import ServerSettings

# After a signal, open connections may take so long.
_PATIENCE_SECONDS = 3
_MOST_CONNECTIONS = 256


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Parameters
    ----------
    host : str
    port : int
        0 for a free one.

    Raises
    ------
    LiteMedSamError
        When the address is in use or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; it delays each answer by 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise LiteMedSamError(
            f"cannot listen on {host}:{port} ({error.strerror or error})", "choose another --port; 0 takes a free one"
        ) from error
    return listening


def page_address(settings: ServerSettings) -> str:
    """The address of the page, with the token."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    query = f"?token={quote(settings.token, safe='')}" if settings.token else ""
    return f"http://{host}:{settings.port}/{query}"


class _Server(uvicorn.Server):
    """Ends the streams of events at a signal, which would keep connections open otherwise."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]):
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # In a thread, since a lock may be held by the code that the signal interrupts.
        threading.Thread(target=self._stopping, daemon=True).start()
        super().handle_exit(sig, frame)


def serve(settings: ServerSettings, browse: bool, tell: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Parameters
    ----------
    settings : ServerSettings
    browse : bool
        Whether to open a browser.
    tell : callable
        Prints a line.

    Raises
    ------
    LiteMedSamError
        For settings that make no sense.
    """
    listening = listening_socket(settings.host, settings.port)
    try:
        settings = replace(settings, port=int(listening.getsockname()[1]))
        services = Services.start(settings)
        address = page_address(settings)

        def ready() -> None:
            tell(f"litemedsam-serve: {address}")
            tell("Ctrl-C ends it.")
            if browse and _has_screen():
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        logging.getLogger("uvicorn.error").addFilter(lambda record: record.levelno >= logging.ERROR)
        config = uvicorn.Config(
            application(settings, services),
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws="none",
            http="h11",
            lifespan="on",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_PATIENCE_SECONDS,
        )
        # uvicorn raises the signal once more after an orderly end, which is the end here.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        _Server(config, ready, services.store.close_all).run([listening])
    finally:
        listening.close()


def _has_screen() -> bool:
    """Whether a browser would be a window; elsewhere it might be a program that takes the terminal."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
