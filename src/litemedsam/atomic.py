"""Files that are either complete or not there."""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import LiteMedSamError

try:
    import fcntl
except ModuleNotFoundError:
    # Windows has no such locks; there, what a killed process left stays.
    fcntl = None  # type: ignore[assignment]

# What is being written beside its target, and what was moved aside for it.
_BESIDE = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(part|old)", re.DOTALL)
_REMEDY = "give a writable output folder with -o"


def write_atomically(path: Path, write: Callable[[BinaryIO], object], remedy: str = _REMEDY) -> None:
    """Write beside the target, then rename.

    A link in the target's place is replaced, not followed. Until it is renamed, the file beside is locked: what a
    killed process left is told from what another one is writing by that, see `remove_left_over`.

    Parameters
    ----------
    path : Path
        Its folder is made when absent.
    write : callable
        Given the open binary file.
    remedy : str
        For the error: where else to write.

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
        raise _unwritable(path, error.strerror or error, remedy) from error


@contextmanager
def fill_folder_atomically(folder: Path, remedy: str = _REMEDY) -> Iterator[Path]:
    """Give a new folder beside the target to fill, then rename it; a folder that is there is replaced.

    Python has no call that exchanges two folders, so a former folder is moved aside first. It is moved back when the
    new one cannot take its place. A process that is killed between the two renames leaves the target's name empty and
    the former folder beside it, whole: `remove_left_over` moves it back.

    Parameters
    ----------
    folder : Path
        The folders above it are made when absent.
    remedy : str
        For the error: where else to write.

    Yields
    ------
    Path
        The new folder, empty.

    Raises
    ------
    LiteMedSamError
        When it cannot be written. After any error, what was there before is there still, and nothing else is.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _new_folder_beside(folder) as new:
            yield new
            _replace_folder(folder, new)
    except OSError as error:
        raise _unwritable(folder, error.strerror or error, remedy) from error


def write_folder_atomically(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder that replaces the target; see `fill_folder_atomically`.

    Parameters
    ----------
    folder : Path
    files : mapping of str to bytes
        Contents by name.

    Raises
    ------
    LiteMedSamError
        When it cannot be written.
    """
    with fill_folder_atomically(folder) as new:
        for name, content in files.items():
            (new / name).write_bytes(content)


@contextmanager
def _new_folder_beside(folder: Path) -> Iterator[Path]:
    """A locked folder, which is removed at the end if it was not renamed."""
    while True:
        new = _beside(folder, "part")
        new.mkdir()
        lock = _open_folder(new)
        locked = lock is not None and _locked(lock, wait=True)
        # Another process may have taken it for a left over one before it was locked.
        if not locked or new.is_dir():
            break
        _close(lock)
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)
        _close(lock)


def _replace_folder(folder: Path, new: Path) -> None:
    """Rename the new folder to the target; where that fails, the former one is moved back."""
    former = _beside(folder, "old")
    # Locked, it shows others that its writer is alive while it is aside.
    lock = _open_folder(folder)
    try:
        if lock is not None:
            _locked(lock, wait=True)
        try:
            if os.path.lexists(folder):
                os.replace(folder, former)
            os.replace(new, folder)
        finally:
            _settle(former, folder)
    finally:
        _close(lock)


def _settle(former: Path, folder: Path) -> None:
    """Remove a folder that was moved aside, or move it back where nothing has taken its place."""
    if not os.path.lexists(folder):
        if os.path.lexists(former):
            os.replace(former, folder)
    elif former.is_dir() and not former.is_symlink():
        shutil.rmtree(former, ignore_errors=True)
    else:
        former.unlink(missing_ok=True)


def _beside(path: Path, kind: str) -> Path:
    # Not the process number: it is 1 in every container, and two may write to one folder.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{kind}")


def _open_folder(folder: Path) -> int | None:
    """A descriptor by which a folder can be locked; None where it is gone or the system opens no folders."""
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:
        return None


def _close(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _written(path: Path, write: Callable[[BinaryIO], object]) -> bool:
    """Write and rename; False where the new file was taken for a left over one before it was locked."""
    temporary, lock = _beside(path, "part"), None
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
        _close(lock)
    return True


def _locked(file: BinaryIO | int, wait: bool) -> bool:
    """Lock a file or folder for this process; False where another has it, or where there are no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def remove_left_over(targets: Iterable[Path]) -> None:
    """Remove what killed processes left of files and folders; what another process is writing stays.

    A former folder that a killed process had moved aside is moved back when nothing has taken its place.

    Parameters
    ----------
    targets : iterable of Path
        Files that `write_atomically` and folders that `fill_folder_atomically` may have been writing.
    """
    names: dict[Path, set[str]] = {}
    for target in targets:
        names.setdefault(target.parent, set()).add(target.name)
    for folder, of_targets in names.items():
        try:
            entries = [entry for entry in os.scandir(folder) if not entry.is_symlink()]
        except OSError:
            # Not there yet, or not to be read: then nothing was left in it.
            continue
        for entry in entries:
            match = _BESIDE.fullmatch(entry.name)
            if match and match[1] in of_targets:
                _clear(folder / entry.name, folder / match[1], match[2])


def _clear(path: Path, target: Path, kind: str) -> None:
    """Remove or move back one left over entry, if its writer is dead."""
    lock = _open_folder(path)
    try:
        if kind == "old":
            if not _held_by_another(lock):
                _settle(path, target)
        elif lock is not None and _locked(lock, wait=False):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    except OSError:
        # Another process was faster, or it is not ours to remove.
        return
    finally:
        _close(lock)


def _held_by_another(lock: int | None) -> bool:
    """Whether a living process has locked it; where there are no locks, none is known of.

    Moving a living writer's former folder back makes that writer fail and leaves a whole folder.
    """
    if fcntl is None or lock is None:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


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
        raise _unwritable(folder, error.strerror or error, _REMEDY) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        reason = f"user {os.getuid()} may not" if hasattr(os, "getuid") else "no permission"
        raise _unwritable(folder, reason, _REMEDY)


def _unwritable(path: Path, reason: object, remedy: str) -> LiteMedSamError:
    return LiteMedSamError(f"{path}: cannot be written ({reason})", remedy)
