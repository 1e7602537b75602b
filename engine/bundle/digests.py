"""SHA-256 of a bundle's files, kept beside them in the form of ``sha256sum``.

``python -m litemedsam.engine.bundle.digests FOLDER`` writes them anew after a file was changed on purpose, and
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
# The key under which ONNX names the file of a tensor that is kept outside; no graph of ours holds the word.
_EXTERNAL = b"location"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits; an unchanged file is read once in a process.

    Raises
    ------
    OSError
        When it cannot be read.
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
    """Compare a file with its folder's digests; those of bundles that were written without any pass.

    Raises
    ------
    LiteMedSamError
        When the file is not the one that the digests were made of, or not among them, or cannot be read.
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
            raise LiteMedSamError(f"{manifest}: line {number} is no digest and file name", remedy)
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
    """Refuse a graph that is not its bundle's, or that names other files for its weights.

    Those could be any that this user may read.

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
