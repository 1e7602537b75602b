"""Events of a session for all who listen, from any thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from threading import Lock
from typing import Any

# A listener that lags behind by more than this is sent the latest state only.
_WAITING = 64
_PING_SECONDS = 15.0

Event = tuple[str, dict[str, Any]]
"""Name and content."""


class Listeners:
    """Those who listen to one session."""

    def __init__(self) -> None:
        self._queues: dict[asyncio.Queue[Event | None], asyncio.AbstractEventLoop] = {}
        self._changing = Lock()
        self._closed = False

    def __len__(self) -> int:
        return len(self._queues)

    def publish(self, name: str, content: dict[str, Any]) -> None:
        """Send an event to all; from any thread."""
        self._send((name, content))

    def close(self) -> None:
        """End all streams, and those that begin later."""
        self._closed = True
        self._send(None)

    async def listen(self) -> AsyncIterator[Event]:
        """Yield events as they come, and ``ping`` where none comes for a while."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_WAITING)
        with self._changing:
            self._queues[queue] = asyncio.get_running_loop()
        try:
            while not self._closed:
                try:
                    event = await asyncio.wait_for(queue.get(), _PING_SECONDS)
                except TimeoutError:
                    yield "ping", {}
                    continue
                if event is None:
                    return
                yield event
        finally:
            with self._changing:
                del self._queues[queue]

    def _send(self, event: Event | None) -> None:
        with self._changing:
            waiting = list(self._queues.items())
        for queue, loop in waiting:
            # The loop may have ended with the server.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_put, queue, event)


def _put(queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    if queue.full():
        # Every event makes the page look at the whole state, so that older ones may go.
        while not queue.empty():
            queue.get_nowait()
    queue.put_nowait(event)
