"""Finds the cases of a cohort, and gives every result its own path."""

from __future__ import annotations

import glob
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LiteMedSamError
from ..io.dicom.files import holds_dicom
from ..io.formats import has_known_suffix
from ..io.npz import Npz
from ..io.slices import holds_pictures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import Options


class NameClash(LiteMedSamError):
    """Two cases whose results would have the same path."""


class LeftOut:
    """Files and folders in a cohort that are not cases, such as masks and earlier results.

    Parameters
    ----------
    reasons : mapping of Path to str
        For each path, the reason. It ends the note, as in ``since --boxes-from names it``.

    Attributes
    ----------
    met : dict of Path to str
        The paths that were found among the cases, with their reasons.
    """

    def __init__(self, reasons: Mapping[Path, str] | None = None):
        self._reasons = {path.resolve(): reason for path, reason in (reasons or {}).items()}
        self.met: dict[Path, str] = {}

    def holds(self, path: Path) -> bool:
        """Whether a file or folder is left out. If so, it is added to `met`."""
        reason = self._reasons.get(path.resolve())
        if reason is not None:
            self.met[path] = reason
        return reason is not None

    def without(self, found: Mapping[Path, Path]) -> dict[Path, Path]:
        """The cases without those that are left out. A single case always stays, because the user named it."""
        return {path: sub for path, sub in found.items() if len(found) == 1 or not self.holds(path)}

    @property
    def notes(self) -> tuple[str, ...]:
        """One note for the user for each path in `met`."""
        return tuple(f"{path}: left out, {reason}" for path, reason in self.met.items())


def search(folder: Path, stacks: bool = False, left_out: LeftOut | None = None) -> dict[Path, Path]:
    """The scans in a folder and below, in order of their names.

    Parameters
    ----------
    folder : Path
    stacks : bool
        Whether a folder of pictures is one scan, a volume.
    left_out : LeftOut, optional
        Folders that are not searched, and files that are not cases.

    Returns
    -------
    dict of Path to Path
        Each scan's own folder, relative to `folder`. A folder of DICOM files is one scan, and other files
        in it are left out, as hidden ones are; elsewhere files count by their suffix.
    """
    found: dict[Path, Path] = {}
    left_out = left_out or LeftOut()
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(name for name in folders if not (name.startswith(".") or left_out.holds(here / name)))
        if holds_dicom(here) or (stacks and holds_pictures(here)):
            found[here] = Path() if here == folder else here.parent.relative_to(folder)
            files = []
        for name in sorted(files):
            if has_known_suffix(Path(name)) and not name.startswith(".") and not left_out.holds(here / name):
                found[here / name] = here.relative_to(folder)
    return found


def _of_argument(case: Path, stacks: bool, left_out: LeftOut) -> dict[Path, Path]:
    if case.is_dir():
        found = search(case, stacks, left_out)
        if not found:
            raise LiteMedSamError(f"{case}: holds no scans")
        return found
    if not case.exists() and glob.has_magic(str(case)):
        matches = sorted(glob.glob(str(case), recursive=True))
        if not matches:
            raise LiteMedSamError(f"{case}: no file matches this pattern")
        merged: dict[Path, Path] = {}
        for match in matches:
            merged.update(_of_argument(Path(match), stacks, left_out))
        return merged
    return {case: Path()}


def gather(
    cases: tuple[Path, ...], folder: Path | None, stacks: bool = False, left_out: LeftOut | None = None
) -> tuple[list[Path], dict[Path, Path]]:
    """The cases of a command line.

    Parameters
    ----------
    cases : tuple of Path
        Files, folders and patterns; folders are searched, see `search`.
    folder : Path or None
        Instead of `cases`, a folder: its npz files or, if it has none, all scans in it and below.
    stacks, left_out
        See `search`.

    Returns
    -------
    paths : list of Path
    subfolders : dict of Path to Path
        The folder of each case's result, below the output folder.

    Raises
    ------
    LiteMedSamError
        When a folder or a pattern gives no case.
    """
    left_out = left_out or LeftOut()
    if folder is None:
        paths: list[Path] = []
        subfolders: dict[Path, Path] = {}
        for case in cases:
            found = _of_argument(case, stacks, left_out)
            paths += found
            subfolders.update(found)
        kept = left_out.without(subfolders)
        return [path for path in paths if path in kept], kept
    if not folder.is_dir():
        raise LiteMedSamError(f"{folder}: no such folder of cases")
    own = sorted(path for path in folder.iterdir() if path.suffix in Npz.suffixes and not path.name.startswith("."))
    found = left_out.without(dict.fromkeys(own, Path())) or search(folder, stacks, left_out)
    if not found:
        raise LiteMedSamError(f"{folder}: holds no {Npz.suffixes[0]} files and no other scans")
    return list(found), found


def distinct(cases: list[Path], options: Options) -> Options:
    """Options that give every case its own files.

    If two cases would write the same file, their results get the scan's suffix into their names. A label map with the
    scan's own name stays: of ``x.png`` and ``x.jpg``, the second becomes ``x.jpg.png``. If names still clash, all of
    them get the suffix.

    Raises
    ------
    NameClash
        When two scans have the same name.
    """
    for every in (False, True):
        shared = _shared(cases, options)
        if not shared:
            return options
        meeting = {case: _target(case, options) for group in shared.values() for case in group}
        kept = {case for case, target in meeting.items() if target in shared and target.name == case.name}
        renamed = frozenset(meeting) - (frozenset() if every else kept)
        options = replace(options, whole_names=options.whole_names | renamed)
    for path, (first, second, *_) in _shared(cases, options).items():
        # The message gives the usual name, because the user expects that one.
        usual = _target(first, replace(options, whole_names=frozenset())).name or path.name
        raise NameClash(f"{first} and {second} would both become {usual} in the output folder")
    return options


def _target(case: Path, options: Options) -> Path:
    try:
        return options.target(case)
    except LiteMedSamError:
        # The run reports this error at the case's turn.
        return options.output / options.subfolders.get(case, "") / case.name


def _shared(cases: list[Path], options: Options) -> dict[Path, list[Path]]:
    """The files that several cases would write, with these cases."""
    writers: dict[Path, list[Path]] = {}
    for case in cases:
        target = _target(case, options)
        for path in {target, *(output.path(target) for output in options.drawings)}:
            writers.setdefault(path, []).append(case)
    return {path: group for path, group in writers.items() if len(group) > 1}
