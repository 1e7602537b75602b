"""The files that a run writes for a segmented scan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...atomic import fill_folder_atomically
from ..io.formats import FORMATS, Format, format_for_result, stem_of
from ..reporting.overlay import FILMS, write_film, write_overlay

if TYPE_CHECKING:
    from .job import SegmentedScan


class Output(Protocol):
    """One file or folder for a segmented scan; can be sent to other processes.

    Attributes
    ----------
    stage : str
        The stage that its seconds count for.
    separate : bool
        Whether it needs each object's mask by itself, see `Request`.
    """

    stage: str
    separate: bool

    def path(self, target: Path) -> Path:
        """The file's path, given the path of the label map."""
        ...

    def write(self, target: Path, done: SegmentedScan) -> None:
        """Write the file atomically; write nothing if there is nothing to show.

        Raises
        ------
        LiteMedSamError
            When it cannot be written.
        """
        ...


@dataclass(frozen=True)
class LabelMap:
    """The masks on the file's own grid.

    Attributes
    ----------
    format : Format
    """

    format: Format
    stage = "write"
    separate = False

    def path(self, target: Path) -> Path:
        """See `Output.path`."""
        return target

    def write(self, target: Path, done: SegmentedScan) -> None:
        """See `Output.write`."""
        values = self.values(done)
        names = [""] * max(values)
        for value, name in zip(values, done.names, strict=True):
            names[value - 1] = name
        labels = done.labels if values == done.values else done.numbered
        self.format.write(target, labels, done.scan, names)

    def values(self, done: SegmentedScan) -> tuple[int, ...]:
        """The label of each object in the file: its own, or 1, 2, … in a format that counts without gaps."""
        return tuple(range(1, len(done.values) + 1)) if self.format.consecutive else done.values


@dataclass(frozen=True)
class MaskFolder:
    """A folder with one mask for each object: 1 on the object, also where the label map shows another one.

    The masks have the label map's format. The objects' labels are the names of the files.
    """

    stage = "write"
    separate = True

    def path(self, target: Path) -> Path:
        """See `Output.path`."""
        return target.with_name(f"{stem_of(target.name)}.objects")

    def write(self, target: Path, done: SegmentedScan) -> None:
        """See `Output.write`."""
        # A folder of slices has a name without suffix.
        suffix = target.name[len(stem_of(target.name)) :]
        kind = format_for_result(target, FORMATS["slices"])
        with fill_folder_atomically(self.path(target)) as folder:
            for k, (value, name) in enumerate(zip(LabelMap(kind).values(done), done.names, strict=True)):
                mask = done.mask(k).astype(np.uint8)
                kind.write(folder / f"{value}{suffix}", mask, done.scan, [name])


@dataclass(frozen=True)
class Picture:
    """A PNG of image, boxes and masks."""

    stage = "overlay"
    separate = False

    def path(self, target: Path) -> Path:
        """See `Output.path`; beside the label map, never onto it."""
        stem = stem_of(target.name)
        return target.with_name(f"{stem}.overlay.png" if target.suffix in (".png", ".tif") else f"{stem}.png")

    def write(self, target: Path, done: SegmentedScan) -> None:
        """See `Output.write`."""
        prepared = done.prepared
        write_overlay(self.path(target), prepared.case, done.result.labels, prepared.view, done.values)


@dataclass(frozen=True)
class Film:
    """A film through the slices of a volume. An image has none.

    Attributes
    ----------
    kind : str
        A key of `litemedsam.engine.reporting.overlay.FILMS`.
    """

    kind: str
    stage = "overlay"
    separate = False

    def path(self, target: Path) -> Path:
        """See `Output.path`."""
        return Picture().path(target).with_suffix(f".{self.kind}")

    def write(self, target: Path, done: SegmentedScan) -> None:
        """See `Output.write`."""
        prepared = done.prepared
        if prepared.case.is_volume:
            write_film(self.path(target), self.kind, prepared.case, done.result.labels, prepared.view, done.values)


def possible_paths(targets: Iterable[Path]) -> list[Path]:
    """All files and folders that outputs may write beside these label maps."""
    outputs: tuple[Output, ...] = (Picture(), *map(Film, FILMS), MaskFolder())
    return [path for target in targets for path in (target, *(output.path(target) for output in outputs))]
