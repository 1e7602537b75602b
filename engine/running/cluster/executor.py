"""Runs cases on a cluster. Every case ends with a result or an error, whatever happens to workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from ....atomic import remove_left_over
from ....errors import LiteMedSamError
from ...reporting.case_report import CaseReport
from .connection import Connection, Lost
from .tasks import Task

if TYPE_CHECKING:
    from ..options import Options
    from ..reporters import Reporter
    from .worker import Assignment, Outcome

# Seconds between two checks of the workers.
_LOOK = 1.0
_REVIVE = 5.0
# Seconds after which a shared folder shows a new file on other machines.
_SEEN = 10.0
_SPARE = 2


@dataclass(frozen=True)
class Cluster:
    """The workers of a cluster, each with one predictor.

    Attributes
    ----------
    connection : Connection
    assignment : Assignment
    """

    connection: Connection
    assignment: Assignment

    def reports(self, cases: Sequence[Path], options: Options, tell: Reporter) -> Iterator[CaseReport]:
        """See `litemedsam.engine.running.executor.Executor.reports`.

        A case whose worker died runs once more at the end, alone, because another case may have killed that worker.
        """
        run = _Run(self.connection, self.assignment, options, tell)
        try:
            yield from run.all(cases, alone=False)
            blamed, run.blamed = run.blamed, []
            yield from run.all(blamed, alone=True)
        finally:
            run.stop()


class _Run:
    """The state of one run."""

    def __init__(self, connection: Connection, assignment: Assignment, options: Options, tell: Reporter):
        self.connection, self.assignment, self.options, self.tell = connection, assignment, options, tell
        self.blamed: list[Path] = []
        self._waiting: deque[Path] = deque()
        self._flying: dict[Any, Task] = {}
        self._finished: SimpleQueue[Any] = SimpleQueue()
        self._attempts: dict[Path, int] = {}
        self._unfit: dict[str, str] = {}
        self._workers: frozenset[str] = frozenset()
        self._alone = False
        self._looked = self._manned = self._revived = monotonic()
        self._unseen = False

    def all(self, cases: Sequence[Path], alone: bool) -> Iterator[CaseReport]:
        """Work on cases.

        Parameters
        ----------
        cases : sequence of Path
        alone : bool
            Whether to run one case at a time. If its worker dies then, the case itself is the cause.
        """
        self._alone = alone
        self._waiting.extend(cases)
        self._manned = monotonic()
        while self._waiting or self._flying:
            try:
                self._look()
                yield from self._begin()
            except Lost:
                yield from self._again()
                continue
            except LiteMedSamError as error:
                yield from self._give_up(str(error))
                continue
            yield from self._ended()

    def stop(self) -> None:
        """Cancel all tasks, and remove half-written results of dead workers."""
        from ..outputs import possible_paths

        self.connection.cancel(self._flying)
        left = [task.target for task in self._flying.values()]
        self._flying = {}
        remove_left_over(possible_paths(left))

    def _look(self) -> None:
        """Count the workers, at most once a second."""
        if self._workers and monotonic() - self._looked < _LOOK:
            return
        found = self.connection.workers()
        self._looked = monotonic()
        if self._looked - self._revived > _REVIVE:
            self._revived = self._looked
            self.connection.revive()
        able = frozenset(address for address, takes in found.items() if takes and address not in self._unfit)
        if able:
            self._manned = self._looked
        elif self._looked - self._manned > self.connection.patience:
            raise LiteMedSamError(*self._unmanned(found))
        if able != self._workers:
            self._workers = able
            self.tell.workers(len(able))
            if self._unfit:
                # Tasks that are bound to certain workers would wait for ever if those are gone.
                self._take_back()
        if not able:
            sleep(0.1)

    def _unmanned(self, found: Collection[str]) -> tuple[str, str]:
        if found and all(address in self._unfit for address in found):
            return next(iter(self._unfit.values())), "give all workers the same litemedsam, models and folders"
        what = "the memory of every worker is full" if found else "no worker is left"
        return f"{what} since {self.connection.patience:.0f} s", "start workers, and add --skip-existing to go on"

    def _take_back(self) -> None:
        self.connection.cancel(self._flying)
        self._waiting.extendleft(task.case for task in self._flying.values())
        self._flying = {}

    def _begin(self) -> Iterator[CaseReport]:
        """Submit cases, a few more than there are workers."""
        from ..options import Existing

        most = 1 if self._alone else 2 * len(self._workers) + _SPARE
        while self._workers and self._waiting and len(self._flying) < most:
            case = self._waiting.popleft()
            try:
                task = Task.of(case, self.options, self.assignment)
                if case not in self._attempts and self.options.existing is Existing.KEEP and task.target.exists():
                    raise LiteMedSamError(f"{case}: {task.target} exists", "add --overwrite or --skip-existing")
                attempt = self._attempts.get(case, 0)
                key = task.key(attempt)
            except OSError as error:
                yield CaseReport(case=str(case), error=f"{case}: cannot be read ({error.strerror})")
            except LiteMedSamError as error:
                text = str(error)
                yield CaseReport(case=str(case), error=text if str(case) in text else f"{case}: {text}")
            else:
                self._submit(task, key)
                self._attempts[case] = attempt + 1

    def _submit(self, task: Task, key: str) -> None:
        try:
            future = self.connection.submit(task, key, self._workers if self._unfit else (), self._finished.put)
        except Lost:
            self._waiting.appendleft(task.case)
            raise
        self._flying[future] = task

    def _ended(self) -> Iterator[CaseReport]:
        """The reports of tasks that end within a short time."""
        try:
            futures = [self._finished.get(timeout=_LOOK / 2)]
            while not self._finished.empty():
                futures.append(self._finished.get())
        except Empty:
            futures = []
        # The library may not report a cancelled future.
        futures += [future for future in self._flying if future.status in ("cancelled", "lost")]
        for future in futures:
            task = self._flying.pop(future, None)
            if task is not None:
                yield from self._judged(future, task)

    def _judged(self, future: Any, task: Task) -> Iterator[CaseReport]:
        from distributed import KilledWorker

        if future.status == "finished":
            try:
                outcome: Outcome = future.result(timeout=20)
            except Exception:  # noqa: BLE001 - the worker is gone, and so is its answer
                self._waiting.append(task.case)
                return
            yield from self._told(outcome, task)
        elif future.status == "error":
            error = future.exception()
            if not isinstance(error, KilledWorker):
                yield CaseReport(case=str(task.case), error=f"{task.case}: {type(error).__name__}: {error}")
            elif self._alone:
                yield CaseReport(
                    case=str(task.case),
                    error=f"{task.case}: its worker died each time, perhaps for want of memory; "
                    "give each worker more memory, or segment it by itself",
                )
            else:
                self.blamed.append(task.case)
        else:
            self._waiting.append(task.case)
        future.release()

    def _told(self, outcome: Outcome, task: Task) -> Iterator[CaseReport]:
        if outcome.report is None:
            if outcome.worker not in self._unfit:
                self._unfit[outcome.worker] = f"the worker at {outcome.worker} {outcome.unfit}"
                self.tell.remark(f"left out: {self._unfit[outcome.worker]}")
            self._workers -= {outcome.worker}
            self._waiting.append(task.case)
            return
        report = task.named(outcome.report)
        if not report.error and not self._seen(task.target):
            error = f"{task.case}: the worker at {outcome.worker} wrote {task.target}, which is not seen here"
            report = CaseReport(case=str(task.case), error=f"{error}; give a folder that all machines share with -o")
        yield report

    def _seen(self, target: Path) -> bool:
        """Whether the result's file is visible here; the worker's answer is not enough."""
        end = monotonic() + (0 if self._unseen else _SEEN)
        while not target.exists():
            if monotonic() > end:
                self._unseen = True
                return False
            # Listing the folder makes a shared file system refresh it.
            list(target.parent.glob(target.name))
            sleep(0.2)
        return True

    def _again(self) -> Iterator[CaseReport]:
        """Reconnect to a lost scheduler, and submit its tasks again."""
        self._waiting.extendleft(task.case for task in self._flying.values())
        self._flying, self._workers = {}, frozenset()
        self.tell.workers(0)
        try:
            self.connection.open(self.connection.patience)
        except LiteMedSamError as error:
            yield from self._give_up(str(error))
        self._manned = monotonic()

    def _give_up(self, reason: str) -> Iterator[CaseReport]:
        cases = [*(task.case for task in self._flying.values()), *self._waiting, *self.blamed]
        self.connection.cancel(self._flying)
        self._flying, self.blamed = {}, []
        self._waiting.clear()
        yield from (CaseReport(case=str(case), error=f"{case}: {reason}") for case in cases)
