"""The objects that a user has drawn, and the history of all changes to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...engine.scan.colours import colour
from ...errors import LiteMedSamError
from ..refusal import CONFLICT, NOT_FOUND, Refusal

Box = tuple[int, ...]
"""x_min, y_min, x_max, y_max or x_min, y_min, z_min, x_max, y_max, z_max as seen, ends included."""

Point = tuple[int, ...]
"""x, y or x, y, z as seen."""


@dataclass(frozen=True)
class Correction:
    """What a user repairs of a mask with the mouse.

    Attributes
    ----------
    adds : bool
        Whether the mask lacks the places; otherwise they do not belong to it.
    places : tuple of Point
        One is a click; several are a stroke along them, all on one slice.
    """

    adds: bool
    places: tuple[Point, ...]

    @property
    def is_stroke(self) -> bool:
        """Whether there are several places."""
        return len(self.places) > 1


Prompt = tuple[Box, tuple[Point, ...], tuple[Correction, ...]]
"""What a mask depends on, beside the image: a box, points on the object, and corrections in order."""

# Steps that can be undone.
MOST_STEPS = 200
MOST_OBJECTS = 1000
LONGEST_NAME = 64


@dataclass(frozen=True)
class DrawnObject:
    """One object.

    Attributes
    ----------
    key : int
        Never used again in its session, unlike its number in a result, which is its place in the list.
    box : Box
    name : str
        Empty where the user gave none.
    colour : str
        ``#rrggbb``.
    visible : bool
        On screen; a result contains hidden objects too.
    points : tuple of Point
        At most four, within the box.
    corrections : tuple of Correction
        In order; of a volume on slices of the box.
    """

    key: int
    box: Box
    name: str
    colour: str
    visible: bool = True
    points: tuple[Point, ...] = ()
    corrections: tuple[Correction, ...] = ()

    @property
    def prompt(self) -> Prompt:
        """What its mask depends on."""
        return self.box, self.points, self.corrections


class History:
    """The objects of a session after each of the user's steps; any step can be undone and redone.

    Not for several threads at once; the session locks.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[DrawnObject, ...]] = [()]
        self._at = 0
        self._keys = 0
        self.version = 0

    @property
    def objects(self) -> tuple[DrawnObject, ...]:
        """The objects as they are now, in the order of their numbers."""
        return self._steps[self._at]

    @property
    def undoable(self) -> int:
        """The number of steps that can be undone."""
        return self._at

    @property
    def redoable(self) -> int:
        """The number of steps that can be redone."""
        return len(self._steps) - 1 - self._at

    def add(self, box: Box, name: str = "") -> DrawnObject:
        """A new object at the end of the list.

        Raises
        ------
        LiteMedSamError
            When there are too many.
        """
        if len(self.objects) >= MOST_OBJECTS:
            raise Refusal(CONFLICT, f"{len(self.objects)} objects, expected at most {MOST_OBJECTS} in one session")
        self._keys += 1
        red, green, blue = colour(self._keys)
        drawn = DrawnObject(self._keys, box, name, f"#{red:02x}{green:02x}{blue:02x}")
        self._step((*self.objects, drawn))
        return drawn

    def change(self, key: int, change: Callable[[DrawnObject], DrawnObject]) -> None:
        """Change one object; raises as `find`."""
        before = self.find(key)
        after = change(before)
        if after != before:
            self._step(tuple(after if each is before else each for each in self.objects))

    def remove(self, key: int) -> None:
        """Take one object away; raises as `find`."""
        gone = self.find(key)
        self._step(tuple(each for each in self.objects if each is not gone))

    def find(self, key: int) -> DrawnObject:
        """The object of a key.

        Raises
        ------
        LiteMedSamError
            When there is none now.
        """
        found = next((each for each in self.objects if each.key == key), None)
        if found is None:
            known = ", ".join(str(each.key) for each in self.objects) or "none"
            raise Refusal(NOT_FOUND, f"object {key} is not in this session, expected one of: {known}")
        return found

    def undo(self) -> bool:
        """Go back one step; False where there is none."""
        return self._move(-1)

    def redo(self) -> bool:
        """Go forward one step; False where there is none."""
        return self._move(1)

    def _move(self, by: int) -> bool:
        if not 0 <= self._at + by < len(self._steps):
            return False
        self._at += by
        self.version += 1
        return True

    def _step(self, objects: tuple[DrawnObject, ...]) -> None:
        self._steps = [*self._steps[: self._at + 1], objects][-MOST_STEPS - 1 :]
        self._at = len(self._steps) - 1
        self.version += 1


def changed(drawn: DrawnObject, **values: object) -> DrawnObject:
    """An object with other values of its attributes, but for its key; absent and None leave them.

    Points that lie outside another box go, and corrections on slices that it leaves out.

    Raises
    ------
    LiteMedSamError
        For values of another kind.
    """
    given = {name: value for name, value in values.items() if value is not None}
    if "name" in given:
        given["name"] = checked_name(given["name"])
    if "colour" in given and not _is_colour(given["colour"]):
        raise LiteMedSamError(f"colour is {str(given['colour'])[:20]!r}, expected a text such as '#ff8000'")
    if "visible" in given and not isinstance(given["visible"], bool):
        raise LiteMedSamError("visible is no truth value, expected true or false")
    after: DrawnObject = replace(drawn, **given)  # type: ignore[arg-type]
    if "points" in given and any(not within(after.box, point) for point in after.points):
        raise LiteMedSamError("a point lies outside its object's box", "set it inside, or make the box larger")
    if "corrections" in given and not all(_covered(after.box, made.places[0]) for made in after.corrections):
        raise LiteMedSamError(
            "a correction lies on a slice that its object's box leaves out", "set it inside, or make the box larger"
        )
    return replace(
        after,
        points=tuple(point for point in after.points if within(after.box, point)),
        corrections=tuple(made for made in after.corrections if _covered(after.box, made.places[0])),
    )


def _covered(box: Box, place: Point) -> bool:
    """Whether a box covers the slice of a place; in an image it does."""
    return len(place) == 2 or box[2] <= place[2] <= box[5]


def within(box: Box, point: Point) -> bool:
    """Whether a point lies in a box."""
    rank = len(point)
    return all(low <= k <= high for low, k, high in zip(box[:rank], point, box[rank:], strict=True))


def checked_name(name: object) -> str:
    """A name of an object without line breaks and control characters.

    Raises
    ------
    LiteMedSamError
        For other than a text of at most 64 characters.
    """
    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        raise LiteMedSamError(f"name is {str(name)[:20]!r}…, expected a text of at most {LONGEST_NAME} characters")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())


def _is_colour(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) == 7
        and value[0] == "#"
        and all(digit in "0123456789abcdefABCDEF" for digit in value[1:])
    )
