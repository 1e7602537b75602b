"""What is to be segmented in a scan: a box for each object, with the user's points and strokes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..case import LARGEST_NUMBER, check_box_count, check_box_form

if TYPE_CHECKING:
    from ..scan.geometry import View


@dataclass(frozen=True)
class Stroke:
    """A line that a user drew on one object.

    Attributes
    ----------
    places : ndarray
        float64 (k, 2) x, y or (k, 3) x, y, z, at least one; straight lines join them, and a single place is a dot.
    width : float
        In voxels.
    """

    places: np.ndarray
    width: float


@dataclass(frozen=True)
class Repair:
    """What a user repairs of one object's mask at once, all on one slice.

    Attributes
    ----------
    add, remove : ndarray
        float64 (k, 2) x, y or (k, 3) x, y, z: points that the mask lacks, and points that do not belong to it.
    add_strokes, remove_strokes : tuple of Stroke
    """

    add: np.ndarray
    remove: np.ndarray
    add_strokes: tuple[Stroke, ...] = ()
    remove_strokes: tuple[Stroke, ...] = ()

    @property
    def places(self) -> np.ndarray:
        """All its places, of points and of strokes."""
        strokes = [stroke.places for stroke in (*self.add_strokes, *self.remove_strokes)]
        return np.concatenate([places for places in (self.add, self.remove, *strokes) if len(places)])

    def seen(self, view: View) -> Repair:
        """The same, from indices of the stored voxels to indices as seen."""
        add, remove = (view.see_points(given) if len(given) else given for given in (self.add, self.remove))
        add_strokes, remove_strokes = (
            tuple(replace(stroke, places=view.see_points(stroke.places)) for stroke in given)
            for given in (self.add_strokes, self.remove_strokes)
        )
        return Repair(add, remove, add_strokes, remove_strokes)


@dataclass(frozen=True)
class ObjectPrompt:
    """One object: its box, and what else the user gave for it.

    Attributes
    ----------
    box : ndarray
        (4,) or (6,), see `Case`.
    name : str
        Empty where it has none.
    points : ndarray or None
        float64 (k, 2) x, y or (k, 3) x, y, z, one to four on the object.
    strokes : tuple of Stroke
    label : int or None
        The value that its source marks it with; None where the source only has an order.
    repairs : tuple of Repair
        Corrections of the mask, in order.
    open_ended : bool
        Whether the box (6,) covers only the slice that it was drawn on, and the object may go on beyond.
    """

    box: np.ndarray
    name: str = ""
    points: np.ndarray | None = None
    strokes: tuple[Stroke, ...] = ()
    label: int | None = None
    repairs: tuple[Repair, ...] = ()
    open_ended: bool = False

    def seen(self, view: View) -> ObjectPrompt:
        """The same object, from indices of the stored voxels to indices as seen."""
        return replace(
            self,
            box=view.see_boxes(self.box[None])[0],
            points=None if self.points is None else view.see_points(self.points),
            strokes=tuple(replace(stroke, places=view.see_points(stroke.places)) for stroke in self.strokes),
            repairs=tuple(repair.seen(view) for repair in self.repairs),
        )


@dataclass(frozen=True)
class Objects:
    """The objects of one scan; the first has the label 1.

    Attributes
    ----------
    prompts : tuple of ObjectPrompt
        In indices of the stored voxels, until `seen`. All boxes have as many numbers.
    stroke_mask : ndarray or None
        Integers of the grid's shape: further strokes, value k on object k.
    notes : tuple of str
        For the user: what the source left aside or decided.
    """

    prompts: tuple[ObjectPrompt, ...]
    stroke_mask: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of_boxes(
        cls,
        where: str,
        boxes: np.ndarray,
        names: Sequence[str] = (),
        stroke_mask: np.ndarray | None = None,
        labels: Sequence[int] = (),
    ) -> Objects:
        """Objects with boxes and, where they are given, names and labels.

        Parameters
        ----------
        where : str
            For messages.
        boxes : ndarray
            (N, 4) or (N, 6).
        names : sequence of str
            One per object, or none at all.
        stroke_mask : ndarray, optional
        labels : sequence of int
            One per object, or none at all.

        Raises
        ------
        LiteMedSamError
            For boxes of another shape, no boxes, or more than 65535.
        """
        check_box_form(where, boxes)
        check_box_count(where, boxes)
        rows = zip(boxes, names or ("",) * len(boxes), labels or (None,) * len(boxes), strict=True)
        return cls(tuple(ObjectPrompt(box, name, label=label) for box, name, label in rows), stroke_mask)

    @cached_property
    def boxes(self) -> np.ndarray:
        """(N, 4) or (N, 6), see `Case`."""
        return np.stack([prompt.box for prompt in self.prompts]) if self.prompts else np.zeros((0, 4))

    @property
    def names(self) -> tuple[str, ...]:
        """One per object, empty where it has none."""
        return tuple(prompt.name for prompt in self.prompts)

    @property
    def values(self) -> tuple[int, ...]:
        """The label of each object in a result: its own where all have one, different and in 1..65535; else 1, 2, ….

        Where objects overlap in a label map the highest number stays, so the order of the values is the objects'.
        """
        own = tuple(prompt.label for prompt in self.prompts if prompt.label is not None)
        sound = len(own) == len(self.prompts) and all(a < b for a, b in pairwise((0, *own, LARGEST_NUMBER + 1)))
        return own if sound else tuple(range(1, len(self.prompts) + 1))

    @property
    def scribbled(self) -> bool:
        """Whether there are strokes of any object."""
        return self.stroke_mask is not None or any(prompt.strokes for prompt in self.prompts)

    def with_boxes(self, boxes: np.ndarray) -> Objects:
        """The same objects with other boxes, (N, 4) or (N, 6)."""
        prompts = (replace(prompt, box=box) for prompt, box in zip(self.prompts, boxes, strict=True))
        return replace(self, prompts=tuple(prompts))

    def seen(self, view: View) -> Objects:
        """The same objects, from indices of the stored voxels to indices as seen."""
        strokes = None if self.stroke_mask is None else view.see(self.stroke_mask)
        return replace(self, prompts=tuple(prompt.seen(view) for prompt in self.prompts), stroke_mask=strokes)
