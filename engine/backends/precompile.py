"""``python -m litemedsam.engine.backends.precompile FOLDER``: compiles the default bundle for this machine."""

import sys
from pathlib import Path

from ..bundle.info import DECODER
from ..bundle.packaged import bundle_folder
from ..bundle.precision import AUTOMATIC, encoder_file, floats_beside, resolve
from .compiled import CompiledFolder
from .openvino import OpenVinoGraph


def main(folder: Path) -> None:
    """Compile the default bundle into a folder, in the precision that ``auto`` takes on this machine."""
    bundle, native = bundle_folder(), OpenVinoGraph.native_precisions()
    precision = resolve(bundle, AUTOMATIC, native).precision
    floats = floats_beside(precision, native)
    for graph in (encoder_file(bundle, precision), bundle / DECODER):
        CompiledFolder(folder).store(graph, floats, OpenVinoGraph(graph, floats, 1).compiled)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
