"""Settings of a run: the recipes, and what is refused."""

import pytest
from litemedsam.training.config import TrainingConfig, read_config

from litemedsam import LiteMedSamError


def test_the_recipes_are_configurations():
    assert read_config("default").frame == 256
    assert read_config("decoder").freeze_encoder
    assert read_config("further").steps == 800
    assert read_config("litemedsam-begin").freeze_encoder
    assert read_config("litemedsam").fresh == 1
    assert read_config("litemedsam-encoder").frozen_stages == 4
    assert read_config("finetune").synthetic < 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step = 3", "unknown settings step"),
        ("steps = 'many'", "expected a whole number"),
        ("steps = true", "expected a whole number"),
        ("frame = 100", "multiple of 32"),
        ("ema = 1", "below 1"),
        ("steps = ", "not a TOML file"),
    ],
)
def test_bad_configurations_are_refused(tmp_path, text, said):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(LiteMedSamError, match=said):
        read_config(tmp_path / "bad.toml")


def test_whole_numbers_do_for_fractions(tmp_path):
    (tmp_path / "good.toml").write_text('clip = 2\ndata = ["a", "b"]')
    assert read_config(tmp_path / "good.toml") == TrainingConfig(clip=2.0, data=("a", "b"))


def test_an_absent_configuration_names_the_recipes(tmp_path):
    with pytest.raises(LiteMedSamError, match="default, finetune"):
        read_config(tmp_path / "absent.toml")


@pytest.mark.parametrize(("share", "steps"), [(0.0, 0), (0.25, 25), (0.5, 50), (1.0, 100)])
def test_steps_with_windows_are_spread_evenly(share, steps):
    config = TrainingConfig(window_share=share)
    windowed = [config.windowed(step) for step in range(100)]
    assert sum(windowed) == steps
    for start in range(0, 100, 20):
        assert sum(windowed[start : start + 20]) == steps // 5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"window": 288, "window_share": 0.5}, "'window' is 288, expected at most the frame, 256"),
        ({"subjects": ("(",)}, "expected a regular expression with one group"),
        ({"subjects": ("abc",)}, "expected a regular expression with one group"),
        ({"scribble": "spiral"}, "'scribble' is spiral, expected one of"),
        ({"learning_rate": 0.0}, "'learning_rate' is 0.0, expected above 0"),
        ({"focus": 30}, "expected a multiple of 4, at least 32"),
    ],
)
def test_settings_beyond_their_range_are_refused(given, words):
    with pytest.raises(LiteMedSamError, match=words):
        TrainingConfig(**given)
