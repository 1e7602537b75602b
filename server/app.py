"""The server as an ASGI application: all routes behind the gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Route

from ..errors import LiteMedSamError
from .protocols import monai_label
from .protocols.nninteractive import routes as nninteractive
from .protocols.nninteractive.leases import Leases
from .routes import about, files, objects, page, sessions
from .routes.answers import answer_error
from .security.access import Access
from .security.gate import Gate
from .security.hosts import HostRule, OriginRule

if TYPE_CHECKING:
    from .services import Services
    from .settings import ServerSettings

_TIDYING_SECONDS = 30
_SESSION = "/api/sessions/{session}"

ROUTES = (
    Route("/healthz", about.healthz, methods=["GET"]),
    Route("/", page.index, methods=["GET"]),
    Route("/page/{name}", page.asset, methods=["GET"]),
    Route("/api/openapi.json", about.openapi, methods=["GET"]),
    Route("/api/about", about.about, methods=["GET"]),
    Route("/api/files", files.offered, methods=["GET"]),
    Route("/api/uploads", files.begin_upload, methods=["POST"]),
    Route("/api/uploads/{upload}", files.remove_upload, methods=["DELETE"]),
    Route("/api/uploads/{upload}/files", files.upload_file, methods=["PUT"]),
    Route("/api/sessions", sessions.sessions, methods=["GET"]),
    Route("/api/sessions", sessions.open_session, methods=["POST"]),
    Route(_SESSION, sessions.session, methods=["GET"]),
    Route(_SESSION, sessions.close_session, methods=["DELETE"]),
    Route(f"{_SESSION}/state", sessions.state, methods=["GET"]),
    Route(f"{_SESSION}/slices/{{plane}}/{{index}}", sessions.slice_picture, methods=["GET"]),
    Route(f"{_SESSION}/masks/{{plane}}/{{index}}", sessions.mask_picture, methods=["GET"]),
    Route(f"{_SESSION}/voxel", sessions.voxel, methods=["GET"]),
    Route(f"{_SESSION}/foresee", sessions.foresee, methods=["POST"]),
    Route(f"{_SESSION}/objects", objects.add, methods=["POST"]),
    Route(f"{_SESSION}/objects/{{key}}", objects.change, methods=["PATCH"]),
    Route(f"{_SESSION}/objects/{{key}}", objects.remove, methods=["DELETE"]),
    Route(f"{_SESSION}/objects/{{key}}/extend", objects.extend, methods=["POST"]),
    Route(f"{_SESSION}/undo", objects.undo, methods=["POST"]),
    Route(f"{_SESSION}/redo", objects.redo, methods=["POST"]),
    Route(f"{_SESSION}/export", sessions.export, methods=["POST"]),
    Route(f"{_SESSION}/events", sessions.events, methods=["GET"]),
)
"""The server's own routes; ``/api/openapi.json`` describes those under ``/api/``."""


def application(settings: ServerSettings, services: Services) -> Gate:
    """The application of some settings.

    Parameters
    ----------
    settings : ServerSettings
        With the port that it listens on.
    services : Services
        Closed when the application's lifespan ends.

    Returns
    -------
    Gate
        An ASGI application.

    Raises
    ------
    LiteMedSamError
        For settings that make no sense.
    """
    origins = OriginRule(settings.allow_origins)
    leases = Leases(services.predictor, settings.max_sessions, settings.memory)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        tidying = asyncio.create_task(_tidy(services, leases))
        try:
            yield
        finally:
            tidying.cancel()
            await run_in_threadpool(leases.close)
            await run_in_threadpool(services.close)

    handlers = {LiteMedSamError: answer_error, HTTPException: answer_error, Exception: answer_error}
    app = Starlette(
        routes=(*ROUTES, *monai_label.ROUTES, *nninteractive.ROUTES), exception_handlers=handlers, lifespan=lifespan
    )
    # A path with a slash too many is another path: no redirects.
    app.router.redirect_slashes = False
    access = Access(settings.token, settings.port)
    app.state.services, app.state.access = services, access
    app.state.images, app.state.leases = monai_label.UploadedImages(), leases
    hosts = HostRule(settings.host, settings.allow_hosts)
    return Gate(app, hosts, origins, access, ("/healthz", *monai_label.FREE))


async def _tidy(services: Services, leases: Leases) -> None:
    while True:
        await asyncio.sleep(_TIDYING_SECONDS)
        await run_in_threadpool(services.tidy)
        await run_in_threadpool(leases.tidy)
