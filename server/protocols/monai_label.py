"""The part of MONAI Label's REST protocol that 3D Slicer's plugin and CVAT's function use.

Facts of the protocol: Project-MONAI/MONAILabel, plugins/slicer/MONAILabel and monailabel/endpoints.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ... import __version__
from ...errors import LiteMedSamError
from ..refusal import FULL, NOT_FOUND, Refusal, status_of
from ..routes.about import NOTICE
from ..routes.answers import in_thread, services_of
from ..security.body import limited_body
from ..sessions.exports import export
from ..sessions.objects import DrawnObject
from ..sessions.open_scan import Reading
from ..sessions.session import display_name
from .multipart import chunks_of, file_in, form_of, form_response, parameters_in
from .roi import Clicks, box_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.datastructures import UploadFile
    from starlette.requests import Request

    from ..services import Services
    from ..sessions.session import ScanSession

LABEL = "object"
_FORMATS = {".nrrd": "nrrd", ".seg.nrrd": "nrrd", ".nii.gz": "nifti", ".mha": "mha", ".png": "png"}


class UploadedImages:
    """The sessions that clients of this protocol have opened, by the names that they gave.

    They never close one: where the server is full, their oldest makes room.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, str] = OrderedDict()
        self._changing = Lock()

    def open(self, services: Services, upload: str, name: str, image: str) -> ScanSession:
        """A session of an upload; raises as `SessionStore.open`."""
        path = services.uploads.get(upload).path
        services.uploads.hold(upload)
        try:
            session = self._opened(services, upload, path, name)
        except BaseException:
            services.uploads.remove(upload)
            raise
        with self._changing:
            self._sessions[image or session.key] = session.key
        return session

    def _opened(self, services: Services, upload: str, path: Any, name: str) -> ScanSession:
        def open_once() -> ScanSession:
            return services.store.open(path, name, Reading())

        try:
            session = open_once()
        except Refusal as error:
            if status_of(error) != FULL or not self._close_oldest(services):
                raise
            session = open_once()
        session.at_the_end(lambda: services.uploads.remove(upload))
        return session

    def _close_oldest(self, services: Services) -> bool:
        with self._changing:
            key = self._sessions.popitem(last=False)[1] if self._sessions else None
        if key is None:
            return False
        self.close(services, key)
        return True

    def close(self, services: Services, key: str) -> None:
        """End a session; an unknown one is ignored."""
        try:
            services.store.close(key)
        except Refusal:
            return

    def find(self, services: Services, image: str) -> ScanSession:
        """The session of an image's name or of a session's key.

        Raises
        ------
        LiteMedSamError
            When there is none.
        """
        key = self._sessions.get(image, image)
        try:
            return services.store.get(key)
        except Refusal as error:
            raise Refusal(NOT_FOUND, "the image is not on the server", "load the volume again") from error


def _images(request: Request) -> UploadedImages:
    images: UploadedImages = request.app.state.images
    return images


