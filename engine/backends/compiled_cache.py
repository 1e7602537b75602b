"""Compiled graphs kept from process to process, in a folder of the user's.

A cache never decides whether something works: where the folder cannot be made or written, there is none.
"""

import hashlib
import os
import platform
from pathlib import Path

_VARIABLE = "LITEMEDSAM_CACHE"
# About seven compiled bundles.
_LARGEST_BYTES = 700_000_000


def _root() -> Path | None:
    """The folder named by the environment, or the usual place; None where caching is switched off."""
    if _VARIABLE in os.environ:
        return Path(os.environ[_VARIABLE]) if os.environ[_VARIABLE] else None
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "litemedsam"
    except RuntimeError:
        # A user without a home.
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    # Model and instruction sets; what is compiled for one machine may not run on another with the same home.
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def compiled_cache(runtime: str, graph: Path, identity: str) -> Path | None:
    """The folder in which a runtime may keep what it compiles of a graph.

    Parameters
    ----------
    runtime : str
        Name and version.
    graph : Path
        The ONNX file.
    identity : str
        What the file's metadata say of its content.

    Returns
    -------
    Path or None
        A writable folder for this runtime, processor and file; None where there can be none.
    """
    root = _root()
    if root is None:
        return None
    try:
        stat = graph.stat()
        key = f"{_processor()}\0{graph.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{identity}"
        folder = root / runtime / hashlib.sha256(key.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return None
        _trim(root, folder)
    except OSError:
        return None
    return folder


def _trim(root: Path, keep: Path) -> None:
    """Remove the entries that were made first until the rest fits."""
    found = sorted((path for path in root.glob("*/*/*") if path.parent != keep), key=lambda path: path.stat().st_mtime)
    excess = sum(path.stat().st_size for path in root.glob("*/*/*")) - _LARGEST_BYTES
    for path in found:
        if excess <= 0:
            break
        excess -= path.stat().st_size
        path.unlink()
