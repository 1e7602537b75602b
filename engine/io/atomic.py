"""Files that are either complete or not there."""

import os
from collections.abc import Callable
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                write(file)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise LiteMedSamError(
            f"{path}: cannot be written ({error.strerror or error})", "give a writable output folder with -o"
        ) from error
