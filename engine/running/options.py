"""The options that all cases of a run share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..io.format_choice import AnyFormat, FormatChoice
from ..io.formats import Format, format_of, result_name
from ..objects.sources import ObjectSource, StoredBoxes
from .job import Request
from .outputs import LabelMap, Output

if TYPE_CHECKING:
    from ..scan.intensity import Scaling


class Existing(Enum):
    """What to do if a result exists."""

    KEEP = "keep"
    """The case fails."""
    REPLACE = "replace"
    SKIP = "skip"
    """The case is left out."""


@dataclass(frozen=True)
class Options:
    """The options of a run, and the places of its results; can be sent to other processes.

    Attributes
    ----------
    output : Path
        Folder for results, made when absent.
    objects : ObjectSource
        Says what to segment.
    scaling : Scaling or None
        Turns intensities into pixels; the usual scaling of the scan when None.
    time_point : int or None
        Of a series of volumes, from 0.
    spacing : sequence of float or None
        For scans whose files hold none, see `litemedsam.engine.scan.scan.with_spacing`.
    format : Format or None
        Of the results; the scan's own when None.
    drawings : tuple of Output
        Written before each label map.
    existing : Existing
    subfolders : mapping of Path to Path
        The folder below `output` for the results of some cases.
    whole_names : frozenset of Path
        Cases whose results have the scan's suffix in their names, see `litemedsam.engine.running.cohort.distinct`.
    formats : FormatChoice
        Chooses the format that reads a case.
    """

    output: Path
    objects: ObjectSource = field(default_factory=StoredBoxes)
    scaling: Scaling | None = None
    time_point: int | None = None
    spacing: Sequence[float] | None = None
    format: Format | None = None
    drawings: tuple[Output, ...] = ()
    existing: Existing = Existing.KEEP
    subfolders: Mapping[Path, Path] = field(default_factory=dict)
    whole_names: frozenset[Path] = frozenset()
    formats: FormatChoice = field(default_factory=AnyFormat)

    def request(self, case: Path) -> Request:
        """The request for one case; raises as `target`."""
        check = partial((self.format or format_of(case)).check_result, self.target(case))
        separate = any(output.separate for output in self.drawings)
        return Request(case, self.objects, self.scaling, self.time_point, self.spacing, self.formats, check, separate)

    def target(self, case: Path) -> Path:
        """The path of a case's label map.

        Raises
        ------
        LiteMedSamError
            When the case cannot be opened or is of no known kind.
        """
        folder = self.output / self.subfolders.get(case, "")
        return folder / result_name(case, self.kind(case), case in self.whole_names)

    def kind(self, case: Path) -> Format:
        """The format of a case's label map; raises as `target`."""
        return self.format or format_of(case)

    def outputs(self, case: Path) -> tuple[Output, ...]:
        """The outputs of a case. The label map comes last, so that a case with a label map is complete.

        Raises
        ------
        LiteMedSamError
            As `target`.
        """
        return (*self.drawings, LabelMap(self.kind(case)))
