"""Cases in the challenge's npz format."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from ...archive import open_archive
from ...atomic import write_atomically
from ...errors import LiteMedSamError
from ..case import Case, checked_case
from ..scan.mask import Mask, checked_mask
from ..scan.scan import Scan
from ..system.resources import require_memory

REQUIRED = ("imgs", "boxes")
_MASK_KEYS = ("gts", "segs")


def _boxes_of_records(where: str, content: bytes) -> np.ndarray:
    # Late: few files hold boxes as dictionaries.
    from .box_records import boxes_of_records

    return boxes_of_records(where, content)


# How arrays of Python objects are read without unpickling; those of other keys are refused.
_DECODERS = {"boxes": _boxes_of_records}


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
        When the file lacks a key or does not fit into the container's memory; see `litemedsam.archive`.
    """
    with open_archive(path) as archive:
        missing = [key for key in required if key not in archive.keys]
        if missing:
            raise LiteMedSamError(
                f"{path}: lacks {', '.join(missing)}; expected the keys {', '.join(required)}, "
                f"got {', '.join(archive.keys) or 'none'}"
            )
        wanted = [key for key in (*required, *optional) if key in archive.keys]
        for key in wanted:
            require_memory(f"{path}: {key}", archive.nbytes(key))
        return {key: archive.read(key, _DECODERS.get(key)) for key in wanted}


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
    content = BytesIO()
    np.savez_compressed(content, segs=labels)
    write_atomically(path, lambda file: file.write(content.getvalue()))


class Npz:
    """The challenge's format; see `litemedsam.engine.io.formats.Format`.

    Whether ``imgs`` is an image or a volume is decided by the boxes; its spacing is taken along x, y, z.
    """

    name = "npz"
    suffixes: tuple[str, ...] = (".npz",)
    result_suffixes = suffixes
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`: a zip archive."""
        return head.startswith(b"PK")

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; ``boxes`` may be absent."""
        if frame is not None:
            raise LiteMedSamError(f"{path}: an npz file has no time points", "leave --frame out")
        arrays = read_arrays(path, ("imgs",), ("boxes", "spacing"))
        return Scan(str(path), arrays["imgs"], spacing=arrays.get("spacing"), boxes=arrays.get("boxes"), ready=True)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`."""
        return f"{stem}.npz"

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.check_result`; every result fits."""

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`."""
        write_labels(path, labels)

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; ``gts``, else ``segs``."""
        arrays = read_arrays(path, (), _MASK_KEYS)
        if not arrays:
            raise LiteMedSamError(f"{path}: lacks a mask; expected the key {' or '.join(_MASK_KEYS)}")
        return checked_mask(path, next(iter(arrays.values())), scan)
