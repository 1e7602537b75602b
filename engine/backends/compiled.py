"""Stored graphs that OpenVINO compiled earlier on the same machine; loading them takes a third of the time.

Every process stores its compiled graphs in the user's cache. ``python -m litemedsam.engine.backends.precompile FOLDER``
compiles the default bundle into a folder, and ``LITEMEDSAM_COMPILED`` names that folder later, for example in a
container image without a home. The results are the same bit for bit. Graphs compiled from another file, for another
processor or by another version are ignored. A folder that cannot be read or written is ignored, too.
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
# Increase this number when the compile settings change.
_SETTINGS = "2"


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The make and abilities of this machine's first processor; empty if the system does not report them."""
    try:
        first = cpuinfo.read_text().split("\n\n")[0]
    except OSError:
        return ""
    return "\n".join(line for line in first.splitlines() if line.split(":")[0].strip() in _TRAITS)


def user_cache() -> Path | None:
    """The cache folder: the one that the environment names, else the user's usual place; None if there is neither.

    An empty variable ``LITEMEDSAM_CACHE`` turns the cache off.
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
    # The root folder stands for an empty HOME and is the home of many containers' users.
    return None if home == Path(home.anchor) else home / ".cache" / "litemedsam"


class CompiledFolder:
    """A folder of compiled graphs. A file is named by a digest of all that it depends on, and starts with a checksum.

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
        """Load a compiled graph; return None if no stored graph fits.

        Parameters
        ----------
        core : openvino.Core
        graph : Path
            The ONNX file.
        precision : str
            ``f32`` or ``bf16``.
        properties : mapping
            The compile settings. The numbers of threads and streams may differ from those of the stored graph.
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
            # OpenVINO may refuse a stored graph; the caller then compiles it.
            return None

    def store(self, graph: Path, precision: str, compiled: openvino.CompiledModel) -> None:
        """Store a compiled graph; delete the oldest graphs if the folder grows too large.

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
    """Load a graph from the precompiled folder or the user's cache; see `CompiledFolder.load`."""
    ready = os.environ.get(READY_VARIABLE)
    for folder in (Path(ready) if ready else None, user_cache()):
        found = folder and CompiledFolder(folder).load(core, graph, precision, properties)
        if found:
            return found
    return None


def keep_compiled(graph: Path, precision: str, compiled: openvino.CompiledModel) -> None:
    """Store a graph in the user's cache if possible; see `CompiledFolder.store`."""
    folder = user_cache()
    if folder is None:
        return
    try:
        CompiledFolder(folder).store(graph, precision, compiled)
    except (LiteMedSamError, RuntimeError):
        # A read-only or full disk, or a plug-in that cannot export, only costs time.
        return
