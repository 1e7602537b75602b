"""Settings: checked when they are made, and sent to other processes."""

import pickle

import numpy as np
import pytest
from litemedsam.engine import settings as module
from litemedsam.engine.settings import EngineSettings

from litemedsam import LiteMedSamError, Predictor


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("threads", value) for value in (0, -1, 1025, 10**30, 1.5, float("inf"), "2", True)),
        *(("seed", value) for value in (-1, 0.5, float("nan"), None, "0")),
        *(("cache_mb", value) for value in (-1.0, float("inf"), float("nan"), 1e308, 10**400, "512", None)),
    ],
)
def test_a_value_out_of_its_range_is_refused(name, value):
    with pytest.raises(LiteMedSamError, match=f"^{name} is .*, expected a (whole )?number"):
        EngineSettings(**{name: value})


def test_numbers_of_numpy_are_numbers():
    settings = EngineSettings(threads=np.int64(2), seed=np.uint32(7), cache_mb=np.float32(0.5))
    assert settings.processors == 2


def test_settings_arrive_in_another_process_as_they_left():
    settings = EngineSettings(threads=3, seed=7, precision="f32", cache_mb=0)
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - of the test's own


def test_workers_divide_the_processors_unless_threads_are_given(monkeypatch):
    monkeypatch.setattr(module, "available_processors", lambda: 8)
    assert EngineSettings().processors == 8
    assert EngineSettings().shared_by(3).threads == 2
    assert EngineSettings().shared_by(20).threads == 1
    assert EngineSettings(threads=4).shared_by(3).threads == 4


def test_a_predictor_of_settings_has_them(tiny_bundle):
    settings = EngineSettings(tiny_bundle, "onnxruntime", "f32", threads=1, seed=5, cache_mb=3)
    with Predictor.of(settings) as predictor:
        assert predictor.settings == settings
        assert (predictor.bundle, predictor.backend, predictor.threads) == (tiny_bundle, "onnxruntime", 1)
