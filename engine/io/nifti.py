"""NIfTI volumes, versions 1 and 2, compressed or not."""

import gzip
import json
import logging
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...archive import BROKEN, LARGEST_RATIO, LARGEST_UNPACKED, check_unpacked
from ...atomic import write_atomically
from ...errors import LiteMedSamError
from ..scan.geometry import Geometry
from ..scan.mask import Mask, mask_of_scan
from ..scan.scan import Scan
from ..system.resources import require_memory

# The header's unit codes: metres, millimetres, micrometres; 0 is unknown, taken for millimetres.
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_COMMENT = 6
_HEAD = 4096
_SCANNER = 1
_NIFTI1_HEADER, _NIFTI2_HEADER = 348, 540


@dataclass(frozen=True)
class NiftiOrigin:
    """What results take over from a NIfTI file.

    Attributes
    ----------
    header : nibabel.Nifti1Header or nibabel.Nifti2Header
    affine : ndarray
        float64 (4, 4), in the file's own units.
    shape : tuple of int
        Of the file's first three axes or, for a flat image, two.
    """

    header: Any
    affine: np.ndarray
    shape: tuple[int, ...]


def _start(head: bytes) -> bytes:
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 400)
    except zlib.error:
        return b""


def _check_offset(path: Path, start: bytes) -> None:
    """Refuse a header whose data begin far beyond what the file could hold; all before them is read at once."""
    for order in "<>":
        size = struct.unpack_from(f"{order}i", start)[0] if len(start) >= _NIFTI1_HEADER else 0
        if size == _NIFTI1_HEADER:
            offset = struct.unpack_from(f"{order}f", start, 108)[0]
        elif size == _NIFTI2_HEADER and len(start) >= 176:
            offset = struct.unpack_from(f"{order}q", start, 168)[0]
        else:
            continue
        if not 0 <= offset <= LARGEST_UNPACKED:
            raise LiteMedSamError(f"{path}: not a NIfTI file, or a damaged one (data from byte {offset:g} on)")


@contextmanager
def _whole(path: Path, nibabel: Any) -> Iterator[None]:
    """A context that turns the reader's exceptions on a damaged file into a `LiteMedSamError`; no repair is logged."""
    log = nibabel.imageglobals.logger
    level = log.level
    try:
        log.setLevel(logging.CRITICAL)
        yield
    except (
        *BROKEN,
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.spatialimages.HeaderTypeError,
        nibabel.spatialimages.ImageDataError,
        nibabel.wrapstruct.WrapStructError,
    ) as error:
        raise LiteMedSamError(f"{path}: not a NIfTI file, or a damaged one ({error})") from error
    finally:
        log.setLevel(level)


def _itemsize(image: Any) -> int:
    """Bytes of a voxel once it is read: scaled ones become double."""
    stored = image.dataobj
    size: int = stored.dtype.itemsize
    return size if (stored.slope, stored.inter) == (1, 0) else max(size, 8)


