"""Protects input files: no output may replace them."""

from collections.abc import Iterable
from pathlib import Path

from .errors import LiteMedSamError


class InputFiles:
    """The files and folders that a run reads.

    Parameters
    ----------
    paths : iterable of Path
        Files, and folders whose files are read; paths that do not exist are ignored.
    """

    def __init__(self, paths: Iterable[Path]):
        self._paths = [path for path in paths if path.exists()]
        self._files = {_identity(path): path for path in reversed(self._paths)}
        self._folders = {path.resolve(): path for path in reversed(self._paths) if path.is_dir()}

    def refuse(self, output: Path, remedy: str) -> None:
        """Refuse to write an output that would replace an input, or lie among the files of an input folder.

        Parameters
        ----------
        output : Path
            A file, or a folder that is written as a whole; need not exist. Links are followed.
        remedy : str
            For the message.

        Raises
        ------
        LiteMedSamError
            When the output would replace an input or lie in an input folder.
        """
        if output.exists() and (replaced := self._files.get(_identity(output))) is not None:
            what = (
                "is read by this run" if output == replaced else f"is the same file as {replaced}, which this run reads"
            )
            raise LiteMedSamError(f"{output}: {what}, and would be replaced", remedy)
        place = output.resolve()
        folder = self._folders.get(place.parent)
        if folder is not None:
            raise LiteMedSamError(f"{output}: would lie among the files of {folder}, which this run reads", remedy)
        if output.is_dir():
            held = next((path for path in self._paths if path.resolve().is_relative_to(place)), None)
            if held is not None:
                raise LiteMedSamError(f"{output}: contains {held}, which this run reads and would replace", remedy)


def _identity(path: Path) -> tuple[int, int]:
    """The device and inode numbers of an existing file; all its names share them."""
    state = path.stat()
    return state.st_dev, state.st_ino
