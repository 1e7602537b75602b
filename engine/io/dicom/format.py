"""DICOM series in, DICOM SEG out. The parts that read and write are imported with the first DICOM file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ....atomic import write_atomically
from .files import holds_dicom, looks_like_dicom, readable

if TYPE_CHECKING:
    from ...scan.mask import Mask
    from ...scan.scan import Scan


class Dicom:
    """See `litemedsam.engine.io.formats.Format`.

    The x of a box counts columns, y rows and z slices, ordered by their place along the normal of the image plane (row
    direction × column direction; for usual axial series towards superior), whatever the files' names and numbers.
    Frames without a place keep their order.

    Parameters
    ----------
    series : str or None
        Which series of a folder of several: its number, its UID, or a part of its description.
    allow_uneven : bool
        Whether slices may lie at uneven distances.
    """

    name = "dicom"
    suffixes: tuple[str, ...] = (".dcm", ".dicom", ".ima")
    result_suffixes = suffixes
    consecutive = True

    def __init__(self, series: str | None = None, allow_uneven: bool = False):
        self.series = series
        self.allow_uneven = allow_uneven

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return holds_dicom(path) if path.is_dir() else looks_like_dicom(head)

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; of a folder one series, other objects are left aside with a note."""
        from .series import read_series

        with readable(path):
            return read_series(path, frame, self.series, self.allow_uneven)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`."""
        return f"{stem}.dcm"

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; a DICOM SEG that refers to the scan's own images, see `segmentation_bytes`."""
        from .seg import segmentation_bytes

        content = segmentation_bytes(path, labels, scan, names)
        write_atomically(path, lambda file: file.write(content))

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.check_result`; for the images that a DICOM SEG would refer to."""
        from .seg import check_referable

        check_referable(path, scan, names)

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; a DICOM SEG, see `read_segmentation`."""
        from .segments import read_segmentation

        with readable(path):
            return read_segmentation(path, scan)
