"""Writes a run as a self-contained HTML page: pictures, volumes, timings, the model and the settings."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic import write_atomically
from ...errors import readable
from ..scan.colours import colour

if TYPE_CHECKING:
    from .case_report import CaseReport
    from .run_info import RunInfo

# The start of every page.
PAGE_HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>litemedsam</title>'
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;margin:.5rem 0}
td,th{border:1px solid #c9d1d9;padding:.2rem .6rem;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
img{max-width:100%;background:#000}
.error{color:#a40e26}
.c{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border:1px solid #555}
dt{font-weight:600}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#30363d}.error{color:#ff7b72}}
"""


# The settings of a run that the model card shows.
_CARD = {
    "model": "model",
    "model_description": "weights",
    "weights_sha256": "SHA-256 of the checkpoint",
    "weights_storage": "stored in precision",
    "precision": "computed in",
    "bundle": "bundle",
}
_LIMITS = (
    ("for", "masks of what lies in a user's boxes, on images and volumes of any modality"),
    ("not for", "diagnosis or treatment; finding objects without a box"),
    (
        "known limits",
        "small parts of large slices are lost; volumes go slice by slice; the predicted IoU is the model's guess",
    ),
)


def _table(rows: list[tuple[str, ...]], head: tuple[str, ...] = (), marks: list[str] | None = None) -> str:
    """A table of texts; `marks` are pieces of HTML, one before each row's first text."""
    lines = ["<table>"]
    if head:
        lines.append("<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>")
    for mark, row in zip(marks or [""] * len(rows), rows, strict=True):
        lines.append("<tr>" + _cell(row[0], mark) + "".join(map(_cell, row[1:])) + "</tr>")
    return "\n".join([*lines, "</table>"])


def _cell(text: str, mark: str = "") -> str:
    kind = ' class="n"' if _is_number(text) else ""
    return f"<td{kind}>{mark}{escape(text)}</td>"


def _objects(case: CaseReport) -> str:
    size, sizes = "", [""] * case.objects
    if case.volumes_ml:
        size, sizes = "volume in ml", [f"{value:g}" for value in case.volumes_ml]
    elif case.areas_mm2:
        size, sizes = "area in mm²", [f"{value:g}" for value in case.areas_mm2]
    head = ("object", "name", "pixels" if len(case.shape) == 2 else "voxels", size, "predicted IoU", "box", "state")
    rows = [
        (
            str(case.numbers[k]),
            case.names[k],
            str(case.voxels[k]),
            sizes[k],
            f"{case.scores[k]:g}",
            ", ".join(f"{value:g}" for value in case.boxes[k]),
            case.states[k] if case.states else "",
        )
        for k in range(case.objects)
    ]
    # A column that says nothing is left out.
    kept = [k for k in range(len(head)) if any(row[k] for row in rows)]
    swatches = [f'<span class="c" style="background:#{bytes(colour(k + 1)).hex()}"></span>' for k in range(len(rows))]
    return _table([tuple(row[k] for k in kept) for row in rows], tuple(head[k] for k in kept), swatches)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit()


def _section(case: CaseReport, picture: bytes | None) -> str:
    parts = [f"<h2>{escape(case.case)}</h2>"]
    if case.error:
        return "\n".join([*parts, f'<p class="error">{escape(case.error)}</p>'])
    parts += [f"<p>{escape(note)}</p>" for note in case.notes]
    parts.append(_objects(case))
    if picture is not None:
        data = base64.b64encode(picture).decode()
        parts.append(f'<img alt="Masks and boxes over the scan" src="data:image/png;base64,{data}">')
    seconds = ", ".join(f"{name} {value:.3f}" for name, value in case.seconds.items())
    shape = " × ".join(str(n) for n in case.shape)
    parts.append(f"<p>{escape(case.output)} · {shape} · {case.encoded} encoded · seconds: {escape(seconds)}</p>")
    return "\n".join(parts)


def page(info: RunInfo, cases: Sequence[CaseReport], pictures: Mapping[str, bytes]) -> str:
    """The page of a run.

    Parameters
    ----------
    info : RunInfo
    cases : sequence of CaseReport
    pictures : mapping of str to bytes
        PNG files by the cases' names.

    Returns
    -------
    str
        HTML with everything in it; nothing is fetched when it is opened.
    """
    failed = sum(bool(case.error) for case in cases)
    settings = asdict(info)
    card = {text: str(settings[key]) for key, text in _CARD.items() if settings[key] != ""}
    others = {key: value for key, value in settings.items() if key not in _CARD}
    sections = (_section(case, pictures.get(case.case)) for case in cases)
    return "\n".join(
        [
            PAGE_HEAD,
            f"<style>{_STYLE}</style></head><body>",
            "<h1>litemedsam</h1>",
            f"<p>{len(cases) - failed} of {len(cases)} segmented, {failed} failed. Not for clinical use.</p>",
            *sections,
            "<h2>Model card</h2>",
            _table([*card.items(), *_LIMITS]),
            "<h2>Settings</h2>",
            _table([(key, str(value)) for key, value in others.items()]),
            "</body></html>\n",
        ]
    )


def write_page(path: Path, info: RunInfo, cases: Sequence[CaseReport], pictures: Mapping[str, bytes]) -> None:
    """Write `page`; see `write_atomically`."""
    text = readable(page(info, cases, pictures))
    write_atomically(path, lambda file: file.write(text.encode()))
