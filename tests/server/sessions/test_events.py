"""Events reach every listener; one that vanishes or lags behind is no burden."""

import asyncio
import socket
import threading
import time

import pytest
import uvicorn
from litemedsam.server.sessions.events import Listeners
from server_client import TOKEN


def test_a_listener_that_lags_behind_gets_the_latest_events():
    async def lag():
        listeners, seen = Listeners(), []
        stream = listeners.listen()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        for number in range(500):
            listeners.publish("state", {"version": number})
        seen.append(await first)
        await asyncio.sleep(0.01)
        listeners.close()
        seen += [event async for event in stream]
        return seen, len(listeners)

    seen, left = asyncio.run(lag())
    assert len(seen) < 200
    assert left == 0


def test_closing_ends_streams_that_begin_later():
    async def late():
        listeners = Listeners()
        listeners.close()
        return [event async for event in listeners.listen()]

    assert asyncio.run(late()) == []


def test_a_quiet_stream_is_kept_alive(monkeypatch):
    monkeypatch.setattr("litemedsam.server.sessions.events._PING_SECONDS", 0.01)

    async def wait():
        stream = Listeners().listen()
        return await anext(stream)

    assert asyncio.run(wait()) == ("ping", {})


@pytest.fixture
def running(client):
    """The port of the client's server, on a real socket."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(client.app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()


def test_a_client_that_vanishes_is_forgotten(client, running):
    session = client.opened("slice.png")["id"]
    listeners = client.services.store.get(session).listeners
    request = f"GET /api/sessions/{session}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running)) as connection:
        connection.sendall(request.encode())
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
        for _ in range(500):
            if len(listeners):
                break
            time.sleep(0.01)
        assert len(listeners) == 1
    for _ in range(500):
        if not len(listeners):
            break
        time.sleep(0.01)
    assert len(listeners) == 0
