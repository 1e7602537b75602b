"""A scanner's intensities to the 0..255 that the networks know, as the challenge's data were made."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...errors import LiteMedSamError
from ..case import check_not_unit

# No tissue is this dark on the scale of Hounsfield; air is −1000.
_AIR = -500
_PART = 1_000_000


class Scaling(Protocol):
    """One way to make 8-bit pixels."""

    @property
    def text(self) -> str:
        """How it is called in messages."""
        ...

    def pixels(self, name: str, voxels: np.ndarray) -> np.ndarray:
        """uint8 pixels of voxels of any real type; `name` is for messages, which are `LiteMedSamError`."""
        ...


def _parts(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Views of about a million values each of arrays of one shape, so that a large one is never held in float."""
    longest = int(np.argmax(arrays[0].shape))
    turned = [np.moveaxis(array, longest, 0) for array in arrays]
    count = max(_PART * len(turned[0]) // max(turned[0].size, 1), 1)
    for start in range(0, len(turned[0]), count):
        yield tuple(array[start : start + count] for array in turned)


def _spread(voxels: np.ndarray, low: float, high: float) -> np.ndarray:
    pixels = np.empty(voxels.shape, np.uint8)
    width = high - low if high > low else np.inf
    for source, target in _parts(voxels, pixels):
        levels = (np.clip(source.astype(np.float64), low, high) - low) / width * 255
        target[...] = np.rint(levels)
    return pixels


@dataclass(frozen=True)
class Window:
    """All between level − width / 2 and level + width / 2, spread over 0..255.

    Attributes
    ----------
    level, width : float
        In the scan's own units, Hounsfield units for CT.
    name : str
        Of a preset, else empty.
    """

    level: float
    width: float
    name: str = ""

    @property
    def text(self) -> str:
        """For people."""
        return f"window {self.name + ' ' if self.name else ''}(level {self.level:g}, width {self.width:g})"

    def pixels(self, name: str, voxels: np.ndarray) -> np.ndarray:
        """See `Scaling.pixels`."""
        return _spread(voxels, self.level - self.width / 2, self.level + self.width / 2)


@dataclass(frozen=True)
class Percentiles:
    """From the 0.5th to the 99.5th percentile of the voxels that are not zero; those stay at 0.

    Where some values are negative, zero is no background but a value like others: then all voxels count.
    """

    text: str = "0.5 to 99.5 percentile of the non-zero voxels"

    def pixels(self, name: str, voxels: np.ndarray) -> np.ndarray:
        """See `Scaling.pixels`."""
        if voxels.size and voxels.min() < 0:
            return _spread(voxels, *np.percentile(voxels, [0.5, 99.5]))
        present = voxels[voxels != 0]
        if present.size == 0:
            return np.zeros(voxels.shape, np.uint8)
        low, high = np.percentile(present, [0.5, 99.5], overwrite_input=True)
        del present
        pixels = _spread(voxels, low, high)
        pixels[voxels == 0] = 0
        return pixels


@dataclass(frozen=True)
class Unchanged:
    """Values of 0..255 as they are."""

    text: str = "as stored"

    def pixels(self, name: str, voxels: np.ndarray) -> np.ndarray:
        """See `Scaling.pixels`."""
        low, high = voxels.min(), voxels.max()
        check_not_unit(name, voxels.dtype, high)
        if low < 0 or high > 255:
            raise LiteMedSamError(
                f"{name}: has values from {low} to {high}, expected 0..255 without a window",
                "choose another --window",
            )
        if voxels.dtype.kind != "f":
            return voxels.astype(np.uint8, copy=False)
        levels = np.empty(voxels.shape, np.uint8)
        np.rint(voxels, out=levels, casting="unsafe")
        return levels


# The first three as the MedSAM data were made (doi.org/10.1038/s41467-024-44824-z); the others are usual ones.
PRESETS = {
    window.name: window
    for window in (
        Window(40, 400, "abdomen"),
        Window(-160, 1500, "lung"),
        Window(40, 80, "brain"),
        Window(400, 1800, "bone"),
        Window(50, 350, "mediastinum"),
    )
}
_OTHERS: dict[str, Scaling] = {"percentiles": Percentiles(), "none": Unchanged()}


def scaling_named(text: str) -> Scaling:
    """The scaling that a user asks for: a preset, ``LEVEL,WIDTH``, ``percentiles`` or ``none``.

    Raises
    ------
    LiteMedSamError
        For anything else.
    """
    known = {**PRESETS, **_OTHERS}
    if text in known:
        return known[text]
    try:
        level, width = (float(number) for number in text.split(","))
    except ValueError:
        level = width = np.nan
    if not (np.isfinite(level) and np.isfinite(width) and width > 0):
        raise LiteMedSamError(
            f"unknown window {text!r}; expected one of {', '.join(known)}, or LEVEL,WIDTH with a width above 0"
        )
    return Window(level, width)


def usual_scaling(voxels: np.ndarray, modality: str) -> tuple[Scaling, bool]:
    """What is done to a scan when nobody says otherwise.

    Parameters
    ----------
    voxels : ndarray
    modality : str
        As DICOM codes it (``CT``, ``MR``, ``PT``, …), empty where it is not known.

    Returns
    -------
    scaling : Scaling
        The abdomen window for CT, or where the values tell of raw Hounsfield units; 8-bit data unchanged; the
        percentiles otherwise.
    guessed : bool
        Whether a window was chosen for raw Hounsfield units, of which the user should know.
    """
    if modality == "CT" and voxels.dtype != np.uint8:
        return PRESETS["abdomen"], True
    if voxels.dtype == np.uint8:
        return _OTHERS["none"], False
    if not modality and voxels.min() <= _AIR:
        return PRESETS["abdomen"], True
    return _OTHERS["percentiles"], False


def check_finite(name: str, voxels: np.ndarray) -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    LiteMedSamError
    """
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        count = int(np.count_nonzero(~np.isfinite(voxels)))
        raise LiteMedSamError(
            f"{name}: {count} of {voxels.size} voxels are NaN or infinite", "replace them, for example by 0"
        )
