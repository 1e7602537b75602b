"""SHA-256 of a bundle's files, stored beside them in the format of ``sha256sum``.

``python -m litemedsam.engine.bundle.digests FOLDER`` writes them again after a deliberate change of a file.
``sha256sum -c SHA256SUMS`` checks them without this package.
"""

import hashlib
import mmap
import re
import sys
from functools import lru_cache
from pathlib import Path

from ...atomic import write_atomically
from ...errors import LiteMedSamError

MANIFEST = "SHA256SUMS"
# ONNX's key for the file of an external tensor. The graphs of this package never contain the word.
_EXTERNAL = b"location"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits; a process reads an unchanged file only once.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    state = path.stat()
    return _computed(path, state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=16)
def _computed(path: Path, *state: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path) -> None:
    """Write the digests of a folder's graphs; see `write_atomically`."""
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(folder.glob("*.onnx"))]
    write_atomically(folder / MANIFEST, lambda file: file.write("".join(lines).encode()))


def check_digest(path: Path) -> None:
    """Compare a file with its folder's digests. A file in a folder without digests passes.

    Raises
    ------
    LiteMedSamError
        When the digest differs or is missing from the list, or the file cannot be read.
    """
    manifest = path.with_name(MANIFEST)
    remedy = "copy or export the bundle again"
    try:
        lines = manifest.read_text().splitlines()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise LiteMedSamError(f"{manifest}: cannot be read ({error})", remedy) from error
    expected = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise LiteMedSamError(f"{manifest}: line {number} is not a digest and a file name", remedy)
        expected[match[2]] = match[1]
    if path.name not in expected:
        raise LiteMedSamError(f"{path}: not listed in {MANIFEST}", remedy)
    try:
        own = sha256_of(path)
    except OSError as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error.strerror or error})", remedy) from error
    if own != expected[path.name]:
        raise LiteMedSamError(
            f"{path}: damaged or changed, its SHA-256 is {own[:12]}…, expected {expected[path.name][:12]}…", remedy
        )


def check_file(path: Path) -> None:
    """Refuse a graph that differs from its bundle's digest, or that takes weights from other files.

    Such a graph could name any file that this user may read.

    Raises
    ------
    LiteMedSamError
        See `check_digest`.
    """
    check_digest(path)
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            alone = content.find(_EXTERNAL) < 0
    except (OSError, ValueError) as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error})", "export the bundle again") from error
    if not alone:
        raise LiteMedSamError(f"{path}: takes weights from other files", "store them in the graph itself")


if __name__ == "__main__":
    write_manifest(Path(sys.argv[1]))
