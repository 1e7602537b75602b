"""Graphs that OpenVINO compiled beforehand on the same machine, as when an image is built; loading them is faster.

``python -m litemedsam.engine.backends.compiled FOLDER`` compiles the default bundle into a folder, and the environment
variable ``LITEMEDSAM_COMPILED`` names it later. Nothing else changes: the results are the same bit for bit, and
what was compiled from another file, for another processor or by another version is not looked at.
"""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import openvino

from ..bundle import DECODER, ENCODER, default_bundle
from ..io.atomic import write_atomically

VARIABLE = "LITEMEDSAM_COMPILED"
# The processor's make and abilities, on x86 and on Arm.
_TRAITS = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "CPU part", "Features")


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What sets this machine's first processor apart; empty where the system does not tell."""
    try:
        first = cpuinfo.read_text().split("\n\n")[0]
    except OSError:
        return ""
    return "\n".join(line for line in first.splitlines() if line.split(":")[0].strip() in _TRAITS)


class CompiledFolder:
    """A folder of compiled graphs, each named after everything that it depends on.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def of_environment(cls) -> "CompiledFolder | None":
        """The folder that the environment names, or None."""
        name = os.environ.get(VARIABLE)
        return cls(Path(name)) if name else None

    def _path(self, graph: Path, precision: str) -> Path:
        digest = hashlib.blake2b(graph.read_bytes(), digest_size=16)
        for part in (openvino.__version__, processor(), precision):
            digest.update(part.encode() + b"\0")
        return self.folder / f"{digest.hexdigest()}.blob"

    def load(
        self, core: openvino.Core, graph: Path, precision: str, properties: Mapping
    ) -> tuple[openvino.CompiledModel, dict[str, str]] | None:
        """A compiled graph and the metadata of its file, or None where there is none that fits.

        Parameters
        ----------
        core : openvino.Core
        graph : Path
            The ONNX file.
        precision : str
            ``f32`` or ``bf16``.
        properties : mapping
            What it would be compiled with; the number of threads may differ from when it was stored.
        """
        path = self._path(graph, precision)
        if not path.is_file():
            return None
        try:
            compiled = core.import_model(path.read_bytes(), "CPU", dict(properties))
        except RuntimeError:
            # OpenVINO has its own conditions; compiling always works.
            return None
        return compiled, json.loads(path.with_suffix(".json").read_text())

    def store(self, graph: Path, precision: str, compiled: openvino.CompiledModel, metadata: Mapping[str, str]) -> None:
        """Keep a compiled graph; see `litemedsam.engine.io.atomic.write_atomically` for what is raised."""
        path = self._path(graph, precision)
        write_atomically(path.with_suffix(".json"), lambda file: file.write(json.dumps(dict(metadata)).encode()))
        write_atomically(path, lambda file: file.write(compiled.export_model().getvalue()))


def main(folder: Path) -> None:
    """Compile the default bundle into a folder."""
    from .openvino import OpenVinoGraph

    for name in (ENCODER, DECODER):
        graph = default_bundle() / name
        loaded = OpenVinoGraph(graph, "f32", 1)
        CompiledFolder(folder).store(graph, "f32", loaded.compiled, loaded.metadata)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
