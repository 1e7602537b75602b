"""A run over many cases, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .case_report import CaseReport

# Nobody reads more lines than this; --csv contains all of them.
_LINES = 40
_HEAD = ("case", "objects", "size", "IoU", "seconds")


def _size(case: CaseReport) -> str:
    if case.volumes_ml:
        return f"{_shortened(sum(case.volumes_ml), 2)} ml"
    if case.areas_mm2:
        return f"{_shortened(sum(case.areas_mm2), 0)} mm²"
    return f"{sum(case.voxels)} px"


def _shortened(size: float, decimals: int) -> str:
    """A size with some decimals, or with two digits if it is small."""
    return f"{size:.{decimals}f}" if size == 0 or size >= 10.0 ** (1 - decimals) else f"{size:.2g}"


def _row(case: CaseReport) -> tuple[str, ...]:
    if case.error:
        return case.case, "failed", "", "", ""
    score = sum(case.scores) / len(case.scores)
    lost = sum(bool(state) for state in case.states)
    objects = f"{case.objects} ({lost} not seen)" if lost else str(case.objects)
    return case.case, objects, _size(case), f"{score:.2f}", f"{case.seconds['total']:.2f}"


def _shared(paths: list[Path]) -> str:
    """The folder that contains all cases. The table leaves it out."""
    common = set(paths[0].parents).intersection(*(path.parents for path in paths))
    deepest = str(max(common, key=lambda folder: len(folder.parts), default=Path()))
    return "" if deepest in (".", "/") else deepest + "/"


def summary(paths: list[Path], reports: list[CaseReport], skipped: Iterable[Path]) -> str:
    """The table of a run: objects, their size together, mean predicted IoU and seconds of each case, then the counts.

    Parameters
    ----------
    paths : list of Path
        All cases, at least one.
    reports : list of CaseReport
        Of those that were not skipped.
    skipped : iterable of Path

    Returns
    -------
    str
        Lines. The table is left out for more than forty cases; the failed cases come last, with their full names.
    """
    aside = {str(path) for path in skipped}
    prefix = _shared(paths)
    done = {case.case: _row(case) for case in reports}
    rows = [done.get(str(path), (str(path), "skipped" if str(path) in aside else "", "", "", "")) for path in paths]
    lines = []
    if len(rows) <= _LINES:
        shown = [_HEAD, *((row[0].removeprefix(prefix), *row[1:]) for row in rows)]
        widths = [max(len(row[k]) for row in shown) for k in range(len(_HEAD))]
        for row in shown:
            cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
            lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    failed = [case for case in reports if case.error]
    left_out = f", {len(aside)} skipped" if aside else ""
    lines.append(f"{len(reports) - len(failed)} of {len(reports)} segmented, {len(failed)} failed{left_out}")
    return "\n".join([*lines, *(f"  {case.case}" for case in failed)])
