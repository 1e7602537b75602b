"""Pixels of a DICOM data set, decoded and rescaled."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import LiteMedSamError
from ...system.optional import needed
from .files import broken, short_reason
from .groups import functional_groups, in_group

_PART = 1_000_000


def declared_bytes(image: Any) -> int:
    """How many bytes the pixels take while they are decoded, by the sizes that the data set declares."""
    sides = [int(image.get(key) or 0) for key in ("Rows", "Columns")]
    counts = [int(image.get(key) or 1) for key in ("NumberOfFrames", "SamplesPerPixel")]
    if min(*sides, *counts) < 0:
        raise ValueError("a negative size")
    return math.prod((*sides, *counts)) * max(int(image.get("BitsAllocated") or 8) // 8, 4)


def has_pixels(image: Any) -> bool:
    """Whether a data set holds an image."""
    return any(key in image for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))


@dataclass(frozen=True)
class Pixels:
    """The frames of a data set.

    Attributes
    ----------
    values : ndarray
        Rescaled values (frames, H, W), integers where slope and intercept are, else float32 or as a lookup table
        gives them; or uint8 colours (frames, H, W, 3).
    padding : ndarray or None
        bool (frames, H, W), where the scanner filled the image up; None where it did not.
    """

    values: np.ndarray
    padding: np.ndarray | None = None


def decoded(path: Path, image: Any) -> Pixels:
    """The pixels of a data set, rescaled.

    Parameters
    ----------
    path : Path
        For messages.
    image : pydicom.Dataset

    Returns
    -------
    Pixels

    Raises
    ------
    LiteMedSamError
        As `stored_frames`.
    """
    pixels = needed("pydicom.pixels", "dicom")
    array = stored_frames(path, image)
    with _decodable(path, image, pixels):
        palette = image.PhotometricInterpretation == "PALETTE COLOR"
        if palette:
            array = pixels.apply_color_lut(array, image)
        coloured = array.ndim == 4
        if not coloured:
            return Pixels(_rescaled(array, image, pixels), _padding(array, image))
        if array.dtype != np.uint8:
            depth = array.dtype.itemsize * 8 if palette else int(image.BitsStored)
            array = (array >> max(depth - 8, 0)).astype(np.uint8)
    return Pixels(array)


def stored_frames(path: Path, image: Any) -> np.ndarray:
    """The frames of a data set as it stores them, (frames, H, W) or (frames, H, W, 3).

    Raises
    ------
    LiteMedSamError
        When no installed decoder reads them, they are damaged, or are not as many frames as declared.
    """
    pixels = needed("pydicom.pixels", "dicom")
    with _decodable(path, image, pixels):
        array: np.ndarray = image.pixel_array
        frames = int(image.get("NumberOfFrames") or 1)
        rank = 4 if int(image.get("SamplesPerPixel") or 1) == 3 else 3
    array = array if array.ndim == rank else array[None]
    if len(array) != frames:
        raise LiteMedSamError(
            f"{path}: contains {len(array)} frames, declares {frames}", "export it from its archive again"
        )
    return array


@contextmanager
def _decodable(path: Path, image: Any, pixels: Any) -> Iterator[None]:
    """A context that turns the decoders' exceptions into a `LiteMedSamError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except broken() as error:
        syntax = image.file_meta.get("TransferSyntaxUID") if hasattr(image, "file_meta") else None
        if isinstance(error, RuntimeError) and _needs_decoder(syntax, pixels):
            raise LiteMedSamError(
                f"{path}: no decoder here can read its pixels ({getattr(syntax, 'name', syntax)})",
                "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, or export it uncompressed",
            ) from error
        raise LiteMedSamError(
            f"{path}: its pixels are damaged or cut off ({short_reason(error)})",
            "export it from its archive again, or leave it out",
        ) from error


def _needs_decoder(syntax: Any, pixels: Any) -> bool:
    """Whether a kind of compression is read by no installed decoder, or by more decoders than are installed."""
    if syntax is None or not syntax.is_encapsulated:
        return False
    try:
        decoder = pixels.get_decoder(syntax)
    except NotImplementedError:
        return True
    missing = " ".join(decoder.missing_dependencies)
    return not decoder.is_available or any(name in missing for name in ("pylibjpeg-libjpeg", "pylibjpeg-openjpeg"))


def _padding(stored: np.ndarray, image: Any) -> np.ndarray | None:
    """Where stored values are padding (PS3.3, C.7.5.1.1.2), bool of their shape; None where none or all are."""
    value = image.get("PixelPaddingValue")
    limit = image.get("PixelPaddingRangeLimit", value)
    if stored.dtype.kind not in "ui" or not isinstance(value, int) or not isinstance(limit, int):
        return None
    # Either may be written as a number without sign for pixels with one, and the other way round.
    bits = 8 * stored.dtype.itemsize
    ends = np.array([value % 2**bits, limit % 2**bits], f"u{stored.dtype.itemsize}").view(stored.dtype)
    found: np.ndarray = (stored >= ends.min()) & (stored <= ends.max())
    return found if found.any() and not found.all() else None


def _rescaled(array: np.ndarray, image: Any, pixels: Any) -> np.ndarray:
    if "ModalityLUTSequence" in image:
        looked_up: np.ndarray = pixels.apply_modality_lut(array, image)
        return looked_up
    groups = functional_groups(image)
    if groups is None:
        return _line(array, image)
    scaled = []
    for k, frame in enumerate(array):
        found = in_group(groups, k, "PixelValueTransformationSequence")
        scaled.append(_line(frame, image if found is None else found))
    return np.stack(scaled)


def _line(array: np.ndarray, where: Any) -> np.ndarray:
    """Rescale slope and intercept; whole numbers stay whole."""
    slope, intercept = float(where.get("RescaleSlope", 1) or 1), float(where.get("RescaleIntercept", 0) or 0)
    if (slope, intercept) == (1, 0):
        return array
    whole = array.dtype.kind in "ui" and slope == int(slope) and intercept == int(intercept)
    if whole and _fits(array, slope, intercept):
        array = array.astype(np.int32)
        array *= int(slope)
        array += int(intercept)
        return array
    scaled = np.empty(array.shape, np.float32)
    source, target = array.reshape(-1), scaled.reshape(-1)
    for start in range(0, len(source), _PART):
        target[start : start + _PART] = source[start : start + _PART] * slope + intercept
    return scaled


def _fits(array: np.ndarray, slope: float, intercept: float) -> bool:
    """Whether rescaled values are whole numbers of 32 bits."""
    limits = np.iinfo(np.int32)
    ends = [int(value) * slope + intercept for value in (array.min(), array.max())]
    return array.max() <= limits.max and limits.min <= min(ends) and max(ends) <= limits.max


def without_pixels(image: Any) -> Any:
    """A data set whose pixels were deleted; the same object."""
    for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        if key in image:
            del image[key]
    return image
