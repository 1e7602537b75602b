"""What an earlier run noted, so that a run that is continued records all its cases."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from io import StringIO
from pathlib import Path

from ...errors import LiteMedSamError, readable
from ..reporting.case_report import CaseReport
from ..reporting.run_info import RunInfo

# Columns that every table has.
_KEYS = {"case", "output", "object", "error"}


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, "report") from error


def _unusable(path: Path, what: str) -> LiteMedSamError:
    return LiteMedSamError(f"{path}: exists and is no {what} of an earlier run", "give another name, or remove it")


def read_report(path: Path) -> list[CaseReport]:
    """The cases of a report that `write_report` wrote; none where there is no such file.

    Raises
    ------
    LiteMedSamError
        When the file is something else.
    """
    text = _content(path)
    if text is None:
        return []
    known = {field.name for field in fields(CaseReport)}
    try:
        return [CaseReport(**{key: case[key] for key in known & case.keys()}) for case in json.loads(text)["cases"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unusable(path, "report") from error


def read_run(path: Path) -> RunInfo | None:
    """The versions and settings in a report that `write_report` wrote; raises as `read_report`."""
    text = _content(path)
    if text is None:
        return None
    try:
        return RunInfo(**json.loads(text)["run"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unusable(path, "report") from error


def read_table(path: Path) -> list[CaseReport]:
    """The cases of a table that `write_table` wrote; it has no shapes, notes and seconds.

    Raises
    ------
    LiteMedSamError
        When the file is something else.
    """
    text = _content(path)
    if text is None:
        return []
    cases: dict[str, list[dict[str, str]]] = {}
    try:
        rows = csv.DictReader(StringIO(text, newline=""))
        if text and not set(rows.fieldnames or ()) >= _KEYS:
            raise _unusable(path, "table")
        for row in rows:
            cases.setdefault(row["case"], []).append(row)
        return [_case(rows) for rows in cases.values()]
    except (ValueError, TypeError, KeyError, AttributeError, csv.Error) as error:
        raise _unusable(path, "table") from error


def check_page(path: Path) -> None:
    """Refuse an existing file that `litemedsam.engine.reporting.html.write_page` did not write.

    Raises
    ------
    LiteMedSamError
    """
    text = _content(path)
    if text is None:
        return
    from ..reporting.html import PAGE_HEAD

    if not text.startswith(PAGE_HEAD):
        raise _unusable(path, "page")


def _case(rows: list[dict[str, str]]) -> CaseReport:
    first = rows[0]
    if first["error"]:
        return CaseReport(case=first["case"], error=first["error"])
    return CaseReport(
        case=first["case"],
        output=first["output"],
        objects=len(rows),
        scores=[float(row["score"]) for row in rows],
        voxels=[int(row["voxels"]) for row in rows],
        names=[row["name"] for row in rows],
        labels=[int(row["object"]) for row in rows],
        states=[row.get("state") or "" for row in rows],
        volumes_ml=[float(row["volume_ml"]) for row in rows if row["volume_ml"]],
        areas_mm2=[float(row["area_mm2"]) for row in rows if row["area_mm2"]],
        boxes=[[float(value) for value in row["box"].split()] for row in rows],
    )


def with_earlier(
    paths: Sequence[Path], reports: Iterable[CaseReport], earlier: Iterable[CaseReport]
) -> list[CaseReport]:
    """The reports of a run in the order of `paths`; where it has none, the earlier ones of cases that went well."""
    # Records hold names in their readable form.
    found = {readable(case.case): case for case in earlier if not case.error}
    found.update((readable(case.case), case) for case in reports)
    names = (readable(str(path)) for path in paths)
    return [found[name] for name in names if name in found]
