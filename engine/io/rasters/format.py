"""NRRD and MetaImage as formats. The parts that read and write are imported with the first such file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ....archive import BROKEN
from ....atomic import write_atomically
from ....errors import LiteMedSamError

if TYPE_CHECKING:
    import numpy as np

    from ...scan.mask import Mask
    from ...scan.scan import Scan


class Nrrd:
    """The format of 3D Slicer; see `litemedsam.engine.io.formats.Format`.

    The x, y, z of a box count along the file's axes of space, in their order; colours and lists of volumes are no axes
    of space.
    """

    name = "nrrd"
    suffixes: tuple[str, ...] = (".seg.nrrd", ".nrrd", ".nhdr")
    result_suffixes: tuple[str, ...] = (".nrrd",)
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return head.startswith(b"NRRD000")

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; two axes of space are an image."""
        from .nrrd import read_nrrd

        try:
            return read_nrrd(path, frame)
        except BROKEN as error:
            raise LiteMedSamError(f"{path}: not an NRRD file, or a damaged one ({error})") from error

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; one file also where the scan's header is a file of its own."""
        return f"{stem}.nrrd"

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.check_result`; every result fits."""

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; compressed with gzip, and with the names as 3D Slicer keeps those of segments."""
        from .nrrd import nrrd_bytes

        content = nrrd_bytes(labels, scan, names)
        write_atomically(path, lambda file: file.write(content))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; with the names of 3D Slicer's segments."""
        from ...scan.mask import mask_of_scan

        read = self.read(path)
        return mask_of_scan(path, read, scan, read.origin.segments)


class MetaImage:
    """The format of ITK; see `litemedsam.engine.io.formats.Format`.

    The x, y, z of a box count along the file's first, second and third axis.
    """

    name = "mha"
    suffixes: tuple[str, ...] = (".mha", ".mhd")
    result_suffixes: tuple[str, ...] = (".mha",)
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`: ``ObjectType`` or ``NDims`` comes first, perhaps behind a comment."""
        lines = [line.strip() for line in head[:2000].split(b"\n") if not line.startswith(b"Comment")]
        return bool(lines) and lines[0].partition(b"=")[0].strip() in (b"ObjectType", b"NDims") and b"=" in lines[0]

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; two axes are an image, a fourth one counts volumes."""
        from .metaimage import read_metaimage

        try:
            return read_metaimage(path, frame)
        except BROKEN as error:
            raise LiteMedSamError(f"{path}: not a MetaImage, or a damaged one ({error})") from error

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; one file also where the scan's header is a file of its own."""
        return f"{stem}.mha"

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.check_result`; every result fits."""

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; compressed. The format has no place for names."""
        from .metaimage import metaimage_bytes

        content = metaimage_bytes(labels, scan)
        write_atomically(path, lambda file: file.write(content))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`."""
        from ...scan.mask import mask_of_scan

        return mask_of_scan(path, self.read(path), scan)
