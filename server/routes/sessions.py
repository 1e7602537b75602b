"""Sessions: opened, listed, closed; their slices, masks, voxels and results."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response, StreamingResponse

from ...errors import LiteMedSamError
from ..refusal import CONFLICT, Refusal
from ..security.body import json_object
from .answers import in_thread, real_number, services_of, whole_number

if TYPE_CHECKING:
    from starlette.requests import Request

    from ..services import Services
    from ..sessions.open_scan import Reading
    from ..sessions.session import ScanSession

_OPTIONS = ("file", "upload", "name", "window", "frame", "series", "allow_uneven")


def session_of(request: Request) -> ScanSession:
    """The session that a path names; raises as `SessionStore.get`."""
    return services_of(request).store.get(request.path_params["session"])


async def sessions(request: Request) -> Response:
    """All open sessions."""
    found = services_of(request).store.all()
    listed = [{"id": each.key, "name": each.opened.name, "unsaved": each.unsaved} for each in found]
    return JSONResponse({"sessions": listed})


async def open_session(request: Request) -> Response:
    """Open a file of the data folder, or an upload."""
    given = await json_object(request, (), _OPTIONS)
    session = await in_thread(_open, services_of(request), given)
    return JSONResponse(_whole(session), 201)


def _open(services: Services, given: dict[str, Any]) -> ScanSession:
    reading = _reading(given)
    if ("file" in given) == ("upload" in given):
        raise LiteMedSamError("the body names neither or both of file and upload, expected one")
    key = given.get("file", given.get("upload"))
    if not isinstance(key, str):
        raise LiteMedSamError("file and upload are the server's own keys, expected a text")
    if "file" in given:
        offered = services.data.find(key)
        return services.store.open(offered.path, offered.name.rpartition("/")[2], reading)
    upload = services.uploads.get(key)
    if upload.files == 0:
        raise Refusal(CONFLICT, "the upload holds no file", "send a file first")
    from ..sessions.session import display_name

    name = display_name(given["name"]) if isinstance(given.get("name"), str) else upload.name
    services.uploads.hold(key)
    return services.store.open(upload.path, name, reading, lambda: services.uploads.remove(key))


def _reading(given: dict[str, Any]) -> Reading:
    from ..sessions.open_scan import Reading

    window, frame, series = given.get("window", ""), given.get("frame"), given.get("series", "")
    uneven = given.get("allow_uneven", False)
    if not (isinstance(window, str) and isinstance(series, str) and isinstance(uneven, bool)):
        raise LiteMedSamError("window, series or allow_uneven is of another type, expected two texts and a truth value")
    if frame is not None and (not isinstance(frame, int) or isinstance(frame, bool) or not 0 <= frame < 10**9):
        raise LiteMedSamError(f"frame is {str(frame)[:20]}, expected a whole number from 0")
    return Reading(window, frame, series, uneven)


def _whole(session: ScanSession) -> dict[str, Any]:
    return {**session.description(), "state": session.state()}


async def session(request: Request) -> Response:
    """One session: the scan and its objects."""
    return JSONResponse(await in_thread(_whole, session_of(request)))


async def state(request: Request) -> Response:
    """The objects of a session, with their masks' figures."""
    return JSONResponse(await in_thread(session_of(request).state))


async def close_session(request: Request) -> Response:
    """End a session; its uploaded files are removed."""
    await in_thread(services_of(request).store.close, request.path_params["session"])
    return Response(status_code=204)


async def slice_picture(request: Request) -> Response:
    """One slice as PNG."""
    plane, k = request.path_params["plane"], whole_number("slice", request.path_params["index"])
    level, width = real_number(request, "level"), real_number(request, "width")
    content = await in_thread(session_of(request).slice_picture, plane, k, level, width)
    return Response(content, media_type="image/png")


async def mask_picture(request: Request) -> Response:
    """The visible masks on one slice as PNG with transparency."""
    plane, k = request.path_params["plane"], whole_number("slice", request.path_params["index"])
    outline = request.query_params.get("outline") == "1"
    content = await in_thread(session_of(request).mask_picture, plane, k, outline)
    return Response(content, media_type="image/png")


async def foresee(request: Request) -> Response:
    """Encode a slice, because a box is being drawn on it."""
    session = session_of(request)
    given = await json_object(request, ("slice",))
    session.foresee(given["slice"])
    return Response(status_code=202)


async def voxel(request: Request) -> Response:
    """Index in the file, place in mm and value of a voxel as seen."""
    opened = session_of(request).opened
    axes = "xyz"[: len(opened.grid)]
    place = tuple(whole_number(axis, request.query_params.get(axis, "")) for axis in axes)
    return JSONResponse(opened.voxel(place))


async def export(request: Request) -> Response:
    """The result as a file."""
    found = session_of(request)
    given = await json_object(request, ("format",))
    if not isinstance(given["format"], str):
        raise LiteMedSamError("format is no text, expected the name of a format")
    saved = await in_thread(found.export, given["format"])
    plain = "".join(letter if letter.isascii() and letter not in '"\\' else "_" for letter in saved.name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(saved.name, safe='')}"
    return Response(saved.content, headers={"Content-Disposition": disposition}, media_type=saved.media_type)


async def events(request: Request) -> Response:
    """Server-sent events: ``state`` after a change, ``masks`` after a mask, ``progress`` meanwhile."""
    found = session_of(request)

    async def lines() -> AsyncIterator[str]:
        yield f"event: state\ndata: {json.dumps({'version': found.state()['version']})}\n\n"
        async for name, content in found.listeners.listen():
            yield ": ping\n\n" if name == "ping" else f"event: {name}\ndata: {json.dumps(content)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
