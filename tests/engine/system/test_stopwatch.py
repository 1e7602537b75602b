"""Stages add up, also when they fail."""

import pytest
from litemedsam.engine.system.stopwatch import Stopwatch


def test_stages_of_one_name_add_up():
    watch = Stopwatch()
    with watch.stage("decode"):
        pass
    once = watch.seconds["decode"]
    with watch.stage("decode"), watch.stage("masks"):
        pass
    assert list(watch.seconds) == ["decode", "masks"]
    assert watch.seconds["decode"] >= once >= 0


def test_a_stage_that_fails_counts():
    watch = Stopwatch()
    with pytest.raises(ValueError, match="some"), watch.stage("encode"):
        raise ValueError("some")
    assert watch.seconds["encode"] >= 0
