"""Corrections as the API has them, as the prompts' file has them, and as the engine takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.objects.forms.own import USUAL_WIDTH
from ...engine.objects.objects import Stroke
from ...engine.objects.user_prompts import strokes_on
from ...errors import LiteMedSamError
from .objects import Correction

if TYPE_CHECKING:
    from .objects import Point

CORRECTION_KEYS = {
    "add": (True, False),
    "remove": (False, False),
    "add_stroke": (True, True),
    "remove_stroke": (False, True),
}
"""Of the API: whether it adds, and whether it is a stroke."""


MOST_CORRECTIONS, MOST_PLACES = 100, 500
"""Of one object, and of one stroke."""


def read_corrections(given: object, checked_place: Callable[[object], Point]) -> tuple[Correction, ...]:
    """Corrections as the API has them.

    Parameters
    ----------
    given : object
        Of JSON.
    checked_place : callable
        Refuses what is no place in the scan.

    Raises
    ------
    LiteMedSamError
        For other than a list of objects with a place or a stroke under one of `CORRECTION_KEYS`.
    """
    if not isinstance(given, list) or len(given) > MOST_CORRECTIONS:
        raise LiteMedSamError(f"corrections is {str(given)[:60]}, expected a list of at most {MOST_CORRECTIONS}")
    return tuple(_read(each, checked_place) for each in given)


def _read(given: object, checked_place: Callable[[object], Point]) -> Correction:
    if not isinstance(given, dict) or len(given) != 1 or not given.keys() <= CORRECTION_KEYS.keys():
        raise LiteMedSamError(f"a correction is {str(given)[:60]}, expected one of {', '.join(CORRECTION_KEYS)}")
    ((key, value),) = given.items()
    adds, is_stroke = CORRECTION_KEYS[key]
    if not is_stroke:
        return Correction(adds, (checked_place(value),))
    if not isinstance(value, list) or not 2 <= len(value) <= MOST_PLACES:
        raise LiteMedSamError(f"a stroke is {str(value)[:60]}, expected a list of 2 to {MOST_PLACES} places")
    places = tuple(map(checked_place, value))
    if len({place[2:] for place in places}) > 1:
        raise LiteMedSamError("a stroke lies on several slices, expected one", "draw it slice by slice")
    return Correction(adds, places)


def as_json(made: Correction) -> dict[str, Any]:
    """A correction as the API has it."""
    verb = "add" if made.adds else "remove"
    places = [list(place) for place in made.places]
    return {f"{verb}_stroke": places} if made.is_stroke else {verb: places[0]}


def as_prompt(made: Correction, stored: Callable[[Point], list[int]]) -> dict[str, Any]:
    """A correction as a file of prompts has it; `stored` turns a place as seen into one of the file's voxels."""
    verb = "add" if made.adds else "remove"
    places = [stored(place) for place in made.places]
    return {f"{verb}_strokes": [places]} if made.is_stroke else {verb: places}


def as_arguments(made: Correction, shape: tuple[int, ...]) -> dict[str, Any]:
    """A correction as `ImageSession.correct` takes it, on an image or slice of a shape (H, W)."""
    verb = "add" if made.adds else "remove"
    places = [place[:2] for place in made.places]
    if not made.is_stroke:
        return {verb: places}
    return {f"{verb}_stroke": strokes_on(shape, [Stroke(np.array(places, np.float64), USUAL_WIDTH)])}
