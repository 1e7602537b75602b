"""Pictures: PNG, JPEG, TIFF, BMP; a TIFF of several pages is a volume."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ...archive import BROKEN, check_unpacked
from ...atomic import write_atomically
from ...errors import LiteMedSamError
from ..scan.mask import Mask, mask_of_scan
from ..scan.scan import Scan
from ..system.optional import needed

_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"BM")
_TIFF = (".tif", ".tiff")
# Pillow's modes of one channel, whose values are taken as they are.
_GREY = ("L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
# Bytes of a pixel in memory; of others, four.
_DEPTHS = {"1": 1, "L": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
# What Pillow keeps of each row besides its pixels.
_ROW_BYTES = 16
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")


def _pixels(page: Any) -> np.ndarray:
    """(H, W) of the picture's own depth or uint8 (H, W, 3); transparency is left aside."""
    if page.mode in _GREY:
        return np.array(page)
    return np.array(page.convert("L" if page.mode in ("1", "LA", "La") else "RGB"))


class Image:
    """See `litemedsam.engine.io.formats.Format`.

    The x of a box counts columns and y rows of the picture as it is shown, the camera's rotation (EXIF) applied; z
    counts a TIFF's pages.
    """

    name = "png"
    suffixes: tuple[str, ...] = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
    result_suffixes: tuple[str, ...] = (".png", *_TIFF)

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return head.startswith(_STARTS)

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; palettes become colours, 16 bits stay 16."""
        pillow = needed("PIL.Image", "images")
        operations = needed("PIL.ImageOps", "images")
        try:
            # No other formats: some of them run programs.
            with pillow.open(path, formats=_FORMATS) as file:
                pages = getattr(file, "n_frames", 1)
                chosen = range(pages) if frame is None else [frame]
                if frame is not None and not 0 <= frame < pages:
                    raise LiteMedSamError(f"{path}: has no page {frame}, expected 0 to {pages - 1}")
                arrays = []
                sizes = []
                for page in chosen:
                    file.seek(page)
                    sizes.append(file.height * (file.width * _DEPTHS.get(file.mode, 4) + _ROW_BYTES))
                    # A page is held four times while it is turned and converted.
                    check_unpacked(str(path), sum(sizes) + 3 * max(sizes), path.stat().st_size)
                    arrays.append(_pixels(operations.exif_transpose(file)))
        except pillow.DecompressionBombError as error:
            raise LiteMedSamError(f"{path}: too large a picture ({error})", "cut it into parts") from error
        except BROKEN as error:
            raise LiteMedSamError(f"{path}: not a picture, or a damaged one ({error})") from error
        if len({array.shape for array in arrays}) > 1:
            raise LiteMedSamError(f"{path}: its pages differ in size", "choose one with --frame")
        volume = len(arrays) > 1
        return Scan(str(path), np.stack(arrays) if volume else arrays[0], is_volume=volume)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; TIFF stays TIFF, all else becomes PNG."""
        return f"{stem}.tif" if source.lower().endswith(_TIFF) else f"{stem}.png"

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; 8 or 16 bits by the number of objects."""
        pillow = needed("PIL.Image", "images")
        if labels.dtype.itemsize > 2:
            raise LiteMedSamError(f"{path}: a picture holds at most 65535 objects", "use --format npz")
        tiff = path.name.lower().endswith(_TIFF)
        pages = list(labels) if labels.ndim == 3 else [labels]
        if len(pages) > 1 and not tiff:
            raise LiteMedSamError(
                f"{path}: a PNG holds one slice, the result has {len(pages)}", "use --format nifti or npz"
            )
        first, *others = [pillow.fromarray(np.ascontiguousarray(page)) for page in pages]
        options = {"compression": "tiff_adobe_deflate", "save_all": True, "append_images": others} if tiff else {}
        content = BytesIO()
        # Pages are read back while they are written, which a file opened for writing does not allow.
        first.save(content, "TIFF" if tiff else "PNG", **options)
        write_atomically(path, lambda file: file.write(content.getvalue()))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`."""
        return mask_of_scan(path, self.read(path), scan)