def _load(path: Path, nibabel: Any) -> Any:
    """The image of a file; nibabel goes by the name, so that a file whose name misleads is read by its content."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    _check_offset(path, _start(head))
    start, packed = _start(head), head.startswith(b"\x1f\x8b")
    named = path.name.lower().endswith(".nii.gz") if packed else path.name.lower().endswith((".nii", ".hdr"))
    if named or start[:1] == b"" or b"n+" not in (start[4:6], start[344:346]):
        return nibabel.load(path)
    kind = nibabel.Nifti2Image if start[4:6] == b"n+" else nibabel.Nifti1Image
    return kind.from_bytes(_unpacked(path) if packed else path.read_bytes())


def _unpacked(path: Path) -> bytes:
    size = path.stat().st_size
    with gzip.open(path) as file:
        content = file.read(max(LARGEST_UNPACKED, LARGEST_RATIO * size) + 1)
    check_unpacked(str(path), len(content), size)
    return content


def _names(header: Any) -> dict[int, str]:
    """Names of labels as `Nifti.write` keeps them; comments of others are left aside."""
    for extension in header.extensions:
        if extension.get_code() != _COMMENT:
            continue
        try:
            content = json.loads(extension.get_content().strip(b"\0"))
            named = content.get("labels") if isinstance(content, dict) else None
            if isinstance(named, dict):
                texts = {int(number): name for number, name in named.items() if isinstance(name, str)}
                # Halves of characters, which JSON lets through, can be written nowhere.
                return {number: name.encode(errors="replace").decode() for number, name in texts.items()}
        except (ValueError, RecursionError):
            # Not JSON, or not of numbers.
            continue
    return {}


class Nifti:
    """See `litemedsam.engine.io.formats.Format`.

    The x, y, z of a box count along the file's first, second and third axis, as ``nibabel`` indexes them.
    """

    name = "nifti"
    suffixes: tuple[str, ...] = (".nii.gz", ".nii", ".hdr")
    result_suffixes: tuple[str, ...] = (".nii.gz", ".nii")
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        head = _start(head)
        if len(head) < 348:
            return False
        size = struct.unpack_from("<i", head)[0], struct.unpack_from(">i", head)[0]
        return (348 in size and head[344:347] in (b"n+1", b"ni1")) or (540 in size and head[4:7] in (b"n+2", b"ni2"))

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; every volume is a `Scan` of rank 3, a flat image one of a single slice."""
        import nibabel

        with _whole(path, nibabel):
            image = _load(path, nibabel)
            if not isinstance(image, nibabel.Nifti1Pair):
                raise LiteMedSamError(f"{path}: {type(image).__name__}, expected NIfTI", "convert it to .nii.gz")
            shape = self._checked_shape(path, image.shape, frame)
            require_memory(str(path), math.prod(shape) * _itemsize(image))
            stored = Path(image.file_map["image"].filename or path).stat().st_size
            check_unpacked(str(path), math.prod(image.shape) * _itemsize(image), stored)
            # Axes after the third count volumes; those of length one are dropped.
            volume = (frame or 0, *(0 for _ in image.shape[4:]))[: max(len(image.shape) - 3, 0)]
            part = image.dataobj[(..., *volume)] if volume else image.dataobj
            values = np.asarray(part).reshape(shape + (1,) * (3 - len(shape)))
            affine = np.asarray(image.affine, np.float64)
        units = _MILLIMETRES.get(int(image.header["xyzt_units"]) & 7, 1.0)
        geometry = Geometry(np.diag([units, units, units, 1.0]) @ affine)
        if not np.isfinite(affine).all() or geometry.voxel_volume == 0:
            raise LiteMedSamError(f"{path}: its affine has no inverse", "repair the header's sform or qform")
        voxels = values.transpose(2, 1, 0)
        if voxels.dtype.names is not None:
            voxels = np.stack([voxels[channel] for channel in ("R", "G", "B")], axis=-1)
        elif voxels.dtype.kind not in "uif":
            raise LiteMedSamError(f"{path}: holds {voxels.dtype} values, expected real numbers or RGB")
        return Scan(
            str(path),
            voxels,
            is_volume=True,
            geometry=geometry,
            spacing=geometry.spacing,
            origin=NiftiOrigin(image.header.copy(), affine, shape),
        )

    def _checked_shape(self, path: Path, shape: tuple[int, ...], frame: int | None) -> tuple[int, ...]:
        while len(shape) > 3 and shape[-1] == 1:
            shape = shape[:-1]
        if len(shape) not in (2, 3, 4) or 0 in shape:
            raise LiteMedSamError(
                f"{path}: has shape {shape}, expected an image, a volume or a series of volumes",
                "convert vectors and tensors to one volume each",
            )
        frames = shape[3] if len(shape) == 4 else 1
        if frame is None and frames > 1:
            raise LiteMedSamError(f"{path}: holds {frames} volumes", f"choose one with --frame 0 to {frames - 1}")
        if frame is not None and not 0 <= frame < frames:
            raise LiteMedSamError(f"{path}: has no frame {frame}, expected 0 to {frames - 1}")
        return shape[:3]

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; the scan's own name where it is a NIfTI file."""
        return source if source.lower().endswith(self.result_suffixes) else f"{stem}.nii.gz"

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.check_result`; every result fits."""

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`.

        Affine, qform and sform with their codes, units and NIfTI version are the scan's. Names are kept as JSON
        in a comment extension, ``{"labels": {"1": name, …}}``. Compressed where the name ends in ``.gz``.
        """
        import nibabel

        data = np.ascontiguousarray(labels.transpose())
        if isinstance(scan.origin, NiftiOrigin):
            kind: Any = (
                nibabel.Nifti2Image if isinstance(scan.origin.header, nibabel.Nifti2Header) else nibabel.Nifti1Image
            )
            header = kind.header_class.from_header(scan.origin.header)
            data = data.reshape(scan.origin.shape)
            header["scl_slope"], header["scl_inter"] = 1, 0
            header["cal_min"], header["cal_max"] = 0, 0
            header["descrip"] = b""
            header["aux_file"] = b""
            header.extensions.clear()
            image = kind(data, scan.origin.affine, header, dtype=labels.dtype)
        else:
            image = nibabel.Nifti1Image(data, None, dtype=labels.dtype)
            if scan.geometry is not None:
                image.set_sform(scan.geometry.affine, _SCANNER)
                image.set_qform(scan.geometry.affine, _SCANNER)
            elif scan.spacing is not None:
                image.header.set_zooms(tuple(scan.spacing[: data.ndim]))
            image.header.set_xyzt_units("mm")
        image.header.set_intent("label")
        named = {str(number): name for number, name in enumerate(names, start=1) if name}
        if named:
            text = json.dumps({"labels": named}, ensure_ascii=False).encode()
            image.header.extensions.append(nibabel.nifti1.Nifti1Extension(_COMMENT, text))
        content = image.to_bytes()
        if path.name.lower().endswith(".gz"):
            # Without a time, so that the same labels give the same bytes.
            content = gzip.compress(content, 6, mtime=0)
        write_atomically(path, lambda file: file.write(content))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; with the names that `write` keeps."""
        read = self.read(path)
        return mask_of_scan(path, read, scan, _names(read.origin.header))
