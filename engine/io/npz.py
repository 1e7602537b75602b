"""Cases in the challenge's npz format."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import LiteMedSamError
from ..case import Case, checked_case
from ..memory import require_memory
from ..scan import Scan
from .atomic import write_atomically

REQUIRED = ("imgs", "boxes")


def read_arrays(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Read named arrays of an npz file; nothing is ever unpickled.

    Parameters
    ----------
    path : Path
    required, optional : tuple of str
        Keys; an optional one that is absent is left out.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    LiteMedSamError
        When the file cannot be read, is not an npz, is damaged, lacks a key, holds pickled objects, or does not
        fit into the container's memory.
    """
    try:
        file = np.load(path, allow_pickle=False)
    except OSError as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise LiteMedSamError(f"{path}: not an npz file, or a damaged one", "write it with numpy.savez") from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise LiteMedSamError(f"{path}: a single array, expected an npz file", "write it with numpy.savez")
    with file:
        missing = [key for key in required if key not in file.files]
        if missing:
            raise LiteMedSamError(
                f"{path}: lacks {', '.join(missing)}; expected the keys {', '.join(required)}, "
                f"got {', '.join(file.files) or 'none'}"
            )
        return {key: _read_array(path, file, key) for key in (*required, *optional) if key in file.files}


def _read_array(path: Path, file: np.lib.npyio.NpzFile, key: str) -> np.ndarray:
    entries = [entry for entry in file.zip.infolist() if entry.filename.removesuffix(".npy") == key]
    require_memory(f"{path}: {key}", sum(entry.file_size for entry in entries))
    try:
        array = file[key]
    except ValueError as error:
        if "pickle" in str(error):
            raise LiteMedSamError(
                f"{path}: {key} holds pickled Python objects, which are never loaded", "save plain numeric arrays"
            ) from error
        raise LiteMedSamError(f"{path}: {key} is damaged ({error})", "write the file again") from error
    except (OSError, EOFError, KeyError, NotImplementedError, zlib.error, zipfile.BadZipFile) as error:
        raise LiteMedSamError(f"{path}: {key} is damaged ({error})", "write the file again") from error
    if not isinstance(array, np.ndarray):
        raise LiteMedSamError(f"{path}: {key} is not a NumPy array", "write the file with numpy.savez")
    return array


def read_case(path: Path) -> Case:
    """Read a case: ``imgs``, ``boxes`` and, where it is there, ``spacing``.

    Raises
    ------
    LiteMedSamError
        See `read_arrays` and `litemedsam.engine.case.checked_case`.
    """
    arrays = read_arrays(path, REQUIRED, ("spacing",))
    return checked_case(str(path), arrays["imgs"], arrays["boxes"], arrays.get("spacing"))


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write a label map under the challenge's key ``segs``; see `write_atomically`."""
    write_atomically(path, lambda file: np.savez_compressed(file, segs=labels))


class Npz:
    """The challenge's format; see `litemedsam.engine.io.formats.Format`.

    Whether ``imgs`` is an image or a volume is decided by the boxes; its spacing is taken along x, y, z.
    """

    name = "npz"
    suffixes = (".npz",)

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`: a zip archive."""
        return head.startswith(b"PK")

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; ``boxes`` may be absent."""
        arrays = read_arrays(path, ("imgs",), ("boxes", "spacing"))
        return Scan(str(path), arrays["imgs"], spacing=arrays.get("spacing"), boxes=arrays.get("boxes"), ready=True)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`."""
        return f"{stem}.npz"

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`."""
        write_labels(path, labels)
