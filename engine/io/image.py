"""Pictures: PNG, JPEG, TIFF, BMP; a TIFF of several pages is a volume."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...atomic import write_atomically
from ...errors import LiteMedSamError
from ..scan.colours import colour
from ..scan.mask import Mask, mask_of_scan
from ..scan.scan import Scan
from ..system.optional import needed

if TYPE_CHECKING:
    from .pages import Pages

_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"BM")
_TIFF = (".tif", ".tiff")


class Image:
    """See `litemedsam.engine.io.formats.Format`.

    The x of a box counts columns and y rows of the picture as it is shown, the camera's rotation (EXIF) applied; z
    counts a TIFF's pages.
    """

    name = "png"
    suffixes: tuple[str, ...] = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
    result_suffixes: tuple[str, ...] = (".png", *_TIFF)
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return head.startswith(_STARTS)

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; palettes become colours, 16 bits stay 16."""
        from .pages import Page, read_pages

        pages = read_pages(path, frame, Page.pixels)
        return Scan(str(path), _stacked(path, pages), len(pages.arrays) > 1, inverted=pages.inverted, notes=pages.notes)

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; TIFF stays TIFF, all else becomes PNG."""
        return f"{stem}.tif" if source.lower().endswith(_TIFF) else f"{stem}.png"

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.check_result`; a PNG contains one slice, a TIFF any number."""
        slices = scan.grid[0] if scan.is_volume else 1
        if slices > 1 and not path.name.lower().endswith(_TIFF):
            raise LiteMedSamError(
                f"{path}: a PNG holds one slice, the result has {slices}", "use --format nifti or npz"
            )

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; 8 or 16 bits by the number of objects."""
        if labels.dtype.itemsize > 2:
            raise LiteMedSamError(f"{path}: a picture holds at most 65535 objects", "use --format npz")
        tiff = path.name.lower().endswith(_TIFF)
        pages = list(labels) if labels.ndim == 3 else [labels]
        if len(pages) > 1 and not tiff:
            raise LiteMedSamError(
                f"{path}: a PNG holds one slice, the result has {len(pages)}", "use --format nifti or npz"
            )
        content = _tiff(pages) if tiff else png_of_labels(pages[0])
        write_atomically(path, lambda file: file.write(content))

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; a palette's indices are the labels."""
        return mask_of_scan(path, read_labels(path), scan)


def _stacked(path: Path, pages: Pages) -> np.ndarray:
    arrays = pages.arrays
    if len({(array.shape, array.dtype) for array in arrays}) > 1:
        what = "size" if len({array.shape[:2] for array in arrays}) > 1 else "kind of pixel"
        raise LiteMedSamError(f"{path}: its pages differ in {what}", "choose one with --frame")
    return np.stack(arrays) if len(arrays) > 1 else arrays[0]


def read_labels(path: Path) -> Scan:
    """A picture as a mask: numbers of labels, or colours; see `Page.labels`."""
    from .pages import Page, read_pages

    backgrounds: set[str] = set()

    def labels(page: Page) -> np.ndarray:
        backgrounds.update(page.odd_background)
        return page.labels()

    pages = read_pages(path, None, labels)
    notes = pages.notes
    if backgrounds:
        notes += (
            f"{path}: index 0 of its palette, which is the background, is shown as {min(backgrounds)}, not black",
        )
    if pages.format == "JPEG":
        notes += (f"{path}: a JPEG, whose compression changes labels near edges; keep masks as PNG",)
    return Scan(str(path), _stacked(path, pages), len(pages.arrays) > 1, notes=notes)


def _tiff(pages: list[np.ndarray]) -> bytes:
    pillow = needed("PIL.Image", "images")
    first, *others = [pillow.fromarray(np.ascontiguousarray(page)) for page in pages]
    content = BytesIO()
    # Pages are read back while they are written, which a file opened for writing does not allow.
    first.save(content, "TIFF", compression="tiff_adobe_deflate", save_all=True, append_images=others)
    return content.getvalue()


def png_of_labels(page: np.ndarray, highest: int | None = None) -> bytes:
    """A label map as PNG.

    Parameters
    ----------
    page : ndarray
        uint8 or uint16 (H, W).
    highest : int, optional
        The highest label that has a colour; that of the page when absent.

    Returns
    -------
    bytes
        With up to 255 objects a palette of bright colours, black for the background, whose indices are the labels;
        with more, the labels as grey values of 16 bits.
    """
    pillow = needed("PIL.Image", "images")
    picture = pillow.fromarray(np.ascontiguousarray(page))
    if page.dtype == np.uint8:
        last = int(page.max()) if highest is None else highest
        picture = pillow.frombytes("P", picture.size, picture.tobytes())
        picture.putpalette([0, 0, 0, *(part for number in range(1, last + 1) for part in colour(number))])
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()
