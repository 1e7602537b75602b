"""What a user does to the objects of a session; every answer is the session's state."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from ..security.body import json_object
from .answers import in_thread, whole_number
from .sessions import session_of

if TYPE_CHECKING:
    from starlette.requests import Request

_WATCH_SECONDS = 0.2


async def add(request: Request) -> Response:
    """A new object from a box."""
    session = session_of(request)
    given = await json_object(request, ("box",), ("name",))
    key = await in_thread(session.add, given["box"], given.get("name", ""))
    return JSONResponse({"key": key, **await in_thread(session.state)}, 201)


async def change(request: Request) -> Response:
    """Another box, other points or corrections, another name, colour or visibility of an object."""
    session, key = session_of(request), whole_number("object", request.path_params["key"])
    given = await json_object(request, (), ("box", "points", "corrections", "name", "colour", "visible"))
    await in_thread(lambda: session.change(key, **given))
    return JSONResponse(await in_thread(session.state))


async def extend(request: Request) -> Response:
    """Find the slices of an object whose box covers one; a client that goes away stops the search."""
    session, key = session_of(request), whole_number("object", request.path_params["key"])
    await json_object(request)
    gone = Event()
    search = asyncio.ensure_future(in_thread(session.extend, key, gone.is_set))
    while not search.done():
        await asyncio.wait([search], timeout=_WATCH_SECONDS)
        if not search.done() and await request.is_disconnected():
            gone.set()
    await search
    return JSONResponse(await in_thread(session.state))


async def remove(request: Request) -> Response:
    """Delete an object."""
    session, key = session_of(request), whole_number("object", request.path_params["key"])
    await in_thread(session.remove, key)
    return JSONResponse(await in_thread(session.state))


async def undo(request: Request) -> Response:
    """Undo the last step."""
    session = session_of(request)
    await json_object(request)
    await in_thread(session.step, True)
    return JSONResponse(await in_thread(session.state))


async def redo(request: Request) -> Response:
    """Redo the step that was undone last."""
    session = session_of(request)
    await json_object(request)
    await in_thread(session.step, False)
    return JSONResponse(await in_thread(session.state))
