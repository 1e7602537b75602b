"""Damages a file as carelessness and malice do; packed content is damaged inside its valid packing."""

import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib

import numpy as np

_LARGEST = 1 << 20
_NUMBERS = (0, 1, -1, 2, 7, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1)
_WORDS = (
    b"0",
    b"-1",
    b"1e999",
    b"nan",
    b"99999999999999999999",
    b"65536",
    b"1.5",
    b"",
    b"2147483648",
    b"null",
    b"[[[[",
)
_UNPACKING = (
    ValueError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
_PNG = b"\x89PNG\r\n\x1a\n"


def _flip(rng: np.random.Generator, data: bytearray) -> bytearray:
    for at in rng.integers(len(data), size=rng.integers(1, 5)):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def _byte(rng: np.random.Generator, data: bytearray) -> bytearray:
    data[rng.integers(len(data))] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))
    return data


def _number(rng: np.random.Generator, data: bytearray) -> bytearray:
    width = int(rng.choice([2, 4, 8]))
    value = _NUMBERS[rng.integers(len(_NUMBERS))] % (1 << 8 * width)
    at = int(rng.integers(max(len(data) - width, 0) + 1))
    data[at : at + width] = value.to_bytes(width, "little" if rng.random() < 0.7 else "big")
    return data


def _float(rng: np.random.Generator, data: bytearray) -> bytearray:
    value = float(rng.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-45, 3e38, 0.5]))
    form = "<f" if rng.random() < 0.5 else "<d"
    at = int(rng.integers(max(len(data) - 8, 0) + 1))
    data[at : at + struct.calcsize(form)] = struct.pack(form, value)
    return data


def _word(rng: np.random.Generator, data: bytearray) -> bytearray:
    found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
    if not found:
        return _byte(rng, data)
    place = found[rng.integers(len(found))]
    return data[: place.start()] + _WORDS[rng.integers(len(_WORDS))] + data[place.end() :]


def _cut(rng: np.random.Generator, data: bytearray) -> bytearray:
    return data[: rng.integers(len(data))]


def _remove(rng: np.random.Generator, data: bytearray) -> bytearray:
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 65)) :]


def _repeat(rng: np.random.Generator, data: bytearray) -> bytearray:
    at, length = int(rng.integers(len(data))), int(rng.integers(1, 257))
    return data[:at] + data[at : at + length] * int(rng.integers(2, 20)) + data[at + length :]


def _insert(rng: np.random.Generator, data: bytearray) -> bytearray:
    at = int(rng.integers(len(data)))
    return data[:at] + rng.bytes(int(rng.integers(1, 33))) + data[at:]


def _move(rng: np.random.Generator, data: bytearray) -> bytearray:
    source, target = (int(at) for at in rng.integers(len(data), size=2))
    length = int(rng.integers(1, 129))
    data[target : target + length] = data[source : source + length]
    return data


_WAYS = (_flip, _byte, _number, _number, _float, _word, _word, _cut, _remove, _repeat, _insert, _move)


def _plain(rng: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4, 8]))):
        if changed:
            changed = _WAYS[rng.integers(len(_WAYS))](rng, changed)
    return bytes(changed[:_LARGEST])


def _in_zip(rng: np.random.Generator, data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(entry.filename, archive.read(entry), entry.compress_type) for entry in archive.infolist()]
    chosen = int(rng.integers(len(entries)))
    name, content, _ = entries[chosen]
    if rng.random() < 0.1:
        name = str(rng.choice(["../" + name, "/" + name, name + "x", "imgs.npy", "boxes.npy", "imgs"]))
    entries[chosen] = (name, _plain(rng, content), int(rng.choice([0, 8, 8, 12, 14])))
    if rng.random() < 0.1:
        entries.append(entries[int(rng.integers(len(entries)))])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content, method in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return packed.getvalue()


def _in_gzip(rng: np.random.Generator, data: bytes) -> bytes:
    return gzip.compress(_plain(rng, gzip.decompress(data)), 1, mtime=0)


def _in_png(rng: np.random.Generator, data: bytes) -> bytes:
    chunks, at = [], len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    chosen = int(rng.integers(len(chunks)))
    kind, content = chunks[chosen]
    if kind == b"IDAT" and rng.random() < 0.5:
        content = zlib.compress(_plain(rng, zlib.decompress(content)))
    else:
        content = _plain(rng, content)
    chunks[chosen] = (kind, content)
    parts = [_PNG]
    for kind, content in chunks:
        parts += [struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(kind + content))]
    return b"".join(parts)


# By how a packed file starts.
_PACKED = {b"PK\x03\x04": _in_zip, b"\x1f\x8b": _in_gzip, _PNG: _in_png}


def mutated(data: bytes, seed: int) -> bytes:
    """A damaged copy of a file, of at most 1 MB; the same seed gives the same damage."""
    rng = np.random.default_rng(seed)
    if rng.random() < 0.75:
        for start, way in _PACKED.items():
            if data.startswith(start):
                try:
                    return way(rng, data)[:_LARGEST]
                except _UNPACKING:
                    # Too damaged already to be unpacked.
                    break
    return _plain(rng, data)
