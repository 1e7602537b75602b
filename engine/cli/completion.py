"""What earlier runs did of a cohort: cases without a result, and records of parts put together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ...errors import readable
from ..running.merging import merged
from ..running.run import has_result
from .invocation import check_outputs

if TYPE_CHECKING:
    from .selection import Selection


def list_missing(selection: Selection, quiet: bool) -> bool:
    """Print the cases without a result, one a line, then how many they are; whether there are none.

    Parameters
    ----------
    selection : Selection
    quiet : bool
        Whether the last line is left out.
    """
    cases = selection.cases
    missing = [case for case in cases if not has_result(case, selection.options)]
    for case in missing:
        click.echo(readable(str(case)))
    if not quiet:
        whole = "" if selection.part.whole else f"{selection.part}: "
        click.echo(f"{whole}{len(cases) - len(missing)} of {len(cases)} cases have a result, {len(missing)} missing")
    return not missing


def merge_records(given: Mapping[str, Any], selection: Selection) -> bool:
    """Write the records of the whole cohort from those of its parts; whether all cases have a result.

    Parameters
    ----------
    given : mapping of str to object
        The command's parameters by name.
    selection : Selection

    Raises
    ------
    LiteMedSamError
        See `litemedsam.engine.running.merging.merged`; and when a record cannot be written.
    """
    records, options, cases = selection.records, selection.options, selection.cohort
    check_outputs(given, selection, records)
    found = merged(records, cases, partial(has_result, options=options))
    found.write(records, cases)
    recorded = {report.case for report in found.reports}
    unrecorded = [case for case in cases if readable(str(case)) not in recorded]
    missing = [case for case in unrecorded if not has_result(case, options)]
    failed = [report for report in found.reports if report.error]
    for report in failed:
        click.echo(readable(f"Error: {report.error}"), err=True)
    for case in missing:
        click.echo(readable(f"Error: {case}: has no result, and no part reports it"), err=True)
    if not given["quiet"]:
        for note in (*selection.notes, *found.notes):
            click.echo(readable(f"Note: {note}"))
        counts = [f"{len(failed)} failed", f"{len(missing)} missing"]
        counts += [f"{lost} with a result but no record"] if (lost := len(unrecorded) - len(missing)) else []
        click.echo(f"{len(recorded) - len(failed)} of {len(cases)} segmented, {', '.join(counts)}")
    return not failed and not missing
