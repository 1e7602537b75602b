"""Cases as tasks, with absolute paths, and with a key of everything that decides the result."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from ...reporting.case_report import CaseReport
    from ..options import Options
    from .worker import Assignment

T = TypeVar("T")


def absolute(value: T) -> T:
    """A dataclass or another value with absolute paths; everything else stays the same."""
    if isinstance(value, Path):
        return value.absolute()
    if isinstance(value, tuple):
        items = tuple(map(absolute, value))
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        changed: dict[str, Any] = {name: new for name, old in own.items() if (new := absolute(old)) is not old}
        return replace(value, **changed) if changed else value
    return value


@dataclass(frozen=True)
class Task:
    """One case for a worker.

    Attributes
    ----------
    case : Path
        As the user named it.
    target : Path
        Of its label map, as the user named it.
    options : Options
        For the worker: of this case alone, with absolute paths. Results are replaced, so that a task can be repeated.
    assignment : Assignment
    """

    case: Path
    target: Path
    options: Options
    assignment: Assignment

    @classmethod
    def of(cls, case: Path, options: Options, assignment: Assignment) -> Task:
        """The task of a case; raises as `Options.target`."""
        from ..options import Existing

        place = case.absolute()
        target = options.target(case)
        plain = replace(options, subfolders={}, whole_names=frozenset(), existing=Existing.REPLACE)
        own = replace(
            absolute(plain),
            subfolders={place: options.subfolders[case]} if case in options.subfolders else {},
            whole_names=frozenset({place} if case in options.whole_names else ()),
        )
        return cls(case, target, own, assignment)

    def key(self, attempt: int) -> str:
        """The task's key. Equal inputs and settings give equal keys, so that two runs on one scheduler share the work.

        Parameters
        ----------
        attempt : int
            From 0.
        """
        from dask.base import tokenize

        stat = self.case.stat()
        state = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        return f"litemedsam-{tokenize(str(self.case.absolute()), state, self.options, self.assignment, attempt)}"

    def named(self, report: CaseReport) -> CaseReport:
        """A worker's report with the paths as the user gave them."""
        place, output = self.case.absolute(), self.options.target(self.case.absolute())

        def own(text: str) -> str:
            return text.replace(str(place), str(self.case)).replace(str(output), str(self.target))

        return replace(
            report,
            case=str(self.case),
            output=str(self.target) if report.output else "",
            error=own(report.error),
            notes=[own(note) for note in report.notes],
        )
