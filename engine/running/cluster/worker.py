"""Runs in a worker of a cluster: one predictor, and one case at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from .agreement import Abilities, Agreement

if TYPE_CHECKING:
    from ...predictor import Predictor
    from ...reporting.case_report import CaseReport
    from ...settings import EngineSettings
    from ..options import Options

# At this share of its memory, the library pauses a worker and gives it no further case.
_SHARE_OF_MEMORY = 0.8
# The rooms of this process by their settings.
_rooms: dict[Assignment, Room] = {}
_opening = Lock()


class Cancelled(Exception):
    """Nobody waits for this case any longer."""


@dataclass(frozen=True)
class Assignment:
    """What a worker needs for all cases of a run.

    Attributes
    ----------
    settings : EngineSettings
        Without `threads`, a worker uses the number that it was started with.
    agreement : Agreement
    output : Path
        The folder for results.
    """

    settings: EngineSettings
    agreement: Agreement
    output: Path


@dataclass(frozen=True)
class Outcome:
    """A worker's answer to a case.

    Attributes
    ----------
    worker : str
        Its address.
    report : CaseReport or None
        None if the worker is unfit.
    unfit : str
        Why this worker must not take cases; empty if it may.
    """

    worker: str
    report: CaseReport | None = None
    unfit: str = ""


class Room:
    """One predictor, which segments its cases one after the other.

    Parameters
    ----------
    assignment : Assignment
    threads : int
        The number to use if the settings do not give one.
    """

    def __init__(self, assignment: Assignment, threads: int):
        from ...inference.streams import Growing
        from ...predictor import Predictor

        self.turn = Lock()
        self.objection = assignment.agreement.objection(Abilities.of_process(assignment.settings, assignment.output))
        self.predictor: Predictor | None = None
        if not self.objection:
            # Set explicitly, because the library starts its workers with OMP_NUM_THREADS=1.
            settings = replace(
                assignment.settings,
                precision=assignment.agreement.choice.precision,
                threads=assignment.settings.threads or threads,
            )
            self.predictor = Predictor.of(settings, policy=Growing(settings.processors, many=True))

    def close(self) -> None:
        """Free the model's memory."""
        with self.turn:
            if self.predictor is not None:
                self.predictor.close()


def _room(assignment: Assignment, threads: int) -> Room:
    with _opening:
        if assignment not in _rooms:
            _rooms[assignment] = Room(assignment, threads)
        return _rooms[assignment]


class OnePredictor:
    """A plugin for the library's workers. It makes one predictor in each.

    Parameters
    ----------
    assignment : Assignment
    name : str
        Of the plugin; each run has its own.
    """

    # As in the library's own class. Deriving from it would import the library here.
    idempotent = False

    def __init__(self, assignment: Assignment, name: str):
        self.assignment, self.name = assignment, name

    def setup(self, worker: Any) -> None:
        """Called when a worker joins."""
        from ...system.resources import keep_within

        limit = worker.memory_manager.memory_limit
        if limit:
            keep_within(int(limit * _SHARE_OF_MEMORY))
        _room(self.assignment, worker.state.nthreads)

    def teardown(self, worker: Any) -> None:
        """Called when the run ends."""
        room = _rooms.pop(self.assignment, None)
        if room is not None:
            room.close()


def work(case: Path, options: Options, assignment: Assignment, key: str) -> Outcome:
    """Segment a case and write its results. Repeating it gives the same results.

    Parameters
    ----------
    case : Path
    options : Options
        Of this case; paths are absolute, and results are replaced.
    assignment : Assignment
    key : str
        The task's.
    """
    from distributed import get_worker

    from ..case_run import run_case

    worker = get_worker()
    room = _room(assignment, worker.state.nthreads)
    if room.predictor is None:
        return Outcome(worker.address, unfit=room.objection)
    with room.turn:
        return Outcome(worker.address, run_case(room.predictor, case, options, partial(_go_on, worker, key)))


def _go_on(worker: Any, key: str, done: int, total: int) -> None:
    task = worker.state.tasks.get(key)
    if task is None or task.state in ("cancelled", "released", "forgotten"):
        raise Cancelled


def describe(settings: EngineSettings, output: Path) -> Abilities:
    """The abilities of this process. Workers run this function."""
    return Abilities.of_process(settings, output)
