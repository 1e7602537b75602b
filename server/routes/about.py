"""What the server is: its health, its model, what it can do, and its API's description."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from ... import __version__
from ...engine.bundle import packaged
from ...engine.scan.intensity import PRESETS
from .answers import in_thread, services_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from ...engine.predictor import Predictor
    from ..services import Services

NOTICE = "Not a medical device. No result may be the basis of a diagnosis or treatment."


async def healthz(request: Request) -> Response:
    """Whether the server is alive; needs no token and says nothing else."""
    return JSONResponse({"ok": True})


async def about(request: Request) -> Response:
    """Version, model and capabilities; waits until the model is loaded."""
    return JSONResponse(await in_thread(_about, services_of(request)))


def _about(services: Services) -> dict[str, Any]:
    predictor = services.predictor()
    info = predictor.network.info
    return {
        "version": __version__,
        "notice": NOTICE,
        "model": {
            "name": info.model,
            "description": info.description,
            "licence": licence_of(predictor),
            "precision": predictor.precision,
            "backend": predictor.settings.backend,
            "weights": info.weights_sha256[:12],
            "card": _card(services),
        },
        "corrections": info.takes_corrections,
        "prompts": [kind for kind in info.first_prompts if kind in ("boxes", "points")],
        "windows": {name: [window.level, window.width] for name, window in PRESETS.items()},
        "limits": {"upload": services.settings.max_upload, "sessions": services.settings.max_sessions},
    }


def licence_of(predictor: Predictor) -> str:
    """The licence of a model, as far as it is known."""
    return packaged.licence_of(predictor.bundle) or "that of its weights, which the bundle does not state"


def _card(services: Services) -> list[str]:
    """The accuracy of each precision against f32, a line each."""
    from ...engine.bundle.card import read_card

    card = read_card(services.predictor().bundle)
    return [
        f"{name}: mean DSC with f32 from {min(agreement.mean_dsc.values()):.4f}, over "
        f"{sum(agreement.cases.values())} cases of {len(agreement.cases)} modalities"
        for name, agreement in sorted(card.items())
    ]


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document, written by hand and compared with the routes by a test."""
    text = files("litemedsam.server").joinpath("openapi.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    document["info"]["version"] = __version__
    return document


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(description())
