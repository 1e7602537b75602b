"""Figures per click as a table, as CSV rows and as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

from .groups import in_order

if TYPE_CHECKING:
    from .evaluate import Failure
    from .interaction import CaseCourses, Course

FORMAT = 1
"""Version of the JSON file's form; a change that breaks readers raises it."""


@dataclass(frozen=True)
class ClickMeans:
    """Means of one group, or over groups.

    Attributes
    ----------
    dsc, nsd : tuple of float
        After the box and after each click.
    """

    dsc: tuple[float, ...]
    nsd: tuple[float, ...]

    @classmethod
    def of(cls, members: Sequence[Course] | Sequence[ClickMeans]) -> ClickMeans:
        """The mean of some courses or means."""
        return cls(
            tuple(map(fmean, zip(*(one.dsc for one in members), strict=True))),
            tuple(map(fmean, zip(*(one.nsd for one in members), strict=True))),
        )


def area(values: Sequence[float]) -> float:
    """The area under the figures of the clicks alone, the box's left out, at unit distance; at most clicks − 1.

    As the CVPR 2025 challenge on interactive segmentation has it: five clicks give at most 4.
    """
    return sum((a + b) / 2 for a, b in pairwise(values[1:]))


def group_means(results: Sequence[CaseCourses]) -> dict[str, ClickMeans]:
    """Means by group: over its cases, a case being the mean over its objects."""
    cases: dict[str, list[ClickMeans]] = {group: [] for group in in_order(each.group for each in results)}
    for each in results:
        cases[each.group].append(ClickMeans.of(list(each.courses.values())))
    return {group: ClickMeans.of(members) for group, members in cases.items()}


def _macro(groups: dict[str, ClickMeans]) -> dict[str, ClickMeans]:
    """Means over the groups of images, of volumes, and over all, where there are any."""
    flat = [means for group, means in groups.items() if not group.endswith(" 3D")]
    deep = [means for group, means in groups.items() if group.endswith(" 3D")]
    rows = {"mean of images": flat, "mean of volumes": deep, "macro mean": [*flat, *deep]}
    return {name: ClickMeans.of(members) for name, members in rows.items() if members}


def seconds_per_click(results: Sequence[CaseCourses]) -> float:
    """The median over all clicks."""
    return median(taken for each in results for one in each.courses.values() for taken in one.seconds)


def as_table(results: Sequence[CaseCourses]) -> str:
    """The means as text for a terminal: in percent after the box and after each click, and areas."""
    groups = group_means(results)
    rows = {**groups, **_macro(groups)}
    wide = max(map(len, rows))
    lines = []
    for figure in ("dsc", "nsd"):
        clicks = range(1, len(next(iter(rows.values())).dsc))
        titles = "".join(f" {'click ' + str(k):>8}" for k in clicks)
        lines.append(f"{figure.upper():{wide}} {'box':>8}{titles} {'area':>8}")
        for name, means in rows.items():
            values = getattr(means, figure)
            shown = "".join(f" {100 * value:8.2f}" for value in values)
            lines.append(f"{name:{wide}}{shown} {area(values):8.4f}")
    lines.append(f"seconds per click, median: {seconds_per_click(results):.3f}")
    return "\n".join(lines)


def as_csv(results: Sequence[CaseCourses]) -> str:
    """One row per case, object and step, with a header; step 0 is the box."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", "group", "label", "clicks", "dsc", "nsd", "seconds"])
    for each in results:
        for label, one in each.courses.items():
            for step, (dsc, nsd, seconds) in enumerate(zip(one.dsc, one.nsd, ("", *one.seconds), strict=True)):
                writer.writerow([each.name, each.group, label, step, dsc, nsd, seconds])
    return text.getvalue()


def as_json(results: Sequence[CaseCourses], failures: Sequence[Failure], version: str) -> str:
    """All figures, means and failures as JSON.

    Parameters
    ----------
    results : sequence of CaseCourses
    failures : sequence of Failure
    version : str
        Of this package.
    """
    groups = group_means(results)
    means = {
        name: {**vars(found), "dsc_area": area(found.dsc), "nsd_area": area(found.nsd)}
        for name, found in {**groups, **_macro(groups)}.items()
    }
    document = {
        "format": FORMAT,
        "version": version,
        "seconds_per_click": seconds_per_click(results) if results else None,
        "means": means,
        "cases": [
            {
                "name": each.name,
                "group": each.group,
                "objects": [{"label": label, **vars(one)} for label, one in each.courses.items()],
            }
            for each in results
        ],
        "failures": [vars(failure) for failure in failures],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
