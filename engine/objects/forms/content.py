"""The interface that all forms of boxes share, and the checks of what strangers wrote."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ....errors import LiteMedSamError

if TYPE_CHECKING:
    from ...scan.scan import Scan
    from ..objects import Objects

# Rounding of edges that tools store with few decimals, in pixels.
_ROUNDING = 1e-3
# No picture is as large, and sums of such numbers stay exact enough.
_LARGEST = 1e12


@dataclass(frozen=True)
class BoxesContent:
    """The content of a boxes file, and the scan whose objects are asked for.

    Attributes
    ----------
    file : Path
        For messages.
    value : object
        As `json.loads` gives it; several scans share it, so nobody changes it.
    path : Path
        Of the scan.
    scan : Scan
    world : bool
        Whether boxes that do not say their space are in millimetres (RAS).
    """

    file: Path
    value: Any
    path: Path
    scan: Scan
    world: bool = False


class BoxesForm(Protocol):
    """One form of JSON."""

    def recognises(self, value: Any) -> bool:
        """Whether a JSON value is meant to be of this form, correct or not."""
        ...

    def objects(self, content: BoxesContent) -> Objects:
        """The objects of the scan.

        Raises
        ------
        LiteMedSamError
            When the content does not follow the form, or holds no box of this scan; begins with the file.
        """
        ...


shown = reprlib.repr
"""Shortens a value from a file so that it fits into an error message."""


def check_keys(where: str, content: Any, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Refuse other than a dictionary with these keys.

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
    _check_object(where, content, required)
    unknown = sorted(set(content) - {*required, *optional})
    if unknown:
        named = printable(", ".join(unknown)[:60])
        raise LiteMedSamError(f"{where}: unknown key {named}; expected {', '.join((*required, *optional))}")
    check_needed(where, content, required)


def check_needed(where: str, content: Any, required: tuple[str, ...]) -> None:
    """Refuse other than a dictionary with at least these keys.

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
    _check_object(where, content, required)
    missing = [key for key in required if key not in content]
    if missing:
        raise LiteMedSamError(f"{where}: lacks {', '.join(missing)}")


def _check_object(where: str, content: Any, required: tuple[str, ...]) -> None:
    if not isinstance(content, dict):
        raise LiteMedSamError(f"{where}: {type(content).__name__}, expected an object with {', '.join(required)}")


def printable(text: str) -> str:
    """A text with ``?`` for halves of characters, which JSON lets through but no file and no terminal takes."""
    return text.encode(errors="replace").decode()


def name_of(where: str, key: str, value: Any) -> str:
    """A name.

    Raises
    ------
    LiteMedSamError
        When the value is no text, or a text that can be written nowhere; begins with `where`.
    """
    if not isinstance(value, str) or printable(value) != value:
        raise LiteMedSamError(f"{where}: {key} is {shown(value)}, expected a text")
    return value


def list_of(where: str, key: str, value: Any) -> list[Any]:
    """A list.

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
    if not isinstance(value, list):
        raise LiteMedSamError(f"{where}: {key} is {shown(value)}, expected a list")
    return value


def numbers(where: str, key: str, values: Any, counts: tuple[int, ...]) -> list[float]:
    """A list of numbers, NaN and infinity among them.

    Parameters
    ----------
    where, key : str
        For messages.
    values : object
    counts : tuple of int
        How many there may be.

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
    good = isinstance(values, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    try:
        if good and len(values) in counts:
            return [float(value) for value in values]
    except OverflowError:
        # A whole number beyond any image.
        pass
    raise LiteMedSamError(f"{where}: {key} is {shown(values)}, expected {' or '.join(map(str, counts))} numbers")


def finite_numbers(where: str, key: str, values: Any, count: int) -> np.ndarray:
    """A list of numbers of at most 1e12, float64 (count,).

    Raises
    ------
    LiteMedSamError
        Begins with `where`.
    """
    found = np.array(numbers(where, key, values, (count,)))
    # NaN fails this as well.
    if not (np.abs(found) <= _LARGEST).all():
        raise LiteMedSamError(f"{where}: {key} holds NaN, infinity or a number beyond any image: {shown(values)}")
    return found


def pixels_between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The box of all pixels that a region touches, ends included.

    Parameters
    ----------
    low, high : ndarray
        float64 (rank,), the region's edges along x, y and perhaps z, where pixel i reaches from i to i + 1. Pixels
        that are touched by a thousandth or less do not count; a region of no extent keeps one.

    Returns
    -------
    ndarray
        float64 (2 · rank,), whole numbers.
    """
    first = np.floor(low + _ROUNDING)
    return np.concatenate([first, np.maximum(np.ceil(high - _ROUNDING) - 1, first)])
