"""Turns a scan's file into masks. Python, the command, its workers and the server all use this function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..case import COVERED, EMPTY, label_dtype
from ..inference.mask_sinks import SeparateMasks
from ..io.format_choice import AnyFormat, FormatChoice
from ..objects.prepare import Prepared, prepare
from ..objects.sources import ObjectSource, StoredBoxes
from ..objects.user_prompts import user_corrections, user_prompts
from ..scan.scan import Scan, with_spacing
from ..system.stopwatch import Stopwatch

if TYPE_CHECKING:
    from ..case import Segmentation
    from ..inference.case_segmenter import Progress
    from ..objects.objects import Objects
    from ..predictor import Predictor
    from ..scan.intensity import Scaling

# The most objects that one note lists.
_LISTED = 10


@dataclass(frozen=True)
class Request:
    """How to read one scan, and what to segment in it.

    Attributes
    ----------
    path : Path
        A file of a supported format, or the folder of a series.
    objects : ObjectSource
        Says what to segment; the boxes in the file by default.
    scaling : Scaling or None
        Turns intensities into pixels; the usual scaling of the scan when None.
    time_point : int or None
        Of a series of volumes, from 0.
    spacing : sequence of float or None
        For scans whose files hold none, see `litemedsam.engine.scan.scan.with_spacing`.
    formats : FormatChoice
        Chooses the format that reads the file.
    check : callable or None
        Called with the scan and the names of its objects; raises if the result cannot be written.
    separate : bool
        Whether each object's mask is also kept by itself.
    """

    path: Path
    objects: ObjectSource = field(default_factory=StoredBoxes)
    scaling: Scaling | None = None
    time_point: int | None = None
    spacing: Sequence[float] | None = None
    formats: FormatChoice = field(default_factory=AnyFormat)
    check: Callable[[Scan, Sequence[str]], None] | None = None
    separate: bool = False

    def read(self) -> Scan:
        """The scan.

        Raises
        ------
        LiteMedSamError
            When it cannot be read, or `formats` does not allow its format.
        """
        return with_spacing(self.formats.of(self.path).read(self.path, self.time_point), self.spacing)


@dataclass(frozen=True)
class SegmentedScan:
    """A scan and the masks of its objects.

    Attributes
    ----------
    scan : Scan
    prepared : Prepared
        The scan and its objects as the model saw them.
    result : Segmentation
        The masks as the model saw them.
    separate : SeparateMasks or None
        Each object's mask by itself, if requested.
    """

    scan: Scan
    prepared: Prepared
    result: Segmentation
    separate: SeparateMasks | None = None

    @cached_property
    def numbered(self) -> np.ndarray:
        """(H, W) or (D, H, W) on the file's own grid, 0 for background and k + 1 for object k."""
        return self.prepared.restore(self.result.labels)

    @cached_property
    def labels(self) -> np.ndarray:
        """(H, W) or (D, H, W) on the file's own grid, 0 for background, else one of `values`."""
        if self.values == tuple(range(1, len(self.values) + 1)):
            return self.numbered
        table = np.array((0, *self.values), label_dtype(max(self.values)))
        return np.take(table, self.numbered)

    @property
    def values(self) -> tuple[int, ...]:
        """The label of each object; see `Objects.values`."""
        return self.prepared.objects.values

    @property
    def names(self) -> tuple[str, ...]:
        """One per object, empty where it has none."""
        return self.prepared.objects.names

    def mask(self, k: int) -> np.ndarray:
        """The mask of object k from 0: bool on the file's grid, with covered parts if masks are separate."""
        if self.separate is None:
            found: np.ndarray = self.numbered == k + 1
            return found
        mask: np.ndarray = self.separate.mask(k + 1, self.prepared.case.grid)
        return self.prepared.restore(mask)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user: decisions, and objects that the label map does not show."""
        name, states = self.prepared.case.name, self.result.states
        hidden = {EMPTY: "came out empty", COVERED: "wholly covered by objects with higher numbers"}
        found = {state: [k for k, own in enumerate(states) if own == state] for state in hidden}
        lost = tuple(f"{name}: {self._listed(found[state])} {what}" for state, what in hidden.items() if found[state])
        return (*self.prepared.notes, *lost)

    def _listed(self, objects: Sequence[int]) -> str:
        """Some objects by their labels and names, such as ``objects 2 (liver) and 5``."""
        shown = []
        for k in objects[:_LISTED]:
            value, name = str(self.values[k]), self.names[k]
            shown.append(value if name in ("", value) else f"{value} ({name})")
        more = [f"{len(objects) - _LISTED} more"] if len(objects) > _LISTED else []
        *first, last = [*shown, *more]
        return f"objects {', '.join(first)} and {last}" if first else f"object {last}"


def _of_known_kind(scan: Scan, objects: Objects) -> Scan:
    """A scan that says whether it is a volume; an npz file leaves that to the boxes."""
    return scan if scan.is_volume is not None else replace(scan, is_volume=objects.boxes.shape[1] == 6)


def segment_file(
    predictor: Predictor, request: Request, progress: Progress | None = None, watch: Stopwatch | None = None
) -> SegmentedScan:
    """Read a scan, find its objects, and segment them.

    Parameters
    ----------
    predictor : Predictor
    request : Request
    progress : callable, optional
        Called with (done, total) steps; may raise to cancel.
    watch : Stopwatch, optional
        Gets the stage ``read``.

    Returns
    -------
    SegmentedScan

    Raises
    ------
    LiteMedSamError
        When a file cannot be read, or boxes or settings are invalid.
    """
    with (watch or Stopwatch()).stage("read"):
        scan = request.read()
        objects = request.objects.objects(request.path, scan)
        if request.check is not None:
            request.check(_of_known_kind(scan, objects), objects.names)
        prepared = prepare(scan, objects, request.scaling)
    info = predictor.network.info
    prompts, corrections = user_prompts(prepared, predictor.prompts, info), user_corrections(prepared, info)
    separate = SeparateMasks() if request.separate else None
    result = predictor.segment_case(prepared.case, progress, prompts, separate, corrections)
    return SegmentedScan(scan, prepared.found(result.boxes), result, separate)
