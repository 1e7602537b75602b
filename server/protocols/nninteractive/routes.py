"""The requests of nnInteractive's clients."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ....errors import LiteMedSamError
from ...refusal import error_body, status_of
from ...routes.about import NOTICE, licence_of
from ...routes.answers import in_thread, services_of
from ...security.body import binary_body, json_object
from .interactions import DrawnBox, DrawnScribble, Place, SetPoint
from .leases import IDLE_SECONDS, LIVENESS_SECONDS, Change, Lease, Leases
from .nnia import blosc, pack, unpack

if TYPE_CHECKING:
    from starlette.requests import Request

    from .interactions import Interaction

_LEASE, _META = "X-Lease-Token", "X-Meta"
_ARRAY = "application/octet-stream"
# Of the protocol that the answers follow.
_VERSION = 2
_OPTIONS = ("include_interaction", "run_prediction", "override_capability_checks")
# Beside an array: a scribble is compressed well below it.
_LARGEST_SCRIBBLE = 64_000_000


def plainly(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint whose errors are a sentence under ``detail``, where the clients look for it."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LiteMedSamError as error:
            return JSONResponse({"detail": str(error), **error_body(error)}, status_of(error))

    return answered


def _leases(request: Request) -> Leases:
    leases: Leases = request.app.state.leases
    return leases


def _lease(request: Request, working: bool = True) -> Lease:
    return _leases(request).get(request.headers.get(_LEASE, ""), working)


async def claim(request: Request) -> Response:
    """A lease for a new client."""
    await json_object(request)
    blosc()
    lease = await in_thread(_leases(request).claim)
    return JSONResponse(
        {
            "lease_token": lease.key,
            "idle_timeout_seconds": IDLE_SECONDS,
            "liveness_timeout_seconds": LIVENESS_SECONDS,
            "max_sessions": _leases(request).most,
        }
    )


async def capabilities(request: Request) -> Response:
    """What the model takes; a tool that it does not take is greyed out."""
    predictor = await in_thread(services_of(request).predictor)
    corrects = predictor.network.info.takes_corrections
    return JSONResponse(
        {
            "supported_interactions": {
                "points": corrects,
                "bbox2d": True,
                "bbox3d": True,
                "scribble": corrects,
                "lasso": False,
            },
            "channel_mapping": {},
            "num_interaction_channels": 0,
            "supports_initial_label": False,
            "supports_zero_shot_label_refinement": False,
            "preferred_scribble_thickness": [2, 2, 2],
            "interaction_decay": 1.0,
            "inference_session_version": _VERSION,
            "license": f"{licence_of(predictor)}. {NOTICE}",
            "supports_undo": True,
            "do_autozoom": False,
        }
    )


async def heartbeat(request: Request) -> Response:
    """Keep a lease alive."""
    return _remaining(_lease(request, working=False))


async def lease_status(request: Request) -> Response:
    """How long a lease lasts if nothing is drawn."""
    return _remaining(_lease(request, working=False))


def _remaining(lease: Lease) -> Response:
    return JSONResponse({"remaining_seconds": max(0.0, IDLE_SECONDS - (monotonic() - lease.used))})


async def release(request: Request) -> Response:
    """End a lease."""
    await json_object(request)
    await in_thread(_leases(request).release, request.headers.get(_LEASE, ""))
    return JSONResponse({"released": True})


async def set_image(request: Request) -> Response:
    """Take an image, whose axes the answer repeats."""
    lease = _lease(request)
    _meta(request, (), ("image_properties",))
    body = await binary_body(request, services_of(request).settings.max_upload)

    def taken() -> list[int]:
        # The pixels, and a copy for each direction of slices, must fit beside the image as it came.
        image = unpack(body, _leases(request).room(lease) // 2)
        lease.set_image(image)
        return list(image.shape)

    return JSONResponse({"original_image_shape": await in_thread(taken)})


async def set_target_buffer(request: Request) -> Response:
    """Take the shape and type of the client's buffer."""
    lease = _lease(request)
    given = await json_object(request, ("shape", "dtype"))
    await in_thread(lease.set_buffer, given["shape"], given["dtype"])
    return JSONResponse({})


async def set_autozoom(request: Request) -> Response:
    """Accepted, and of no effect: the network sees whole slices."""
    _lease(request)
    await json_object(request, ("do_autozoom",))
    return JSONResponse({})


async def reset(request: Request) -> Response:
    """Forget the object."""
    lease = _lease(request)
    await json_object(request)
    await in_thread(lease.reset)
    return JSONResponse({})


async def add_box(request: Request) -> Response:
    """Begin an object with a box."""
    lease = _lease(request)
    given = await json_object(request, ("bbox_coords",), _OPTIONS)
    if not given.get("include_interaction", True):
        raise LiteMedSamError("a box that removes, expected one around the object", "remove with a point or a scribble")
    low, high = _corners(given["bbox_coords"], lease.shape())
    return await _interacted(lease, DrawnBox(low, high), given)


