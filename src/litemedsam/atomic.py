"""Files that are either complete or not there."""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from .errors import LiteMedSamError

try:
    import fcntl
except ModuleNotFoundError:
    # Windows has no such locks; there, what a killed process left stays.
    fcntl = None

_PART = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write beside the target, then rename.

    A link in the target's place is replaced, not followed. Until it is renamed, the file beside is locked: what a
    killed process left is told from what another one is writing by that, see `remove_left_over`.

    Parameters
    ----------
    path : Path
        Its folder is made when absent.
    write : callable
        Given the open binary file.

    Raises
    ------
    LiteMedSamError
        When the folder or the file cannot be written; nothing is left behind then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not _written(path, write):
            pass
    except OSError as error:
        raise _unwritable(path, error.strerror or error) from error


def write_folder_atomically(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder beside the target, then rename it; a folder that is there is replaced.

    Parameters
    ----------
    folder : Path
    files : mapping of str to bytes
        Contents by name.

    Raises
    ------
    LiteMedSamError
        When it cannot be written; nothing is left behind then.
    """
    mark = secrets.token_hex(4)
    temporary, former = (folder.with_name(f".{folder.name}.{mark}.{kind}") for kind in ("part", "old"))
    try:
        try:
            temporary.mkdir(parents=True)
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            if folder.exists():
                os.replace(folder, former)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror or error) from error


def _written(path: Path, write: Callable[[BinaryIO], None]) -> bool:
    """Write and rename; False where the new file was taken for a left over one before it was locked."""
    # Not the process number: it is 1 in every container, and two may write to one folder.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    lock = None
    try:
        with open(temporary, "xb") as file:
            if _locked(file, wait=True) and os.fstat(file.fileno()).st_nlink == 0:
                return False
            write(file)
            # The lock outlives the closing, which may still fail.
            lock = os.dup(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)
    return True


def _locked(file: BinaryIO, wait: bool) -> bool:
    """Lock a file for this process; False where another has it, or where files cannot be locked."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def remove_left_over(targets: Iterable[Path]) -> None:
    """Remove what killed processes left of files; what another process is writing stays.

    Parameters
    ----------
    targets : iterable of Path
        Files that `write_atomically` may have been writing.
    """
    names: dict[Path, set[str]] = {}
    for target in targets:
        names.setdefault(target.parent, set()).add(target.name)
    for folder, of_targets in names.items():
        try:
            entries = [entry.name for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
        except OSError:
            # Not there yet, or not to be read: then nothing was left in it.
            continue
        for name in entries:
            match = _PART.fullmatch(name)
            if match and match[1] in of_targets:
                _remove_unlocked(folder / name)


def _remove_unlocked(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            if _locked(file, wait=False):
                path.unlink()
    except OSError:
        # Another process was faster, or it is not ours to remove.
        return


def make_output_folder(folder: Path) -> None:
    """Make a folder for results where it is absent, and see that files can be made in it.

    Raises
    ------
    LiteMedSamError
        When they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror or error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, f"user {os.getuid()} may not" if hasattr(os, "getuid") else "no permission")


def _unwritable(path: Path, reason: object) -> LiteMedSamError:
    return LiteMedSamError(f"{path}: cannot be written ({reason})", "give a writable output folder with -o")
