"""Pixels of a DICOM data set, decoded and rescaled."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ....archive import BROKEN
from ....errors import LiteMedSamError
from ...system.optional import needed
from .files import short_reason
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


def decoded(path: Path, image: Any) -> np.ndarray:
    """The pixels of a data set.

    Parameters
    ----------
    path : Path
        For messages.
    image : pydicom.Dataset

    Returns
    -------
    ndarray
        Rescaled values (frames, H, W), integers where slope and intercept are, else float32 or as a lookup table
        gives them; or uint8 colours (frames, H, W, 3).

    Raises
    ------
    LiteMedSamError
        When no installed decoder reads them, they are damaged, or are not as many frames as declared.
    """
    pixels = needed("pydicom.pixels", "dicom")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = image.pixel_array
            palette = image.PhotometricInterpretation == "PALETTE COLOR"
            if palette:
                array = pixels.apply_color_lut(array, image)
            coloured = palette or image.get("SamplesPerPixel", 1) == 3
            if coloured and array.dtype != np.uint8:
                depth = array.dtype.itemsize * 8 if palette else int(image.BitsStored)
                array = (array >> max(depth - 8, 0)).astype(np.uint8)
            elif not coloured:
                array = _rescaled(array, image, pixels)
    except RuntimeError as error:
        syntax = image.file_meta.get("TransferSyntaxUID") if hasattr(image, "file_meta") else None
        raise LiteMedSamError(
            f"{path}: no decoder here can read its pixels ({getattr(syntax, 'name', syntax)})",
            "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg",
        ) from error
    except BROKEN as error:
        raise LiteMedSamError(
            f"{path}: its pixels are damaged ({short_reason(error)})", "copy the file again"
        ) from error
    array = array if array.ndim == (4 if coloured else 3) else array[None]
    if len(array) != int(image.get("NumberOfFrames") or 1):
        raise LiteMedSamError(
            f"{path}: holds {len(array)} frames, declares {image.get('NumberOfFrames')}", "copy the file again"
        )
    return array


def _rescaled(array: np.ndarray, image: Any, pixels: Any) -> np.ndarray:
    if "ModalityLUTSequence" in image:
        return pixels.apply_modality_lut(array, image)
    groups = functional_groups(image)
    if groups is None:
        return _line(array, image)
    frames = array if array.ndim == 3 else array[None]
    scaled = []
    for k, frame in enumerate(frames):
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
