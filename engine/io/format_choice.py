"""The choice of the format that reads a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...errors import LiteMedSamError
from .dicom.format import Dicom
from .formats import FORMATS, Format, format_of


class FormatChoice(Protocol):
    """Chooses the format that reads a file or folder, with all that is asked of the reader."""

    def of(self, path: Path) -> Format:
        """The format of a file or folder.

        Raises
        ------
        LiteMedSamError
            When it cannot be read, or no format that may be chosen reads it.
        """
        ...


@dataclass(frozen=True)
class AnyFormat:
    """The format of the file's content, see `litemedsam.engine.io.formats.format_of`."""

    def of(self, path: Path) -> Format:
        """See `FormatChoice.of`."""
        return format_of(path)


@dataclass(frozen=True)
class OneFormat:
    """One format only, for what no other format can do.

    Attributes
    ----------
    format : Format
        Takes the place of the format of its name in `litemedsam.engine.io.formats.FORMATS`.
    remedy : str
        For files of other formats.
    """

    format: Format
    remedy: str

    def of(self, path: Path) -> Format:
        """See `FormatChoice.of`."""
        found = format_of(path, {**FORMATS, self.format.name: self.format})
        if found is not self.format:
            raise LiteMedSamError(f"{path}: is not {self.format.name.upper()}", self.remedy)
        return found


def format_choice(series: str | None, allow_uneven: bool) -> FormatChoice:
    """Any format, but DICOM only where something is asked that only DICOM has; see `Dicom`."""
    if series is None and not allow_uneven:
        return AnyFormat()
    return OneFormat(Dicom(series, allow_uneven), "leave --series and --allow-uneven out")