async def add_point(request: Request) -> Response:
    """Correct the object with a point."""
    lease = _lease(request)
    given = await json_object(request, ("coordinates",), _OPTIONS)
    place = _place(given["coordinates"], lease.shape())
    return await _interacted(lease, SetPoint(place, bool(given.get("include_interaction", True))), given)


async def add_scribble(request: Request) -> Response:
    """Correct the object with a scribble, which comes as a mask of the whole image or of a part."""
    lease = _lease(request)
    given = _meta(request, (), (*_OPTIONS, "interaction_bbox"))
    mask = await in_thread(unpack, await binary_body(request, _LARGEST_SCRIBBLE), services_of(request).settings.memory)
    shape = lease.shape()
    low, high = _corners(given.get("interaction_bbox") or [[0, size] for size in shape], shape)
    if mask.shape != tuple(b - a + 1 for a, b in zip(low, high, strict=True)):
        raise LiteMedSamError(f"a scribble of shape {mask.shape}, which its box contradicts")
    drawn = DrawnScribble(low, mask != 0, bool(given.get("include_interaction", True)))
    return await _interacted(lease, drawn, given)


async def refused(request: Request) -> Response:
    """A lasso or an initial mask, which no model here takes."""
    _lease(request)
    raise LiteMedSamError("the model takes no lasso and no initial mask", "draw a box, then points or scribbles")


async def predict(request: Request) -> Response:
    """Predict what was drawn without a prediction."""
    lease = _lease(request)
    await json_object(request, (), ("force_full_refine",))
    return _prediction(*await in_thread(lease.predict))


async def undo(request: Request) -> Response:
    """Go back one prediction."""
    lease = _lease(request)
    await json_object(request)
    return _prediction(*await in_thread(lease.undo))


async def _interacted(lease: Lease, interaction: Interaction, given: dict[str, Any]) -> Response:
    run = bool(given.get("run_prediction", True))
    return _prediction(run, await in_thread(lease.interact, interaction, run))


def _prediction(ran: bool, change: Change | None) -> Response:
    box = None if change is None else [list(ends) for ends in change.box]
    headers = {_META: json.dumps({"ran_prediction": ran, "bbox": box})}
    return Response(b"" if change is None else pack(change.values), media_type=_ARRAY, headers=headers)


def _meta(request: Request, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object in the header beside an array."""
    try:
        value = json.loads(request.headers.get(_META, "{}"))
    except (ValueError, RecursionError) as error:
        raise LiteMedSamError(f"the header {_META} is not JSON, expected an object") from error
    if not isinstance(value, dict) or any(key not in (*required, *optional) for key in value):
        raise LiteMedSamError(f"the header {_META}, expected an object with the keys: {', '.join(optional)}")
    return value


def _place(given: object, shape: tuple[int, int, int]) -> Place:
    numbers: list[Any] = given if isinstance(given, list) and len(given) == 3 else [None] * 3
    whole = all(isinstance(k, int) and not isinstance(k, bool) for k in numbers)
    if not (whole and all(0 <= k < size for k, size in zip(numbers, shape, strict=True))):
        raise LiteMedSamError(f"a point at {str(given)[:60]}, expected three whole numbers within {shape}")
    return numbers[0], numbers[1], numbers[2]


def _corners(given: object, shape: tuple[int, int, int]) -> tuple[Place, Place]:
    """First and last voxel of a box whose ends are not part of it, cut at the image's edges."""
    if not isinstance(given, list) or len(given) != 3:
        raise LiteMedSamError(f"a box {str(given)[:60]}, expected three pairs of whole numbers")
    ends = []
    for pair, size in zip(given, shape, strict=True):
        good = isinstance(pair, list) and len(pair) == 2
        good = good and all(isinstance(k, int) and not isinstance(k, bool) for k in pair)
        low, high = (max(pair[0], 0), min(pair[1], size)) if good else (0, 0)
        if low >= high:
            raise LiteMedSamError(f"a box {str(given)[:60]}, expected three ascending pairs within {shape}")
        ends.append((low, high - 1))
    (a, u), (b, v), (c, w) = ends
    return (a, b, c), (u, v, w)


ROUTES = tuple(
    Route(path, plainly(endpoint), methods=[method])
    for path, endpoint, method in (
        ("/claim", claim, "POST"),
        ("/capabilities", capabilities, "GET"),
        ("/heartbeat", heartbeat, "POST"),
        ("/lease_status", lease_status, "GET"),
        ("/release", release, "POST"),
        ("/set_image", set_image, "POST"),
        ("/set_target_buffer", set_target_buffer, "POST"),
        ("/set_do_autozoom", set_autozoom, "POST"),
        ("/reset_interactions", reset, "POST"),
        ("/add_bbox_interaction", add_box, "POST"),
        ("/add_point_interaction", add_point, "POST"),
        ("/add_scribble_interaction", add_scribble, "POST"),
        ("/add_lasso_interaction", refused, "POST"),
        ("/add_initial_seg_interaction", refused, "POST"),
        ("/predict", predict, "POST"),
        ("/undo", undo, "POST"),
    )
)
