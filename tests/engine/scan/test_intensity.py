"""Intensities without a window."""

import numpy as np
import pytest

from litemedsam import LiteMedSamError


def spread(values, low, high):
    return np.rint((np.clip(values.astype(float), low, high) - low) / (high - low) * 255)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("modality", ["MR", ""])
def test_zero_is_a_value_like_others_where_some_are_negative(dtype, modality):
    from litemedsam.engine.scan.intensity import usual_scaling

    values = np.random.default_rng(0).integers(-400, 400, (40, 50)).astype(dtype)
    values[:20] = 0
    scaling, _ = usual_scaling(values, modality)
    expected = spread(values, *np.percentile(values, [0.5, 99.5]))
    np.testing.assert_array_equal(scaling.pixels("a", values), expected)
    assert scaling.pixels("a", values)[0, 0] == 128


def test_zero_is_background_where_no_value_is_negative():
    from litemedsam.engine.scan.intensity import Percentiles

    values = np.random.default_rng(0).integers(300, 900, (40, 50)).astype(np.int16)
    values[:20] = 0
    expected = spread(values, *np.percentile(values[20:], [0.5, 99.5]))
    expected[:20] = 0
    np.testing.assert_array_equal(Percentiles().pixels("a", values), expected)


@pytest.mark.parametrize("highest", [0.3, 1.0, 1.2])
def test_floats_scaled_to_one_are_no_levels(highest):
    from litemedsam.engine.scan.intensity import Unchanged

    values = np.float32([[0, highest]])
    with pytest.raises(LiteMedSamError, match=r"looks scaled to 0\.\.1; expected 0\.\.255; multiply it by 255"):
        Unchanged().pixels("a", values)


def test_values_without_a_window():
    from litemedsam.engine.scan.intensity import Unchanged, scaling_named

    floats = np.float32([[0.4, 254.6], [100.5, 7]])
    np.testing.assert_array_equal(Unchanged().pixels("a", floats), [[0, 255], [100, 7]])
    np.testing.assert_array_equal(Unchanged().pixels("a", np.int16([[0, 255]])), [[0, 255]])
    for bad in (np.int16([[-1, 4]]), np.int16([[0, 256]])):
        with pytest.raises(LiteMedSamError, match=r"expected 0\.\.255 without a window; choose another --window"):
            scaling_named("none").pixels("a", bad)
