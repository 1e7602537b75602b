"""A simulated user: a box, then clicks where the mask is most wrong; figures after each."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..engine.sessions.volume import VolumeSession
from ..errors import LiteMedSamError
from ..overlap import dice
from .cases import read_prompted, read_truth, stem_of
from .clicks import next_click
from .groups import group_of
from .surface import surface_dice

if TYPE_CHECKING:
    from ..engine.predictor import Predictor
    from ..engine.sessions.history import ObjectHistory
    from ..engine.sessions.image import ImageSession
    from .clicks import Click

TOLERANCE = 2.0
"""Of NSD, in mm; in pixels for an image."""


class Correctable(Protocol):
    """An object whose mask clicks change."""

    @property
    def mask(self) -> np.ndarray:
        """The present mask, bool (H, W) or (D, H, W)."""
        ...

    def corrected(self, click: Click) -> Correctable:
        """The object after a click."""
        ...


@dataclass(frozen=True)
class SessionObject:
    """An object of one of the engine's sessions.

    Attributes
    ----------
    session : ImageSession or VolumeSession
    history : ObjectHistory
    """

    session: ImageSession | VolumeSession
    history: ObjectHistory

    @property
    def mask(self) -> np.ndarray:
        """See `Correctable.mask`."""
        return self.history.mask

    def corrected(self, click: Click) -> SessionObject:
        """See `Correctable.corrected`."""
        point = [[float(at) for at in click.place[-1:-3:-1]]]
        add, remove = (point, None) if click.adds else (None, point)
        if isinstance(self.session, VolumeSession):
            return replace(self, history=self.session.correct(self.history, click.place[0], add, remove))
        return replace(self, history=self.session.correct(self.history, add, remove))


@dataclass(frozen=True)
class Course:
    """Figures of one object after its box, and after each click.

    Attributes
    ----------
    dsc, nsd : tuple of float
        In [0, 1], the box's own first.
    seconds : tuple of float
        Of each click.
    """

    dsc: tuple[float, ...]
    nsd: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class CaseCourses:
    """The objects of one case.

    Attributes
    ----------
    name, group : str
        See `group_of`.
    courses : dict of int to Course
        By label.
    """

    name: str
    group: str
    courses: dict[int, Course]


def course(begun: Correctable, truth: np.ndarray, spacing: tuple[float, ...], count: int) -> Course:
    """Click on one object.

    Parameters
    ----------
    begun : Correctable
        With the mask of its box.
    truth : ndarray
        bool (H, W) or (D, H, W).
    spacing : tuple of float
        In mm, in the order of the array's axes.
    count : int
        Number of clicks; once the mask is right, it stays.
    """
    present, seconds = begun, []
    masks = [begun.mask]
    for _ in range(count):
        click = next_click(truth, present.mask)
        started = time.perf_counter()
        if click is not None:
            present = present.corrected(click)
        seconds.append(time.perf_counter() - started)
        masks.append(present.mask)
    dsc = [dice(mask, truth) for mask in masks]
    nsd = [surface_dice(truth, mask, spacing, TOLERANCE) for mask in masks]
    return Course(tuple(dsc), tuple(nsd), tuple(seconds))


def case_courses(predictor: Predictor, path: Path, count: int, most: int | None = None) -> CaseCourses:
    """Click on the objects of one case.

    Parameters
    ----------
    predictor : Predictor
        Its model takes corrections.
    path : Path
        An npz file with ``imgs``, ``boxes`` and ``gts``; box k belongs to label k + 1.
    count : int
        Clicks on each object.
    most : int, optional
        Only the first objects.

    Raises
    ------
    LiteMedSamError
        When the file is damaged, no object has a box, or the model takes no corrections.
    """
    truth = read_truth(path)
    prompted = read_prompted(path, truth.labels.shape)
    labels = [label for label in range(1, len(prompted.boxes) + 1) if (truth.labels == label).any()][:most]
    if not labels:
        raise LiteMedSamError(
            f"{path}: none of its {len(prompted.boxes)} boxes belongs to an object of gts",
            "store the box of label k in row k − 1 of boxes",
        )
    axes = truth.labels.ndim
    spacing = (1.0,) * axes if truth.spacing is None else truth.spacing[::-1]
    courses = {}
    with predictor.open(prompted.image, volume=axes == 3) as session:
        for label in labels:
            begun = SessionObject(session, session.begin(prompted.boxes[label - 1]))
            courses[label] = course(begun, truth.labels == label, spacing, count)
    return CaseCourses(path.name, group_of(stem_of(path.name), axes), courses)
