"""The page's own files, a fixed list: no path of a request ever reaches the disk."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def _contents() -> dict[str, tuple[bytes, str]]:
    folder = files("litemedsam.server").joinpath("page")
    return {
        entry.name: (entry.read_bytes(), _TYPES[suffix])
        for entry in folder.iterdir()
        if (suffix := entry.name[entry.name.rfind(".") :]) in _TYPES
    }


async def index(request: Request) -> Response:
    """The page."""
    content, kind = _contents()["index.html"]
    return Response(content, media_type=kind)


async def asset(request: Request) -> Response:
    """A style sheet, module or icon of the page."""
    found = _contents().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404, "Not Found")
    return Response(found[0], media_type=found[1])
