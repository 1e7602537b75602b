"""The record of a run: of the bundle and settings it was made with, and of several runs together."""

from dataclasses import replace
from pathlib import Path

import pytest
from example_run_info import INFO
from litemedsam.engine.backends.registry import runtime_version
from litemedsam.engine.bundle.precision import Choice
from litemedsam.engine.reporting.run_info import RunInfo
from litemedsam.engine.settings import EngineSettings
from tiny_bundle import INFO as BUNDLE

from litemedsam import LiteMedSamError, __version__


@pytest.mark.parametrize("named", [True, False])
def test_a_record_says_what_masks_depend_on(named):
    settings = EngineSettings(Path("b") if named else None, "onnxruntime", protocol="published", threads=3, seed=7)
    info = RunInfo.of(settings, Path("b"), BUNDLE, Choice("f32", "was asked for"), 0.123456)
    assert (info.litemedsam, info.backend_version) == (__version__, runtime_version("onnxruntime"))
    assert (info.bundle, info.default_model) == ("b", not named)
    assert (info.model, info.weights_sha256) == (BUNDLE.model, BUNDLE.weights_sha256)
    assert (info.precision, info.precision_reason, info.protocol) == ("f32", "was asked for", "published")
    assert (info.threads, info.seed, info.seconds_to_load) == (3, 7, 0.1235)


def test_parts_are_listed_where_they_differ_and_the_largest_number_counts():
    other = replace(INFO, machine="other", threads=8, seconds_to_load=0.25, default_model=True)
    both = RunInfo.of_parts([replace(INFO, default_model=True), other, other])
    assert both == replace(INFO, machine=f"{INFO.machine}, other", threads=8, default_model=True)
    assert RunInfo.of_parts([INFO, other]).default_model is False
    assert RunInfo.of_parts([INFO]) == INFO


@pytest.mark.parametrize("changed", [{"seed": 1}, {"protocol": "published"}, {"weights_sha256": "cd" * 32}])
def test_parts_of_other_masks_do_not_belong_together(changed):
    (name,) = changed
    with pytest.raises(LiteMedSamError, match=f"the parts have different {name}: .* segment all parts with the same"):
        RunInfo.of_parts([INFO, replace(INFO, **changed)])
