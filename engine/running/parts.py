"""Divides a cohort into parts, so that several processes can share it without communicating."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from ...errors import LiteMedSamError

_REMEDY = "give --part K/N, such as 2/5"
_TASK, _COUNT = "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"
_FIRST, _LAST, _STEP = "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP"
_RECORD = re.compile(r"part-(\d+)-of-(\d+)")


@dataclass(frozen=True)
class Part:
    """Some cases of a cohort, chosen by their names.

    A case belongs to the same part on every machine, whatever other cases lie beside it.

    Attributes
    ----------
    number : int
        From 1 to `count`.
    count : int
        The number of parts, at least 1.

    Raises
    ------
    LiteMedSamError
        When `number` is not in its range.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise LiteMedSamError(f"part is {self.number}/{self.count}, expected K/N with K from 1 to N", _REMEDY)

    @classmethod
    def of(cls, text: str, environment: Mapping[str, str]) -> Part:
        """The part that a text names.

        Parameters
        ----------
        text : str
            ``K/N``; ``all``; or ``auto`` for the part of this task in a SLURM job array.
        environment : mapping of str to str
            Environment variables.

        Raises
        ------
        LiteMedSamError
            When the text is none of these; or, for ``auto``, when this is no task of a job array, or the indices of
            the array do not have equal distances.
        """
        if text == "all":
            return cls()
        if text == "auto":
            return cls._of_array(environment)
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
        if match is None:
            raise LiteMedSamError(f"part is {text!r}, expected K/N, auto or all", _REMEDY)
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def _of_array(cls, environment: Mapping[str, str]) -> Part:
        values = {}
        for name, absent in ((_TASK, None), (_COUNT, None), (_FIRST, "1"), (_LAST, ""), (_STEP, "1")):
            value = environment.get(name) or absent
            if value is None:
                raise LiteMedSamError(f"--part auto: {name} is not set, so this is no task of a SLURM array", _REMEDY)
            if value and re.fullmatch(r"\d{1,9}", value, re.ASCII) is None:
                raise LiteMedSamError(f"--part auto: {name} is {value!r}, expected a whole number", _REMEDY)
            values[name] = value
        first, step, count = int(values[_FIRST]), int(values[_STEP]) or 1, int(values[_COUNT])
        steps, odd = divmod(int(values[_TASK]) - first, step)
        last = int(values[_LAST] or first + step * (count - 1))
        if odd or not 0 <= steps < count or last != first + step * (count - 1):
            raise LiteMedSamError(
                f"--part auto: task {values[_TASK]} is one of {count} from {first} to {last} in steps of {step}, "
                "expected an array without gaps, such as --array=1-5",
                _REMEDY,
            )
        return cls(steps + 1, count)

    @property
    def whole(self) -> bool:
        """Whether every case belongs to it."""
        return self.count == 1

    def __str__(self) -> str:
        return f"part {self.number} of {self.count}"

    def holds(self, name: PurePath) -> bool:
        """Whether a case belongs to this part.

        Parameters
        ----------
        name : PurePath
            The case's path within the cohort.
        """
        # Late, because every start imports this file.
        from hashlib import blake2b

        # Names may hold bytes that are not UTF-8.
        digest = blake2b(os.fsencode(name.as_posix()), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def record(self, path: Path) -> Path:
        """Where this part writes a record: for ``run.json``, ``run.part-2-of-5.json``."""
        if self.whole:
            return path
        return path.with_name(f"{path.stem}.part-{self.number}-of-{self.count}{path.suffix}")


def parts_recorded(path: Path) -> dict[Path, Part]:
    """The records of parts beside the record of the whole, in order of the parts; see `Part.record`."""
    found = {}
    for file in path.parent.glob("*"):
        middle = file.name.removeprefix(f"{path.stem}.").removesuffix(path.suffix)
        match = _RECORD.fullmatch(middle)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            continue
        part = Part(int(match[1]), int(match[2]))
        if part.record(path) == file:
            found[file] = part
    return dict(sorted(found.items(), key=lambda item: (item[1].count, item[1].number)))