def plainly(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose errors are a sentence, since the clients show the answer as it is."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LiteMedSamError as error:
            return Response(str(error), status_of(error), media_type="text/plain")

    return answered


async def auth(request: Request) -> Response:
    """Whether a password is asked for; every call of the client begins with this one."""
    return JSONResponse({"enabled": bool(services_of(request).settings.token)})


async def auth_token(request: Request) -> Response:
    """The token in exchange for itself, given as the password of a user of any name."""
    given = dict(parse_qsl((await limited_body(request)).decode("utf-8", "replace")))
    access = request.app.state.access
    if access.open or not access.is_token(given.get("password", "")):
        raise Refusal(401, "the password is not the server's token", "litemedsam-serve printed it as token=…")
    return JSONResponse({"token_type": "Bearer", "access_token": given["password"]})


async def auth_valid(request: Request) -> Response:
    """Whether the request carries the token; it would not have come here without."""
    return JSONResponse({"valid": True})


async def info(request: Request) -> Response:
    """One model that takes a 3D box, one label, and nothing to train."""
    return JSONResponse(await in_thread(_info, services_of(request)))


def _info(services: Services) -> dict[str, Any]:
    model = services.predictor().network.info
    described = f"Box-prompted segmentation on the CPU ({model.model}). {NOTICE}"
    # No key "config" at the top: the plugin would ask for another server then.
    entry = {"type": "deepgrow", "labels": {LABEL: 1}, "dimension": 3, "description": described, "config": {}}
    return {
        "name": "litemedsam",
        "description": described,
        "version": __version__,
        "labels": [LABEL],
        "models": {"litemedsam": entry},
        "trainers": {},
        "strategies": {},
        "scoring": {},
        "train_stats": {},
        "datastore": {"total": 0, "completed": 0},
    }


async def train(request: Request) -> Response:
    """No training runs; the client takes 200 for one that does."""
    raise Refusal(NOT_FOUND, "this server trains no model")


async def create_session(request: Request) -> Response:
    """Take an image into a session."""
    session = await _received(request, "", "files", "file")
    return JSONResponse({"session_id": session.key, "session_info": {"name": session.opened.name}})


async def put_image(request: Request) -> Response:
    """Take an image under the client's name for it."""
    image = request.query_params.get("image", "")
    session = await _received(request, image, "file")
    return JSONResponse({"image": image or session.key})


async def _received(request: Request, image: str, *names: str) -> ScanSession:
    services = services_of(request)
    async with form_of(request, services.uploads.most_bytes) as form:
        part = file_in(form, *names)
        if part is None:
            raise LiteMedSamError("the form holds no file")
        return await _opened(request, part, image)


async def _opened(request: Request, part: UploadFile, image: str) -> ScanSession:
    services, name = services_of(request), display_name(part.filename or "")
    upload = await in_thread(services.uploads.begin)
    try:
        await services.uploads.receive(upload, name, part.size, chunks_of(part))
    except BaseException:
        await in_thread(services.uploads.remove, upload.key)
        raise
    return await in_thread(_images(request).open, services, upload.key, name, image)


async def get_session(request: Request) -> Response:
    """A session; an empty object for an unknown one, after which the plugin uploads again."""
    try:
        session = services_of(request).store.get(request.path_params["key"])
    except Refusal:
        return JSONResponse({})
    return JSONResponse({"session_id": session.key, "name": session.opened.name})


async def delete_session(request: Request) -> Response:
    """End a session."""
    await in_thread(_images(request).close, services_of(request), request.path_params["key"])
    return JSONResponse({})


async def put_label(request: Request) -> Response:
    """Refused: there is no store of labels."""
    raise Refusal(NOT_FOUND, "this server keeps no labels", "save the segmentation in your own program")


async def infer(request: Request) -> Response:
    """The mask in a region of interest, on the image's own grid, 1 on the object."""
    if request.path_params["model"] != "litemedsam":
        raise Refusal(NOT_FOUND, f"model {request.path_params['model'][:20]!r}, expected litemedsam")
    services, images = services_of(request), _images(request)
    async with form_of(request, services.uploads.most_bytes) as form:
        parameters, part = parameters_in(form), file_in(form, "file")
        named = request.query_params.get("session_id") or request.query_params.get("image", "")
        if part is None:
            session = images.find(services, named)
        else:
            session = await _opened(request, part, named)
    try:
        name, content = await in_thread(_mask, session, parameters)
    finally:
        if part is not None:
            await in_thread(images.close, services, session.key)
    return form_response({"label_names": {LABEL: 1}}, name, content)


def _unseen(done: int, total: int) -> None:
    """Progress that nobody watches."""


def _mask(session: ScanSession, parameters: dict[str, Any]) -> tuple[str, bytes]:
    opened = session.opened
    usual = ".nrrd" if len(opened.grid) == 3 else ".png"
    suffix = parameters.get("result_extension", usual)
    if suffix not in _FORMATS:
        raise LiteMedSamError(f"result_extension {str(suffix)[:20]!r}, expected one of: {', '.join(_FORMATS)}")
    box = box_of(opened, parameters.get("roi"))
    clicks = Clicks.of(opened, parameters)
    mask = opened.predict(box, _unseen, clicks.points, clicks.corrections)
    drawn = DrawnObject(1, box, LABEL, "#ffffff")
    return f"mask{suffix}", export(opened, [drawn], [mask], _FORMATS[suffix]).content


FREE = ("/auth/", "/auth/token")
"""Paths that need no token: the first says that one is asked for, the second takes it as a password."""

ROUTES = tuple(
    Route(path, plainly(endpoint), methods=[method])
    for path, endpoint, method in (
        ("/auth/", auth, "GET"),
        ("/auth/token", auth_token, "POST"),
        ("/auth/token/valid", auth_valid, "GET"),
        ("/info/", info, "GET"),
        ("/train/", train, "GET"),
        ("/session/", create_session, "PUT"),
        ("/session/{key}", get_session, "GET"),
        ("/session/{key}", delete_session, "DELETE"),
        ("/datastore/", put_image, "PUT"),
        ("/datastore/label", put_label, "PUT"),
        ("/infer/{model}", infer, "POST"),
    )
)
