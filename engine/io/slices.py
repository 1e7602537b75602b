"""Folders of pictures, one for each slice of a volume."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...atomic import write_folder_atomically
from ...errors import LiteMedSamError
from ..scan.mask import Mask, mask_of_scan
from ..scan.scan import Scan
from ..system.resources import require_memory
from .image import Image, png_of_labels, read_labels


@dataclass(frozen=True)
class SlicesOrigin:
    """What results take over from a folder of pictures.

    Attributes
    ----------
    names : tuple of str
        File names without suffix, in the order of the slices.
    """

    names: tuple[str, ...]


def _pictures(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(Image.suffixes) and not path.name.startswith(".") and path.is_file()
    ]


def holds_pictures(folder: Path) -> bool:
    """Whether a folder itself, not those below, holds pictures; they count by their suffix."""
    return bool(_pictures(folder))


def _numbers_apart(path: Path) -> list[str | int]:
    # Text and numbers take turns, text first.
    return [int(part) if k % 2 else part.lower() for k, part in enumerate(re.split(r"(\d+)", path.stem))]


def _ordered(folder: Path) -> list[Path]:
    paths = _pictures(folder)
    parts = {path: _numbers_apart(path) for path in paths}
    _check_one_pattern(folder, parts)
    paths.sort(key=lambda path: (parts[path], path.name))
    counted = [k for k in range(len(parts[paths[0]])) if len({tuple(p[k : k + 1]) for p in parts.values()}) > 1]
    if len({len(p) for p in parts.values()}) == 1 and len(counted) == 1 and counted[0] % 2:
        _check_numbers(folder, paths, [int(parts[path][counted[0]]) for path in paths])
    return paths


def _check_one_pattern(folder: Path, parts: Mapping[Path, list[str | int]]) -> None:
    """Refuse pictures whose names differ in more than numbers; names without any number are in alphabetical order."""
    texts = {path: tuple(parts[path][::2]) for path in sorted(parts, key=lambda path: (len(path.name), path.name))}
    first = next(iter(texts))
    other = next((path for path in texts if texts[path] != texts[first]), None)
    if other is None or all(len(part) == 1 for part in parts.values()):
        return
    raise LiteMedSamError(
        f"{folder}: {first.name} and {other.name} differ in more than their numbers",
        "put the slices of one volume into a folder of their own",
    )


def _check_numbers(folder: Path, paths: list[Path], numbers: list[int]) -> None:
    steps = np.diff(numbers)
    usual = int(np.median(steps))
    if steps.min() == 0:
        k = int(np.argmin(steps))
        raise LiteMedSamError(
            f"{folder}: two pictures of slice {numbers[k]}, {paths[k].name} and {paths[k + 1].name}", "keep one"
        )
    if (steps != usual).any():
        k = int(np.argmax(steps))
        raise LiteMedSamError(
            f"{folder}: slices missing between {paths[k].name} and {paths[k + 1].name}",
            "give all slices, numbered evenly",
        )


class Slices:
    """See `litemedsam.engine.io.formats.Format`.

    The x of a box counts columns and y rows of the pictures as they are shown; z counts the pictures in the order of
    the numbers in their names.
    """

    name = "slices"
    suffixes: tuple[str, ...] = ()
    result_suffixes = suffixes
    consecutive = False

    def recognises(self, path: Path, head: bytes) -> bool:
        """See `Format.recognises`."""
        return path.is_dir() and holds_pictures(path)

    def read(self, path: Path, frame: int | None = None) -> Scan:
        """See `Format.read`; other files in the folder are left aside."""
        return self._read(path, frame, Image().read)

    def _read(self, path: Path, frame: int | None, read: Callable[[Path], Scan]) -> Scan:
        if frame is not None:
            raise LiteMedSamError(f"{path}: a folder of slices has no frames", "leave --frame out")
        paths = _ordered(path)
        pages: list[np.ndarray] = []
        notes: list[str] = []
        inverted: set[bool] = set()
        for file in paths:
            scan = read(file)
            if scan.is_volume:
                raise LiteMedSamError(f"{file}: holds {len(scan.voxels)} pages, expected one slice")
            page = scan.voxels
            if not pages:
                require_memory(str(path), page.nbytes * len(paths))
            elif (page.shape, page.dtype) != (pages[0].shape, pages[0].dtype):
                raise LiteMedSamError(
                    f"{file}: {_described(page)}, where {paths[0].name} is {_described(pages[0])}",
                    "put the slices of one volume into a folder of their own",
                )
            pages.append(page)
            inverted.add(scan.inverted)
            notes += scan.notes
        if len(inverted) > 1:
            raise LiteMedSamError(f"{path}: high values are dark on some slices and bright on others", "invert some")
        origin = SlicesOrigin(tuple(p.stem for p in paths))
        return Scan(
            str(path),
            np.stack(pages),
            is_volume=True,
            inverted=inverted == {True},
            notes=_shortened(path, notes),
            origin=origin,
        )

    def result_name(self, source: str, stem: str) -> str:
        """See `Format.result_name`; a folder."""
        return stem

    def check_result(self, path: Path, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.check_result`; every result of up to 65535 objects fits."""

    def write(self, path: Path, labels: np.ndarray, scan: Scan, names: Sequence[str]) -> None:
        """See `Format.write`; a folder of PNG files, 8 or 16 bits by the number of objects."""
        if labels.dtype.itemsize > 2:
            raise LiteMedSamError(f"{path}: a picture holds at most 65535 objects", "use --format npz")
        pages = labels if labels.ndim == 3 else labels[None]
        digits = len(str(len(pages) - 1))
        origin = scan.origin
        stems = origin.names if isinstance(origin, SlicesOrigin) else [f"{z:0{digits}}" for z in range(len(pages))]
        files, highest = {}, int(labels.max())
        for stem, page in zip(stems, pages, strict=True):
            files[f"{stem}.png"] = png_of_labels(page, highest)
        write_folder_atomically(path, files)

    def read_mask(self, path: Path, scan: Scan) -> Mask:
        """See `Format.read_mask`; a folder of pictures, one number for each colour of the whole folder."""
        return mask_of_scan(path, self._read(path, None, read_labels), scan)


def _described(page: np.ndarray) -> str:
    colours = " in colour" if page.ndim == 3 else ""
    return f"{page.shape[1]} × {page.shape[0]} pixels of {page.dtype}{colours}"


def _shortened(folder: Path, notes: list[str]) -> tuple[str, ...]:
    """The first of the notes on single slices, and how many there are."""
    if len(notes) < 2:
        return tuple(notes)
    return (f"{notes[0]} ({len(notes)} such notes on the slices of {folder})",)
