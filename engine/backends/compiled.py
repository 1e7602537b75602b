"""Graphs that OpenVINO compiled before, on the same machine; loading them takes a third of the time.

Every process keeps what it compiled in the user's cache, and ``python -m litemedsam.engine.backends.precompile FOLDER``
compiles the default bundle into a folder that ``LITEMEDSAM_COMPILED`` names later, as in an image without a home.
The results are the same bit for bit. What was compiled from another file, for another processor or by another version
is not looked at, and a folder that cannot be read or written is done without.
"""

import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ...atomic import remove_left_over, write_atomically
from ...errors import LiteMedSamError
from ..bundle.digests import sha256_of
from .offline_openvino import openvino

READY_VARIABLE = "LITEMEDSAM_COMPILED"
CACHE_VARIABLE = "LITEMEDSAM_CACHE"
# The processor's make and abilities, on x86 and on Arm.
_TRAITS = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "CPU part", "Features")
# About seven bundles.
_LARGEST_BYTES = 700_000_000
_CHECKSUM_BYTES = 4
# Raised when graphs come to be compiled with other settings.
_SETTINGS = "2"


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What sets this machine's first processor apart; empty where the system does not tell."""
    try:
        first = cpuinfo.read_text().split("\n\n")[0]
    except OSError:
        return ""
    return "\n".join(line for line in first.splitlines() if line.split(":")[0].strip() in _TRAITS)


def user_cache() -> Path | None:
    """The folder that the environment names, or the usual place of the user's; None where there is none.

    An empty variable ``LITEMEDSAM_CACHE`` means that nothing is kept.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named is not None:
        return Path(named) if named else None
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():
        return base / "litemedsam"
    try:
        home = Path.home()
    except RuntimeError:
        # A user without a home.
        return None
    # An empty HOME, and the one of many containers' users, is the root of all files.
    return None if home == Path(home.anchor) else home / ".cache" / "litemedsam"


class CompiledFolder:
    """A folder of compiled graphs, each named after everything that it depends on and led by a checksum.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def _path(self, graph: Path, precision: str) -> Path:
        digest = hashlib.blake2b(digest_size=16)
        for part in (sha256_of(graph), openvino.__version__, processor(), precision, _SETTINGS):
            digest.update(part.encode() + b"\0")
        return self.folder / f"{digest.hexdigest()}.blob"

    def load(
        self, core: openvino.Core, graph: Path, precision: str, properties: Mapping[str, Any]
    ) -> openvino.CompiledModel | None:
        """A compiled graph, or None where there is none that fits.

        Parameters
        ----------
        core : openvino.Core
        graph : Path
            The ONNX file.
        precision : str
            ``f32`` or ``bf16``.
        properties : mapping
            What it would be compiled with; the numbers of threads and streams may differ from when it was stored.
        """
        try:
            with self._path(graph, precision).open("rb") as file:
                checksum, blob = file.read(_CHECKSUM_BYTES), file.read()
        except OSError:
            return None
        if zlib.crc32(blob).to_bytes(_CHECKSUM_BYTES, "little") != checksum:
            return None
        try:
            return core.import_model(blob, "CPU", dict(properties))
        except RuntimeError:
            # OpenVINO has its own conditions; compiling always works.
            return None

    def store(self, graph: Path, precision: str, compiled: openvino.CompiledModel) -> None:
        """Keep a compiled graph, at the expense of those made first where the folder grows too large.

        Raises
        ------
        LiteMedSamError
            See `litemedsam.atomic.write_atomically`.
        """
        blob = compiled.export_model().getvalue()
        path = self._path(graph, precision)

        def write(file: BinaryIO) -> None:
            file.write(zlib.crc32(blob).to_bytes(_CHECKSUM_BYTES, "little"))
            file.write(blob)

        remove_left_over([path])
        write_atomically(path, write)
        self._trim(path)

    def _trim(self, newest: Path) -> None:
        try:
            ages = sorted((entry.stat().st_mtime, entry.stat().st_size, entry) for entry in self.folder.glob("*.blob"))
            excess = sum(size for _, size, _ in ages) - _LARGEST_BYTES
            for _, size, entry in ages:
                if excess > 0 and entry != newest:
                    entry.unlink()
                    excess -= size
        except OSError:
            # Another process may trim at the same time.
            return


def compiled_before(
    core: openvino.Core, graph: Path, precision: str, properties: Mapping[str, Any]
) -> openvino.CompiledModel | None:
    """Look in the folder made ready and in the user's cache; see `CompiledFolder.load`."""
    ready = os.environ.get(READY_VARIABLE)
    for folder in (Path(ready) if ready else None, user_cache()):
        found = folder and CompiledFolder(folder).load(core, graph, precision, properties)
        if found:
            return found
    return None


def keep_compiled(graph: Path, precision: str, compiled: openvino.CompiledModel) -> None:
    """Keep a graph in the user's cache where that is possible; see `CompiledFolder.store`."""
    folder = user_cache()
    if folder is None:
        return
    try:
        CompiledFolder(folder).store(graph, precision, compiled)
    except (LiteMedSamError, RuntimeError):
        # A read-only or full disk, or a plug-in that cannot export, costs time only.
        return
