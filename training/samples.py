"""A training image and its objects."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sample:
    """An image and the objects in it.

    Attributes
    ----------
    image : ndarray
        uint8 (H, W) or (H, W, 3).
    masks : ndarray
        bool (n, H, W), n ≥ 1, one object each; objects may overlap, none is empty.
    """

    image: np.ndarray
    masks: np.ndarray
