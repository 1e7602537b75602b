"""Agreement of two masks."""

import numpy as np


def dice(a: np.ndarray, b: np.ndarray, empty: float = float("nan")) -> float:
    """Dice similarity coefficient (DSC), 2 |A ∩ B| / (|A| + |B|).

    Parameters
    ----------
    a, b : ndarray
        bool, of one shape.
    empty : float
        The value for two empty masks.

    Returns
    -------
    float
        In [0, 1], or `empty`.
    """
    size = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / size if size else empty
