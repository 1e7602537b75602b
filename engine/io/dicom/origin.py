"""What a scan keeps of its DICOM images, so that results can refer to them."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DicomOrigin:
    """The images that a DICOM SEG refers to.

    Attributes
    ----------
    images : tuple of pydicom.Dataset
        The series without its pixels: one per slice, in the order of the slices, or one of many frames.
    frames : tuple of int
        For one dataset of many frames, the frame of each slice.
    """

    images: tuple[Any, ...]
    frames: tuple[int, ...] = ()

    @property
    def frame_count(self) -> int:
        """How many frames the images have, those that are no slices of the scan included."""
        return max(len(self.images), int(self.images[0].get("NumberOfFrames") or 1))

    @property
    def part(self) -> tuple[int, ...]:
        """The frames of the slices where the file has more, as one of several time points; empty otherwise."""
        return self.frames if self.frames and len(self.frames) < self.frame_count else ()
