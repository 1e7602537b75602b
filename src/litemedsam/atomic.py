"""Writes files and folders that are either complete or absent."""

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
    # Windows has no such locks, so leftovers of killed processes are not removed there.
    fcntl = None  # type: ignore[assignment]

# Names beside a target: `part` is being written, `old` was moved aside.
_BESIDE = re.compile(r"\.(.+)\.[0-9a-f]{8}\.(part|old)", re.DOTALL)
_REMEDY = "give a writable output folder with -o"


def write_atomically(path: Path, write: Callable[[BinaryIO], object], remedy: str = _REMEDY) -> None:
    """Write a file beside the target, bring it to the disk, then rename it.

    A link in the target's place is replaced, not followed. The file stays locked until it is renamed. The lock shows
    `remove_left_over` that its writer is alive; a killed process leaves a file without a lock.

    Parameters
    ----------
    path : Path
        The target; its folder is made if it is absent.
    write : callable
        Called with the open binary file.
    remedy : str
        For the error: another place to write.

    Raises
    ------
    LiteMedSamError
        When the folder or the file cannot be written. Nothing is left behind then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not _written(path, write):
            pass
    except OSError as error:
        raise _unwritable(path, error.strerror or error, remedy) from error


@contextmanager
def fill_folder_atomically(folder: Path, remedy: str = _REMEDY) -> Iterator[Path]:
    """Yield a new folder beside the target to fill, then rename it to the target; an existing folder is replaced.

    Python has no call that exchanges two folders, so the former folder is moved aside first. It is moved back if the
    new folder cannot take its place. A process killed between the two renames leaves no target, but the whole former
    folder beside it; `remove_left_over` moves it back.

    Parameters
    ----------
    folder : Path
        The target; the folders above it are made if they are absent.
    remedy : str
        For the error: another place to write.

    Yields
    ------
    Path
        The new folder, empty.

    Raises
    ------
    LiteMedSamError
        When the folder cannot be written. After any error, the former folder is in its place, and nothing else is left.
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
        When the folder cannot be written.
    """
    with fill_folder_atomically(folder) as new:
        for name, content in files.items():
            (new / name).write_bytes(content)


@contextmanager
def _new_folder_beside(folder: Path) -> Iterator[Path]:
    """Yield a new, locked folder; remove it at the end if it was not renamed."""
    while True:
        new = _beside(folder, "part")
        new.mkdir()
        lock = _open_folder(new)
        locked = lock is not None and _locked(lock, wait=True)
        # Another process may delete the folder as a leftover before it is locked.
        if not locked or new.is_dir():
            break
        _close(lock)
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)
        _close(lock)


def _replace_folder(folder: Path, new: Path) -> None:
    """Rename the new folder to the target; if that fails, move the former folder back."""
    former = _beside(folder, "old")
    # The lock shows other processes that the writer is alive while the former folder is aside.
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
    """Remove a folder that was moved aside, or move it back if nothing has taken its place."""
    if not os.path.lexists(folder):
        if os.path.lexists(former):
            os.replace(former, folder)
    elif former.is_dir() and not former.is_symlink():
        shutil.rmtree(former, ignore_errors=True)
    else:
        former.unlink(missing_ok=True)


def _beside(path: Path, kind: str) -> Path:
    # Not the process number, because it is 1 in every container and two containers may write to one folder.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.{kind}")


def _open_folder(folder: Path) -> int | None:
    """Open a folder so that it can be locked; None if it is gone or the system cannot open folders."""
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:
        return None


def _close(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _written(path: Path, write: Callable[[BinaryIO], object]) -> bool:
    """Write and rename; False if another run deleted the new file as a leftover before it was locked."""
    temporary, lock = _beside(path, "part"), None
    try:
        with open(temporary, "xb") as file:
            if _locked(file, wait=True) and os.fstat(file.fileno()).st_nlink == 0:
                return False
            write(file)
            # On the disk before its name is, so that no failure of the machine leaves an empty or half file.
            file.flush()
            os.fsync(file.fileno())
            # The lock outlives the closing of the file, because closing may still fail.
            lock = os.dup(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        _close(lock)
    return True


def _locked(file: BinaryIO | int, wait: bool) -> bool:
    """Lock a file or folder for this process; False if another process holds the lock or there are no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def remove_left_over(targets: Iterable[Path]) -> None:
    """Remove the leftovers of killed processes; files and folders that a living process writes stay.

    If a killed process had moved a former folder aside and nothing has taken its place, the folder is moved back.

    Parameters
    ----------
    targets : iterable of Path
        Targets of `write_atomically` and `fill_folder_atomically`.
    """
    names: dict[Path, set[str]] = {}
    for target in targets:
        names.setdefault(target.parent, set()).add(target.name)
    for folder, of_targets in names.items():
        try:
            entries = [entry for entry in os.scandir(folder) if not entry.is_symlink()]
        except OSError:
            # An absent or unreadable folder contains no leftovers of ours.
            continue
        for entry in entries:
            match = _BESIDE.fullmatch(entry.name)
            if match and match[1] in of_targets:
                _clear(folder / entry.name, folder / match[1], match[2])


def _clear(path: Path, target: Path, kind: str) -> None:
    """Remove or move back one leftover, if its writer is dead."""
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
        # Another process was faster, or the entry belongs to another user.
        return
    finally:
        _close(lock)


def _held_by_another(lock: int | None) -> bool:
    """Whether a living process holds the lock; False if the system has no locks.

    In that case a living writer's former folder may be moved back; the writer then fails and leaves a whole folder.
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
    """Make a folder for results if it is absent, and check that it is writable.

    Raises
    ------
    LiteMedSamError
        When it is not writable.
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
