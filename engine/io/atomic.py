"""Files that are either complete or not there."""

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from ...errors import LiteMedSamError


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write beside the target, then rename.

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
    # Not the process number: it is 1 in every container, and two may write to one folder.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                write(file)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
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
