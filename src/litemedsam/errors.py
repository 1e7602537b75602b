"""The one class of errors for what a user can fix, and text that every stream can write."""

from __future__ import annotations

import re

# Halves of characters: Python keeps the bytes of a file name that are not UTF-8 as such.
_HALVES = re.compile("[\ud800-\udfff]")
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF


def readable(text: str) -> str:
    """A text that can be encoded as UTF-8: bytes that were not are shown as ``\\xe9``.

    Parameters
    ----------
    text : str
        May hold surrogates, as the name of a file whose bytes are not UTF-8 does.
    """
    return _HALVES.sub(_escaped, text)


def _escaped(half: re.Match[str]) -> str:
    code = ord(half[0])
    return f"\\x{code & 0xFF:02x}" if _FIRST_BYTE <= code <= _LAST_BYTE else f"\\u{code:04x}"


def broken_installation(error: ImportError | AttributeError) -> LiteMedSamError | None:
    """The error to raise where OpenCV is missing or incomplete; None where the cause is another.

    Two of OpenCV's packages share the folder ``cv2``, so that removing one of them breaks the other.
    """
    if "cv2" not in str(error) and "libGL" not in str(error):
        return None
    return LiteMedSamError(
        f"OpenCV cannot be loaded ({error})", "run pip install --force-reinstall opencv-python-headless"
    )


class LiteMedSamError(Exception):
    """Something that the caller can fix: a bad file, box, bundle or setting.

    The message says where (file, key, object), what was found, what was expected and what to do,
    on one line.

    Parameters
    ----------
    message : str
        Where and what; line breaks become spaces, see also `readable`.
    remedy : str, optional
        What to do about it; appended after a semicolon.

    Attributes
    ----------
    message : str
        Without the remedy, on one line.
    remedy : str
        Empty where there is none.
    """

    def __init__(self, message: str, remedy: str | None = None):
        self.message, self.remedy = _one_line(message), _one_line(remedy or "")
        super().__init__(_one_line(message if remedy is None else f"{message}; {remedy}"))


def _one_line(text: str) -> str:
    return readable(" ".join(text.split()))
