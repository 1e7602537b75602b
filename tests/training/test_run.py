"""One step after another: the rate, what learns, and what is frozen."""

import numpy as np
import pytest
import torch
from litemedsam.training.config import TrainingConfig
from litemedsam.training.loop import initial_model
from litemedsam.training.run import Run, rate_at
from litemedsam.training.stream import Stream

from litemedsam import LiteMedSamError


def test_the_loss_falls():
    config = TrainingConfig(frame=64, images=1, prompts=4, steps=12, warm_up=2, learning_rate=1e-3, synthetic=1.0)
    batch = Stream(config, [])[0]
    run = Run(config, initial_model(config, None), torch.device("cpu"))
    losses = [run.advance(batch)["total"] for _ in range(12)]
    assert np.mean(losses[-2:]) < 0.8 * losses[0]


def test_frozen_statistics_stay():
    config = TrainingConfig(frame=32, images=1, prompts=1, synthetic=1.0)
    run = Run(config, initial_model(config, None), torch.device("cpu"))
    before = {name: value.clone() for name, value in run.model.named_buffers()}
    run.advance(Stream(config, [])[0])
    assert all(torch.equal(value, before[name]) for name, value in run.model.named_buffers())


def test_the_rate_rises_and_falls():
    config = TrainingConfig(steps=100, warm_up=10, learning_rate=1.0, last_rate=0.1)
    rates = [rate_at(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1
    assert rates[-1] == pytest.approx(0.1, abs=0.01)
    assert np.argmax(rates) == 10


def test_a_frozen_encoder_stays_and_the_rest_learns():
    config = TrainingConfig(frame=32, images=1, prompts=1, synthetic=1.0, freeze_encoder=True, warm_up=0)
    run = Run(config, initial_model(config, None), torch.device("cpu"))
    before = {name: value.clone() for name, value in run.model.named_parameters()}
    run.advance(Stream(config, [])[0])
    changed = {name for name, value in run.model.named_parameters() if not torch.equal(value, before[name])}
    assert not any(name.startswith("image_encoder") for name in changed)
    assert {name.split(".")[0] for name in changed} == {"mask_decoder", "prompt_encoder"}


def test_a_loss_that_is_no_number_ends_the_run():
    config = TrainingConfig(frame=32, images=1, prompts=1, synthetic=1.0)
    run = Run(config, initial_model(config, None), torch.device("cpu"))
    with torch.no_grad():
        run.model.mask_decoder.iou_token.weight.fill_(float("nan"))
    with pytest.raises(LiteMedSamError, match="step 0: the loss is nan, expected a finite number"):
        run.advance(Stream(config, [])[0])
    assert run.step == 0
