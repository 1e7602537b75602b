"""Images that lie at the same places: time points, echoes and the like, or copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import LiteMedSamError
from .groups import functional_groups, in_group, number_in

if TYPE_CHECKING:
    from .planes import Plane

# What tells volumes at the same places apart, the most telling first.
_MARKS = (
    "TemporalPositionIdentifier",
    "TemporalPositionIndex",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "EchoTime",
    "EffectiveEchoTime",
    "EchoNumbers",
    "InversionTime",
    "FlipAngle",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "FrameReferenceTime",
    "AcquisitionNumber",
    "AcquisitionTime",
    "ImageType",
)
# Where frames of an enhanced image keep them.
_SEQUENCES = (
    "FrameContentSequence",
    "MREchoSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRDiffusionSequence",
    "CardiacSynchronizationSequence",
)
_SAME_PLACE = 0.05
_LONGEST_LIST = 6


@dataclass(frozen=True)
class Marks:
    """What an image or frame says of itself beside its place.

    Attributes
    ----------
    values : dict of str to str or float
        By keyword; those that it lacks are absent.
    number : float
        Its number in the series.
    """

    values: dict[str, Any]
    number: float


def marks_of_image(image: Any, number: int) -> Marks:
    """The marks of a single image; `number` counts where the image has none of its own."""
    return Marks(_values([image]), number_in(image, "InstanceNumber") or number)


def marks_of_frames(image: Any, count: int) -> list[Marks]:
    """The marks of the frames of one data set."""
    groups = functional_groups(image)
    if groups is None:
        return [Marks({}, k) for k in range(count)]
    return [Marks(_values([in_group(groups, k, name) for name in _SEQUENCES]), k) for k in range(count)]


def _values(places: Sequence[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for where in places:
        for key in _MARKS:
            value = None if where is None else where.get(key)
            if value is not None and value != "":
                values[key] = float(value) if isinstance(value, float | int) else str(value)
    return values


@dataclass(frozen=True)
class Chosen:
    """The images of one volume.

    Attributes
    ----------
    indices : list of int
    notes : tuple of str
        For the user.
    """

    indices: list[int]
    notes: tuple[str, ...] = ()


def one_volume(
    name: str,
    planes: Sequence[Plane],
    marks: Sequence[Marks],
    pixels: Callable[[int], np.ndarray],
    frame: int | None,
    labels: Sequence[str],
) -> Chosen:
    """The images of the volume that is asked for, among some that lie at the same places.

    Images of the same place and the same pixels that nothing tells apart are copies: one of them counts.

    Parameters
    ----------
    name : str
        For messages.
    planes : sequence of Plane
    marks : sequence of Marks
        One for each plane.
    pixels : callable
        Decodes the image of an index.
    frame : int or None
        Which of several volumes, from 0.
    labels : sequence of str
        Name of each image, for notes.

    Raises
    ------
    LiteMedSamError
        When there are several volumes and `frame` does not choose one.
    """
    places = _same_places(planes)
    notes: tuple[str, ...] = ()
    keys = _telling(places, marks)
    if keys is None:
        places, copies = _without_copies(places, marks, pixels)
        if copies:
            listed = ", ".join(labels[k] for k in copies[:_LONGEST_LIST])
            more = f" and {len(copies) - _LONGEST_LIST} more" if len(copies) > _LONGEST_LIST else ""
            notes = (f"{name}: left aside exact copies of slices: {listed}{more}",)
        keys = _telling(places, marks)
    count = len(places[0])
    if any(len(place) != count for place in places):
        twice = max(places, key=len)
        at = planes[twice[0]].position @ planes[twice[0]].normal
        raise LiteMedSamError(
            f"{name}: {len(twice)} different images at the same place ({at:g} mm along the normal), elsewhere "
            f"{min(map(len, places))}",
            "put the images of one acquisition into a folder of their own",
        )
    if frame is None and count > 1:
        raise LiteMedSamError(
            f"{name}: contains {count} volumes at the same places{_difference(places, marks, keys)}",
            f"choose one with --frame 0 to {count - 1}",
        )
    if frame is not None and not 0 <= frame < count:
        if count == 1:
            raise LiteMedSamError(f"{name}: is a single volume, has no frame {frame}", "leave --frame out")
        raise LiteMedSamError(f"{name}: has no frame {frame}, expected 0 to {count - 1}")
    indices = [sorted(place, key=lambda k: _rank(marks[k], keys or ()))[frame or 0] for place in places]
    return Chosen(indices, notes)


def _same_places(planes: Sequence[Plane]) -> list[list[int]]:
    """Indices of the planes at each place along the normal."""
    along = np.array([plane.position @ planes[0].normal for plane in planes])
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    # Rounding of sums is no distance.
    apart = steps[steps > 1e-6 * max(float(np.abs(along).max()), 1e-3)]
    smallest = _SAME_PLACE * float(np.median(apart)) if len(apart) else np.inf
    starts = np.flatnonzero(steps > smallest) + 1
    return [sorted(int(k) for k in place) for place in np.split(order, starts)]


def _telling(places: list[list[int]], marks: Sequence[Marks]) -> tuple[str, ...] | None:
    """The marks that tell the images of every place apart, in the same way at every place; None if there are none."""
    keys = []
    for key in _MARKS:
        seen = {tuple(sorted(str(marks[k].values.get(key)) for k in place)) for place in places}
        if len(seen) == 1 and len(set(next(iter(seen)))) > 1:
            keys.append(key)
    clear = all(len({_rank(marks[k], keys)[:-1] for k in place}) == len(place) for place in places)
    return tuple(keys) if clear else None


def _rank(marks: Marks, keys: Sequence[str]) -> tuple[Any, ...]:
    values = [marks.values.get(key) for key in keys]
    # Numbers go before text, so that both can be compared.
    return (
        *((1, 0.0, value) if isinstance(value, str) else (0, 0.0 if value is None else value, "") for value in values),
        marks.number,
    )


def _without_copies(
    places: list[list[int]], marks: Sequence[Marks], pixels: Callable[[int], np.ndarray]
) -> tuple[list[list[int]], list[int]]:
    """The images of each place without copies, and the copies."""
    kept: list[list[int]] = []
    copies: list[int] = []
    for place in places:
        own: list[int] = []
        shown = [pixels(k) for k in place] if len(place) > 1 else []
        for index, k in enumerate(place):
            # Blank slices of different time points are equal and no copies.
            twins = [
                other
                for other in own
                if np.array_equal(shown[index], shown[place.index(other)])
                and (marks[k].values == marks[other].values or shown[index].min() < shown[index].max())
            ]
            (copies if twins else own).append(k)
        kept.append(own)
    return kept, sorted(copies)


def _difference(places: list[list[int]], marks: Sequence[Marks], keys: tuple[str, ...] | None) -> str:
    """In which values the volumes differ, for a message."""
    if not keys:
        return ""
    shown = []
    for k in sorted(places[0], key=lambda k: _rank(marks[k], keys)):
        value = marks[k].values.get(keys[0], "")
        shown.append(f"{value:g}" if isinstance(value, float) else str(value))
    more = ", …" if len(shown) > _LONGEST_LIST else ""
    return f", which differ in {keys[0]} ({', '.join(shown[:_LONGEST_LIST])}{more})"
