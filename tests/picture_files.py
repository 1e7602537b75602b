"""Pictures written byte by byte, of kinds that Pillow does not write."""

import struct
import zlib

import numpy as np


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG of one chunk of data; `rows` is a zlib stream."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def deep_png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits from uint16 (H, W), (H, W, 2) with alpha, (H, W, 3) or (H, W, 4)."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], zlib.compress(rows))


_KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(pages: list[np.ndarray], photometric: int | None = None, description: str = "", orientation: int = 1) -> bytes:
    """An uncompressed TIFF of pages (H, W) or (H, W, channels) of any numbers.

    `photometric` is 0 where high values are dark, 1 where they are bright and 2 for colours in RGB.
    """
    content = bytearray(b"II*\0\0\0\0\0")
    link = 4

    def kept(data: bytes) -> int:
        at = len(content)
        content.extend(data + bytes(len(data) % 2))
        return at

    def shorts(value: int, count: int) -> tuple[int, int, bytes]:
        packed = struct.pack(f"<{count}H", *[value] * count)
        return 3, count, packed.ljust(4, b"\0") if count <= 2 else struct.pack("<I", kept(packed))

    def number(value: int) -> tuple[int, int, bytes]:
        return 4, 1, struct.pack("<I", value)

    for page in pages:
        channels = page.shape[2] if page.ndim == 3 else 1
        shown = (2 if channels == 3 else 1) if photometric is None else photometric
        extra = channels - (3 if shown == 2 else 1)
        tags = {
            256: number(page.shape[1]),
            257: number(page.shape[0]),
            258: shorts(8 * page.dtype.itemsize, channels),
            259: shorts(1, 1),
            262: shorts(shown, 1),
            273: number(kept(page.tobytes())),
            274: shorts(orientation, 1),
            277: shorts(channels, 1),
            278: number(page.shape[0]),
            279: number(page.nbytes),
            339: shorts(_KINDS[page.dtype.kind], channels),
        }
        if description and page is pages[0]:
            text = description.encode() + b"\0"
            tags[270] = (2, len(text), struct.pack("<I", kept(text)))
        if extra:
            tags[338] = shorts(0, extra)
        struct.pack_into("<I", content, link, len(content))
        content += struct.pack("<H", len(tags))
        for tag in sorted(tags):
            kind, count, value = tags[tag]
            content += struct.pack("<HHI", tag, kind, count) + value
        link = len(content)
        content += bytes(4)
    return bytes(content)
