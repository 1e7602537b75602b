"""Intensities without a window."""

import numpy as np
import pytest

from litemedsam import LiteMedSamError


def test_values_without_a_window():
    from litemedsam.engine.scan.intensity import Unchanged, scaling_named

    floats = np.float32([[0.4, 254.6], [100.5, 7]])
    np.testing.assert_array_equal(Unchanged().pixels("a", floats), [[0, 255], [100, 7]])
    np.testing.assert_array_equal(Unchanged().pixels("a", np.int16([[0, 255]])), [[0, 255]])
    for bad in (np.int16([[-1, 4]]), np.int16([[0, 256]])):
        with pytest.raises(LiteMedSamError, match=r"expected 0\.\.255 without a window; choose another --window"):
            scaling_named("none").pixels("a", bad)
