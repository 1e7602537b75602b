"""What is written of a segmented scan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..io.formats import Format, stem_of
from ..reporting.overlay import FILMS, write_film, write_overlay

if TYPE_CHECKING:
    from .job import SegmentedScan


class Output(Protocol):
    """One file that is written of a segmented scan; can be sent to other processes.

    Attributes
    ----------
    stage : str
        Under which its seconds are counted.
    """

    stage: str

    def path(self, target: Path) -> Path:
        """The file's path, given the path of the label map."""
        ...

    def write(self, target: Path, done: SegmentedScan) -> None:
        """Write the file atomically, or nothing where there is nothing to show.

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

    def path(self, target: Path) -> Path:
        """See `Output.path`."""
        return target

    def write(self, target: Path, done: SegmentedScan) -> None:
        """See `Output.write`."""
        self.format.write(target, done.labels, done.scan, done.names)


@dataclass(frozen=True)
class Picture:
    """A PNG of image, boxes and masks."""

    stage = "overlay"

    def path(self, target: Path) -> Path:
        """See `Output.path`; beside the label map, never onto it."""
        stem = stem_of(target.name)
        return target.with_name(f"{stem}.overlay.png" if target.suffix in (".png", ".tif") else f"{stem}.png")

    def write(self, target: Path, done: SegmentedScan) -> None:
        """See `Output.write`."""
        write_overlay(self.path(target), done.prepared.case, done.result.labels, done.prepared.view)


@dataclass(frozen=True)
class Film:
    """A film through the slices of a volume; nothing for an image.

    Attributes
    ----------
    kind : str
        A key of `litemedsam.engine.reporting.overlay.FILMS`.
    """

    kind: str
    stage = "overlay"

    def path(self, target: Path) -> Path:
        """See `Output.path`."""
        return Picture().path(target).with_suffix(f".{self.kind}")

    def write(self, target: Path, done: SegmentedScan) -> None:
        """See `Output.write`."""
        prepared = done.prepared
        if prepared.case.is_volume:
            write_film(self.path(target), self.kind, prepared.case, done.result.labels, prepared.view)


def possible_paths(targets: Iterable[Path]) -> list[Path]:
    """All files that any output writes for label maps."""
    outputs = (Picture(), *map(Film, FILMS))
    return [path for target in targets for path in (target, *(output.path(target) for output in outputs))]
