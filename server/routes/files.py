"""Files that may be opened, and uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from ..security.body import declared_length, json_object
from ..sessions.session import display_name
from .answers import in_thread, services_of

if TYPE_CHECKING:
    from starlette.requests import Request


async def offered(request: Request) -> Response:
    """The scans of the data folder."""
    scans = await in_thread(services_of(request).data.scans)
    return JSONResponse({"files": [{"id": scan.key, "name": scan.name} for scan in scans]})


async def begin_upload(request: Request) -> Response:
    """Begin an upload of one scan: one file, or many of a series."""
    await json_object(request)
    upload = await in_thread(services_of(request).uploads.begin)
    return JSONResponse({"id": upload.key}, 201)


async def upload_file(request: Request) -> Response:
    """Receive one file as the body of the request, its name for people in the query."""
    uploads = services_of(request).uploads
    upload = uploads.get(request.path_params["upload"])
    name = display_name(request.query_params.get("name", ""))
    await uploads.receive(upload, name, declared_length(request), request.stream())
    return JSONResponse({"id": upload.key, "files": upload.files, "bytes": upload.nbytes}, 201)


async def remove_upload(request: Request) -> Response:
    """Remove an upload that no session has taken over."""
    uploads = services_of(request).uploads
    upload = uploads.get(request.path_params["upload"])
    await in_thread(uploads.remove, upload.key)
    return Response(status_code=204)
