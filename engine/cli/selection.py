"""The cases that a command line names, and what is asked of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.format_choice import format_choice
from ..io.formats import FORMATS
from ..objects.sources import GivenBoxes, ObjectSource, StoredBoxes
from ..running.cohort import LeftOut, distinct, gather
from ..running.options import Existing, Options
from ..running.outputs import Film, MaskFolder, Output, Picture
from ..running.records import Records
from ..scan.intensity import scaling_named

if TYPE_CHECKING:
    from ..running.parts import Part


def _objects(given: Mapping[str, Any]) -> ObjectSource:
    # Each source is imported where it is asked for, so that a short run starts sooner.
    world = given["box_space"] == "world"
    source: ObjectSource = StoredBoxes()
    if given["boxes"]:
        source = GivenBoxes(given["boxes"], world, given["slice_index"], given["extend"])
    elif given["boxes_file"] is not None:
        from ..objects.json_file import BoxesFile

        source = BoxesFile(given["boxes_file"], world)
    elif given["mask"] is not None:
        from ..objects.masks import MaskBoxes

        source = MaskBoxes(given["mask"], given["pieces"], given["margin"])
    if given["clip"]:
        from ..objects.clipped import ClippedBoxes

        source = ClippedBoxes(source)
    if given["scribbles"] is not None:
        from ..objects.masks import WithScribbles

        source = WithScribbles(source, given["scribbles"])
    return source


def _options(given: Mapping[str, Any], subfolders: Mapping[Path, Path]) -> Options:
    overlay, existing = given["overlay"], Existing.KEEP
    if given["overwrite"] or given["skip_existing"]:
        existing = Existing.REPLACE if given["overwrite"] else Existing.SKIP
    drawn = overlay is not None or given["page"] is not None
    kind = None if given["format_name"] is None else FORMATS[given["format_name"]]
    drawings: list[Output] = [Picture()] if drawn else []
    drawings += [Film(overlay)] if overlay in ("gif", "mp4") else []
    drawings += [MaskFolder()] if given["separate"] else []
    return Options(
        given["output"],
        _objects(given),
        None if given["window"] is None else scaling_named(given["window"]),
        given["time_point"],
        given["spacing"],
        kind,
        tuple(drawings),
        existing,
        subfolders,
        formats=format_choice(given["series"], given["allow_uneven"]),
    )


def _left_out(given: Mapping[str, Any]) -> LeftOut:
    """What lies in a searched folder and is no case: results, and what the objects are taken from."""
    options = {"boxes_file": "--boxes", "mask": "--boxes-from", "scribbles": "--scribbles"}
    named = {given[name]: f"since {option} names it" for name, option in options.items() if given[name] is not None}
    return LeftOut({given["output"]: "since results go there", **named})


@dataclass(frozen=True)
class Selection:
    """The cases of a cohort, those of them that this call takes, and what is asked of each.

    Attributes
    ----------
    cohort : list of Path
        All cases.
    part : Part
        Decides which cases this call takes.
    options : Options
        The same for every part.
    records : Records
        Of the whole cohort.
    notes : tuple of str
        About the choice of cases.
    """

    cohort: list[Path]
    part: Part
    options: Options
    records: Records
    notes: tuple[str, ...]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Selection:
        """The selection that some options ask for.

        Parameters
        ----------
        given : mapping of str to object
            The command's parameters by name, checked by `litemedsam.engine.cli.usage.check_usage`.

        Raises
        ------
        LiteMedSamError
            When a folder or a pattern gives no case, or two cases would have the same result.
        """
        left_out = _left_out(given)
        cohort, subfolders = gather(given["cases"], given["folder"], given["stack"], left_out)
        # Before the parts are chosen: the name of a result must not depend on the part.
        options = distinct(cohort, _options(given, subfolders))
        records = Records(given["report"], given["table"], given["page"])
        return cls(cohort, given["part"], options, records, left_out.notes)

    @property
    def cases(self) -> list[Path]:
        """The cases of this part."""
        if self.part.whole:
            return self.cohort
        return [case for case in self.cohort if self.part.holds(self.options.subfolders.get(case, Path()) / case.name)]
