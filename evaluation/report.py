"""Averages figures over groups, and writes them as a table, as CSV and as JSON."""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from .evaluate import CaseResult, Failure
from .figures import CaseFigures
from .groups import in_order

FORMAT = 1
"""Version of the JSON form. A change that breaks readers increases it."""


@dataclass(frozen=True)
class Mean:
    """Mean figures of one method, set of figures and group.

    Attributes
    ----------
    dsc, nsd : float
        In [0, 1], or NaN if no case has a figure.
    undefined : int
        The number of cases without a DSC; the mean leaves them out.
    """

    dsc: float
    nsd: float
    undefined: int


@dataclass(frozen=True)
class Summary:
    """Means of all groups.

    Attributes
    ----------
    cases, objects : dict
        Group to the number of its cases, and to the number of objects in its ground truths.
    groups : dict
        Method to the name of a metric set to group to `Mean`: the mean over the group's cases, a case being the mean
        over its objects.
    macro : dict
        Method to the name of a metric set to `Mean`: the mean over the groups.
    """

    cases: dict[str, int]
    objects: dict[str, int]
    groups: dict[str, dict[str, dict[str, Mean]]]
    macro: dict[str, dict[str, Mean]]


def summarise(results: Sequence[CaseResult]) -> Summary:
    """Means over cases, groups and all.

    Parameters
    ----------
    results : sequence of CaseResult
        All with the same methods and sets.

    Returns
    -------
    Summary
    """
    by_group = {group: [r for r in results if r.group == group] for group in in_order(r.group for r in results)}
    groups: dict[str, dict[str, dict[str, Mean]]] = {}
    macro: dict[str, dict[str, Mean]] = {}
    for method, sets in results[0].figures.items() if results else ():
        groups[method], macro[method] = {}, {}
        for which in sets:
            means = {g: _mean([r.figures[method][which] for r in rs]) for g, rs in by_group.items()}
            groups[method][which] = means
            macro[method][which] = _mean(list(means.values()))
    return Summary(
        {g: len(rs) for g, rs in by_group.items()},
        {g: sum(r.objects for r in rs) for g, rs in by_group.items()},
        groups,
        macro,
    )


def _mean(figures: Sequence[CaseFigures] | Sequence[Mean]) -> Mean:
    dsc = [f.dsc for f in figures if not math.isnan(f.dsc)]
    nsd = [f.nsd for f in figures if not math.isnan(f.nsd)]
    return Mean(
        sum(dsc) / len(dsc) if dsc else math.nan, sum(nsd) / len(nsd) if nsd else math.nan, len(figures) - len(dsc)
    )


def as_table(summary: Summary) -> str:
    """The means as text for a terminal.

    Parameters
    ----------
    summary : Summary

    Returns
    -------
    str
        Lines without a last line break: one per group and method, the macro means last.
    """
    methods = list(summary.groups)
    sets = list(next(iter(summary.groups.values()), {}))
    wide = max(map(len, [*summary.cases, "macro mean"]))
    broad = max(map(len, [*methods, "method"]))
    titles = "".join(f"  {which:^13}" for which in sets)
    lines = [
        f"{'':{wide}}  {'':5}  {'':7}  {'':{broad}}{titles}".rstrip(),
        f"{'group':{wide}}  cases  objects  {'method':{broad}}" + f"  {'DSC':>6} {'NSD':>6}" * len(sets),
    ]
    undefined = 0
    for group in summary.cases:
        for k, method in enumerate(methods):
            means = [summary.groups[method][which][group] for which in sets]
            undefined += sum(m.undefined for m in means)
            head = (group, summary.cases[group], summary.objects[group]) if k == 0 else ("", "", "")
            lines.append(_line(head, method, means, wide, broad))
    for k, method in enumerate(methods):
        means = [summary.macro[method][which] for which in sets]
        head = ("macro mean", sum(summary.cases.values()), sum(summary.objects.values())) if k == 0 else ("", "", "")
        lines.append(_line(head, method, means, wide, broad))
    if undefined:
        lines.append(f"{undefined} figures are undefined (NaN) and left out of the means of DSC")
    return "\n".join(lines)


def _line(head: tuple[object, object, object], method: str, means: Sequence[Mean], wide: int, broad: int) -> str:
    group, cases, objects = head
    numbers = "".join(f"  {m.dsc:6.4f} {m.nsd:6.4f}" for m in means)
    return f"{group:{wide}}  {cases:>5}  {objects:>7}  {method:{broad}}{numbers}"


def as_csv(results: Sequence[CaseResult]) -> str:
    """One row per case, method and object.

    Parameters
    ----------
    results : sequence of CaseResult

    Returns
    -------
    str
        With a header; figures at full precision, "nan" where undefined, empty where a set does not count an object.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    sets = list(next(iter(results[0].figures.values()), {})) if results else []
    writer.writerow(["case", "group", "method", "label", *(f"{s}_{f}" for s in sets for f in ("dsc", "nsd"))])
    for result in results:
        for method, figures in result.figures.items():
            tables = [{o.label: (o.dsc, o.nsd) for o in figures[which].objects} for which in sets]
            for label in sorted(set().union(*tables)):
                numbers = [number for table in tables for number in table.get(label, ("", ""))]
                writer.writerow([result.name, result.group, method, label, *numbers])
    return text.getvalue()


def as_json(summary: Summary, results: Sequence[CaseResult], failures: Sequence[Failure], version: str) -> str:
    """All figures, means and failures as JSON.

    Parameters
    ----------
    summary : Summary
    results : sequence of CaseResult
    failures : sequence of Failure
    version : str
        Of this package.

    Returns
    -------
    str
        JSON with null where a figure is undefined.
    """
    document = {
        "format": FORMAT,
        "version": version,
        "groups": {g: {"cases": n, "objects": summary.objects[g]} for g, n in summary.cases.items()},
        "means": {
            method: {
                which: {"macro": vars(summary.macro[method][which]), "groups": {g: vars(m) for g, m in groups.items()}}
                for which, groups in sets.items()
            }
            for method, sets in summary.groups.items()
        },
        "cases": [
            {
                "name": r.name,
                "group": r.group,
                "shape": list(r.shape),
                "spacing": None if r.spacing is None else list(r.spacing),
                "figures": {
                    method: {
                        which: {"dsc": f.dsc, "nsd": f.nsd, "objects": [vars(o) for o in f.objects]}
                        for which, f in sets.items()
                    }
                    for method, sets in r.figures.items()
                },
            }
            for r in results
        ],
        "failures": [vars(f) for f in failures],
    }
    return json.dumps(_without_nan(document), indent=1, allow_nan=False) + "\n"


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
