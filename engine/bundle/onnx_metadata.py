"""The metadata of an ONNX file, read without loading its graph or any runtime.

An ONNX file is a protocol buffer; field 14 of its outermost message holds pairs of strings
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). All other fields are skipped.
"""

from pathlib import Path
from typing import BinaryIO

from ...errors import LiteMedSamError

_METADATA_FIELD = 14
_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}
_LARGEST_ENTRY = 1 << 20


def _varint(file: BinaryIO) -> int | None:
    """The next number, or None at the end of the file."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            if shift:
                raise ValueError("the file ends within a number")
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number is too long")


def _required(value: int | None) -> int:
    if value is None:
        raise ValueError("the file ends within a field")
    return value


def _entry(content: bytes) -> tuple[str, str]:
    """Key and value of a pair of strings, fields 1 and 2."""
    parts, rest = {}, memoryview(content)
    while rest:
        tag, length = rest[0], 0
        position = 1
        for shift in range(0, 35, 7):
            byte = rest[position]
            position += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        parts[tag >> 3] = bytes(rest[position : position + length]).decode()
        rest = rest[position + length :]
    return parts.get(1, ""), parts.get(2, "")


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to str
        Empty if the file has no metadata.

    Raises
    ------
    LiteMedSamError
        When the file cannot be read or is not an ONNX file.
    """
    entries = {}
    try:
        with open(path, "rb") as file:
            size = path.stat().st_size
            while (tag := _varint(file)) is not None:
                field, kind = tag >> 3, tag & 7
                if kind == _VARINT:
                    _required(_varint(file))
                    continue
                if kind != _BYTES and kind not in _FIXED_SIZES:
                    raise ValueError(f"field {field} is of unknown kind {kind}")
                length = _FIXED_SIZES.get(kind) or _required(_varint(file))
                if file.tell() + length > size:
                    raise ValueError("the file ends within a field")
                if field == _METADATA_FIELD and length <= _LARGEST_ENTRY:
                    key, value = _entry(file.read(length))
                    entries[key] = value
                else:
                    file.seek(length, 1)
    except OSError as error:
        raise LiteMedSamError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, IndexError) as error:
        raise LiteMedSamError(
            f"{path}: not an ONNX file, or a damaged one ({error})", "export the bundle again"
        ) from error
    return entries
