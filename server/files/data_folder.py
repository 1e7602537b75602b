"""The scans that the server's own user offers: files and folders, under keys that say nothing."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...engine.running.cohort import search
from ...errors import LiteMedSamError
from ..refusal import NOT_FOUND, Refusal

MOST_LISTED = 5000


@dataclass(frozen=True)
class OfferedScan:
    """One scan that may be opened.

    Attributes
    ----------
    key : str
        Chosen by the server; paths never come from a client.
    name : str
        Relative to its folder, for people.
    path : Path
    """

    key: str
    name: str
    path: Path


class DataFolder:
    """The scans below some folders, and single files.

    Parameters
    ----------
    places : sequence of Path
        Files, and folders that are searched; absent ones are refused.

    Raises
    ------
    LiteMedSamError
        For a place that does not exist.
    """

    def __init__(self, places: Sequence[Path]):
        for place in places:
            if not place.exists():
                raise LiteMedSamError(f"{place}: no such file or folder")
        self._places = [place.resolve() for place in places]
        self._secret = secrets.token_bytes(16)

    def scans(self) -> list[OfferedScan]:
        """All scans now there, in the order of their names; links that lead out of their folder are left out."""
        found: list[OfferedScan] = []
        for place in self._places:
            if not place.is_dir():
                found.append(OfferedScan(self._key(place), place.name, place))
                continue
            for path in search(place):
                if len(found) >= MOST_LISTED:
                    return found
                if _stays(path, place):
                    name = place.name if path == place else path.relative_to(place).as_posix()
                    found.append(OfferedScan(self._key(path), name, path))
        return found

    def find(self, key: str) -> OfferedScan:
        """The scan of a key.

        Raises
        ------
        LiteMedSamError
            When it is not, or no longer, there.
        """
        found = next((scan for scan in self.scans() if scan.key == key), None)
        if found is None:
            raise Refusal(NOT_FOUND, "there is no such file in the data folder", "reload the list")
        return found

    def _key(self, path: Path) -> str:
        return hashlib.blake2b(os.fsencode(path), key=self._secret, digest_size=12).hexdigest()


def _stays(path: Path, place: Path) -> bool:
    """Whether a file, or a folder and all files directly in it, lie below a place once links are followed."""
    inside = [path, *path.iterdir()] if path.is_dir() else [path]
    return all(each.resolve().is_relative_to(place) for each in inside)
