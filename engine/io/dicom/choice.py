"""Which images of a folder are read: those of one series, without localizers and reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ....errors import LiteMedSamError
from .files import SEGMENTATION, files, is_dicom, load
from .groups import number_in
from .pixels import has_pixels

_LONGEST_LIST = 3
# DICOM PS3.4, B.5: pictures of a screen or of a scanned sheet, such as a dose report.
_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"

# Modalities of reports, plans and the like.
_WITHOUT_IMAGES = (SEGMENTATION, "SR", "PR", "KO", "DOC", "REG", "RTSTRUCT", "RTPLAN", "RTRECORD", "PLAN", "AU", "ECG")


@dataclass(frozen=True)
class Found:
    """The images of one series.

    Attributes
    ----------
    images : list of tuple of (Path, pydicom.Dataset)
        Each image with its file.
    notes : tuple of str
        What was left aside, for the user.
    """

    images: list[tuple[Path, Any]]
    notes: tuple[str, ...] = ()

    def without(self, name: str, what: str, aside: Callable[[Any], bool]) -> Found:
        """The images that are not of some kind, unless all are; a note names the others' files.

        Parameters
        ----------
        name : str
            For the note.
        what : str
            The kind.
        aside : callable
            Whether an image is of that kind.
        """
        kept = [pair for pair in self.images if not aside(pair[1])]
        if not kept or len(kept) == len(self.images):
            return self
        left = [path for path, image in self.images if aside(image)]
        return replace(self, images=kept, notes=(*self.notes, _left_aside(name, what, left)))


def _left_aside(name: str, what: str, paths: Sequence[Path]) -> str:
    listed = ", ".join(path.name for path in paths[:_LONGEST_LIST])
    more = f" and {len(paths) - _LONGEST_LIST} more" if len(paths) > _LONGEST_LIST else ""
    return f"{name}: left aside {what}: {listed}{more}"


def is_localizer(image: Any) -> bool:
    """Whether an image is a scout on which the slices of others were planned."""
    return "LOCALIZER" in _kinds(image)


def is_capture(image: Any) -> bool:
    """Whether an image is a picture of a screen or sheet, such as a dose report, and lies nowhere in the patient."""
    captured = str(image.get("SOPClassUID", "")).startswith(_CAPTURES) or "SCREEN SAVE" in _kinds(image)
    return captured and not image.get("ImagePositionPatient")


def _kinds(image: Any) -> list[str]:
    kinds = image.get("ImageType") or ()
    return [str(kind).upper() for kind in ([kinds] if isinstance(kinds, str) else kinds)]


def images_in(folder: Path, series: str | None) -> Found:
    """The images of the one series in a folder, or of the one that is asked for.

    Parameters
    ----------
    folder : Path
    series : str or None
        Number, UID, or a part of the description of the series, capitals or not.

    Raises
    ------
    LiteMedSamError
        When there are no images, or those of several series.
    """
    others, loaded = [], []
    for file in files(folder):
        if is_dicom(file):
            loaded.append((file, load(file)))
        else:
            others.append(file)
    pictures = [pair for pair in loaded if has_pixels(pair[1]) and pair[1].get("Modality") != SEGMENTATION]
    notes = [_left_aside(str(folder), "files that are not DICOM", others)] if others else []
    rest = [(path, image) for path, image in loaded if not any(image is picture for _, picture in pictures)]
    for path, image in rest:
        if _lost_its_pixels(image):
            raise LiteMedSamError(
                f"{path}: an image without pixels, or cut off before them", "export it again, or leave it out"
            )
    for what in sorted({_object_name(image) for _, image in rest}):
        notes.append(_left_aside(str(folder), what, [path for path, image in rest if _object_name(image) == what]))
    if not pictures:
        raise LiteMedSamError(f"{folder}: contains no DICOM images")
    found = Found(pictures, tuple(notes))
    if series is not None:
        return replace(found, images=_of_series(folder, pictures, series)).without(
            str(folder), "localizers", is_localizer
        )
    found = found.without(str(folder), "localizers", is_localizer).without(
        str(folder), "captured screens and reports", is_capture
    )
    _check_one_series(folder, found.images)
    return found


def _lost_its_pixels(image: Any) -> bool:
    """Whether a data set without pixels is an image by its class and modality."""
    is_image = "Image Storage" in getattr(image.get("SOPClassUID"), "name", "")
    return is_image and str(image.get("Modality", "")) not in _WITHOUT_IMAGES


def _object_name(image: Any) -> str:
    """What a data set without an image is, in words."""
    if image.get("Modality") == SEGMENTATION:
        return "segmentations"
    name = getattr(image.get("SOPClassUID"), "name", "")
    return f"objects without an image ({name})" if name else "objects without an image"


def _by_series(images: Sequence[tuple[Path, Any]]) -> dict[str, list[tuple[Path, Any]]]:
    series: dict[str, list[tuple[Path, Any]]] = {}
    for pair in images:
        series.setdefault(str(pair[1].get("SeriesInstanceUID", "")), []).append(pair)
    # In the order of a work list, whatever the files' names.
    return dict(sorted(series.items(), key=lambda item: (number_in(item[1][0][1], "SeriesNumber") or 0, item[0])))


def _described(images: Sequence[tuple[Path, Any]]) -> str:
    first = images[0][1]
    number = number_in(first, "SeriesNumber")
    description = str(first.get("SeriesDescription", "") or "").strip() or "without description"
    count = f"{len(images)} image{'' if len(images) == 1 else 's'}"
    return f"{'' if number is None else f'{number:.0f}: '}{first.get('Modality', '?')} {description}, {count}"


def _check_one_series(folder: Path, images: Sequence[tuple[Path, Any]]) -> None:
    series = _by_series(images)
    if len(series) > 1:
        numbers = {number_in(found[0][1], "SeriesNumber") for found in series.values()}
        # Series that share a number are told apart by their UIDs.
        alike = len(numbers) < len(series)
        listed = "; ".join(
            _described(found) + (f", {uid or 'without UID'}" if alike else "") for uid, found in series.items()
        )
        raise LiteMedSamError(
            f"{folder}: contains {len(series)} series ({listed})",
            "choose one with --series NUMBER, UID or a part of its description",
        )


def _of_series(folder: Path, images: Sequence[tuple[Path, Any]], asked: str) -> list[tuple[Path, Any]]:
    """The images of the series that `asked` names: by its UID, else by its number, else by its description."""
    series = _by_series(images)
    wanted = asked.strip().lower()
    ways: tuple[Callable[[Any], bool], ...] = (
        lambda first: str(first.get("SeriesInstanceUID", "")) == wanted,
        lambda first: wanted.isdecimal() and number_in(first, "SeriesNumber") == int(wanted),
        lambda first: wanted in str(first.get("SeriesDescription", "") or "").lower(),
    )
    for way in ways:
        found = [pairs for pairs in series.values() if wanted and way(pairs[0][1])]
        if len(found) == 1:
            return found[0]
        if found:
            listed = "; ".join(f"{_described(pairs)}, {pairs[0][1].get('SeriesInstanceUID')}" for pairs in found)
            raise LiteMedSamError(f"{folder}: --series {asked} names {len(found)} series ({listed})", "give the UID")
    listed = "; ".join(map(_described, series.values()))
    raise LiteMedSamError(f"{folder}: contains no series {asked}, but {listed}")
