"""DICOM series in, DICOM SEG out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..scan import Scan


class Dicom:
    """See `litemedsam.engine.io.formats.Format`."""

    name = "dicom"
    suffixes = (".dcm", ".dicom", ".ima")

    def recognises(self, path: Path, head: bytes) -> bool:
        return False


def holds_dicom(folder: Path) -> bool:
    return False
