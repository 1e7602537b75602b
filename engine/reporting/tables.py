"""A run as JSON and as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic import write_atomically
from ...errors import readable

if TYPE_CHECKING:
    from .case_report import CaseReport
    from .run_info import RunInfo


def write_report(path: Path, info: RunInfo, cases: Sequence[CaseReport]) -> None:
    """Write a run's report; see `write_atomically`."""
    content = _readable({"run": asdict(info), "cases": [asdict(case) for case in cases]})
    text = json.dumps(content, indent=2, ensure_ascii=False)
    write_atomically(path, lambda file: file.write(text.encode() + b"\n"))


def _readable(value: Any) -> Any:
    """Plain containers whose texts can all be encoded; see `readable`."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    return [_readable(each) for each in value] if isinstance(value, list) else value


_COLUMNS = ("case", "output", "object", "name", "voxels", "volume_ml", "area_mm2", "score", "box", "state", "error")


def write_table(path: Path, cases: Sequence[CaseReport]) -> None:
    """Write one line per object as CSV, and one per failed case; see `write_atomically`."""
    text = StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for case in cases:
        if case.error:
            table.writerow([case.case, *[""] * (len(_COLUMNS) - 2), case.error])
        for k in range(case.objects):
            table.writerow(
                [
                    case.case,
                    case.output,
                    case.numbers[k],
                    case.names[k],
                    case.voxels[k],
                    case.volumes_ml[k] if case.volumes_ml else "",
                    case.areas_mm2[k] if case.areas_mm2 else "",
                    case.scores[k],
                    " ".join(f"{value:g}" for value in case.boxes[k]),
                    case.states[k] if case.states else "",
                    "",
                ]
            )
    write_atomically(path, lambda file: file.write(readable(text.getvalue()).encode()))
