"""Places an image or slice in the network's square frame, as the published pipeline does."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# The networks were trained on area-averaged images. When it enlarges, this mode differs from bilinear.
RESIZE = cv2.INTER_AREA


@dataclass(frozen=True)
class Frame:
    """The place of an image in its square frame: scaled, in the top left corner, zeros elsewhere.

    Attributes
    ----------
    size : int
        Side of the frame in pixels.
    height, width : int
        The image's own size in pixels.
    scaled_height, scaled_width : int
        Its size in the frame, at least 1 and at most `size`.
    scale : float
        Frame pixels per image pixel, ``size / max(height, width)``.
    """

    size: int
    height: int
    width: int
    scaled_height: int
    scaled_width: int
    scale: float

    @classmethod
    def of(cls, height: int, width: int, size: int) -> Frame:
        """The frame of an image of height × width pixels."""
        scale = size / max(height, width)
        scaled_height, scaled_width = (max(1, int(side * scale + 0.5)) for side in (height, width))
        return cls(size, height, width, scaled_height, scaled_width, scale)


def to_frame(image: np.ndarray, size: int = 256) -> tuple[np.ndarray, Frame]:
    """Resize, normalise by the image's own range, and pad.

    Parameters
    ----------
    image : ndarray
        uint8 (H, W) or (H, W, 3).
    size : int
        Side of the frame in pixels.

    Returns
    -------
    pixels : ndarray
        float32 (3, size, size) in [0, 1]; a constant image gives zeros.
    frame : Frame
        Where the image lies in it.
    """
    frame = Frame.of(image.shape[0], image.shape[1], size)
    scaled = cv2.resize(np.ascontiguousarray(image), (frame.scaled_width, frame.scaled_height), interpolation=RESIZE)
    low, high = int(scaled.min()), int(scaled.max())
    levels = (np.arange(256.0) - low) / max(high - low, 1)
    normalised = levels.astype(np.float32)[scaled]
    pixels = np.zeros((3, size, size), np.float32)
    channels_first = normalised if normalised.ndim == 2 else normalised.transpose(2, 0, 1)
    pixels[:, : frame.scaled_height, : frame.scaled_width] = channels_first
    return pixels, frame
