"""The loop: it learns, it resumes to the bit, it fine-tunes from one command."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from litemedsam.models import load_checkpoint
from litemedsam.training.cli import main
from litemedsam.training.config import TrainingConfig
from litemedsam.training.loop import initial_model, read_checkpoint, train
from litemedsam.training.losses import mask_losses, window
from litemedsam.training.run import Run, rate_at
from litemedsam.training.scenes import draw_scene
from litemedsam.training.stream import Stream

from litemedsam import LiteMedSamError

TINY = TrainingConfig(
    seed=1,
    steps=4,
    frame=64,
    window=32,
    window_share=0.5,
    window_images=1,
    images=1,
    prompts=2,
    synthetic=1.0,
    warm_up=1,
    checkpoint_every=3,
    measure_scenes=1,
    workers=0,
    freeze_statistics=False,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors on busy cores: threads would only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def own_cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    for number in range(10):
        sample = draw_scene(np.random.default_rng(number), 64, "skin")
        marks = sample.masks[0].astype(np.uint8)
        np.savez_compressed(folder / f"2DBox_Dermoscopy_own_{number}.npz", imgs=sample.image, gts=marks)
    return folder


def _states_equal(one, other):
    one, other = (load_checkpoint(path).state_dict() for path in (one, other))
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_falls():
    config = TrainingConfig(frame=64, images=1, prompts=4, steps=12, warm_up=2, learning_rate=1e-3, synthetic=1.0)
    batch = Stream(config, [])[0]
    run = Run(config, initial_model(config, None), torch.device("cpu"))
    losses = [run.advance(batch)["total"] for _ in range(12)]
    assert np.mean(losses[-2:]) < 0.8 * losses[0]


def test_resuming_gives_the_numbers_of_no_interruption(tmp_path):
    train(TINY, tmp_path / "whole")
    train(TINY, tmp_path / "parts", stop=lambda step: step == 2)
    train(TINY, tmp_path / "parts", resume=True)
    whole, parts = (torch.load(tmp_path / name / "last.pth", weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 4
    for kind in ("model", "averaged"):
        assert all(torch.equal(whole[kind][name], parts[kind][name]) for name in whole[kind])
    assert _states_equal(tmp_path / "whole" / "averaged-000004.pth", tmp_path / "parts" / "averaged-000004.pth")
    logs = []
    for name in ("whole", "parts"):
        lines = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        logs.append([{key: line[key] for key in ("step", "side", "total", "norm", "rate")} for line in lines])
    assert logs[0] == logs[1]
    assert [line["side"] for line in logs[0]] == [64, 32, 64, 32]
    assert (tmp_path / "whole" / "examples-000003.png").stat().st_size > 1000


def test_sigterm_to_the_whole_group_leaves_a_checkpoint_and_no_worker(tmp_path):
    long = {**asdict(TINY), "steps": 10_000, "checkpoint_every": 10_000, "measure_scenes": 0, "workers": 1}
    settings = "".join(f"{name} = {json.dumps(value)}\n" for name, value in long.items())
    (tmp_path / "long.toml").write_text(settings)
    code = "from litemedsam.training.cli import main; main()"
    command = [sys.executable, "-c", code, "long.toml", "--out", "run", "--threads", "1"]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True)
    log, deadline = tmp_path / "run" / "log.jsonl", time.monotonic() + 120
    while not (log.is_file() and log.read_text()):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGTERM)
    told, _ = run.communicate(timeout=120)
    assert run.returncode == 0
    done = len(log.read_text().splitlines())
    assert f"stopped after step {done}; continue with --resume" in told
    assert read_checkpoint(tmp_path / "run" / "last.pth")["step"] == done
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)


def test_workers_do_not_change_the_images():
    here = Stream(TINY, [])
    made = TrainingConfig(**{**TINY.__dict__, "workers": 1})
    for step, batch in enumerate(Stream(made, []).batches(0)):
        np.testing.assert_array_equal(batch[0].pixels, here[step][0].pixels)
        np.testing.assert_array_equal(batch[0].targets, here[step][0].targets)


def test_a_run_is_not_overwritten_or_resumed_with_other_settings(tmp_path):
    with pytest.raises(LiteMedSamError, match="cannot be read"):
        train(TINY, tmp_path, resume=True)
    (tmp_path / "last.pth").write_bytes(b"")
    with pytest.raises(LiteMedSamError, match="contains a run already"):
        train(TINY, tmp_path)
    with pytest.raises(LiteMedSamError, match="not a checkpoint"):
        train(TINY, tmp_path, resume=True)
    saved = {"format": 2, "config": {**TINY.__dict__, "data": [], "seed": 9}}
    torch.save(saved, tmp_path / "last.pth")
    with pytest.raises(LiteMedSamError, match=r"other settings \(seed\)"):
        train(TINY, tmp_path, resume=True)


def test_frozen_statistics_stay():
    config = TrainingConfig(frame=32, images=1, prompts=1, synthetic=1.0)
    run = Run(config, initial_model(config, None), torch.device("cpu"))
    before = {name: value.clone() for name, value in run.model.named_buffers()}
    run.advance(Stream(config, [])[0])
    assert all(torch.equal(value, before[name]) for name, value in run.model.named_buffers())


def test_the_command_fine_tunes_on_a_folder_of_ten_cases(tmp_path, own_cases):
    weights = tmp_path / "initial.pth"
    torch.save(initial_model(TINY, None).state_dict(), weights)
    config = tmp_path / "tiny.toml"
    config.write_text("frame = 32\nimages = 1\nprompts = 1\nheld_out = 0.0\nworkers = 0\nmeasure_scenes = 0\n")
    out = tmp_path / "run"
    arguments = [config, "--init", weights, "--data", own_cases, "--out", out, "--steps", 2, "--threads", 1]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "10 cases to learn from" in result.output
    tuned, initial = load_checkpoint(out / "best.pth"), load_checkpoint(weights)
    stored = torch.load(out / "best.pth", weights_only=True)["model"]
    assert stored["mask_decoder.iou_token.weight"].dtype == torch.float16
    changed = [not torch.equal(a, b) for a, b in zip(tuned.parameters(), initial.parameters(), strict=True)]
    assert any(changed)


def test_the_command_reports_in_one_line(tmp_path):
    result = CliRunner().invoke(main, [str(tmp_path / "absent.toml")])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert result.output.count("\n") == 1


def test_the_command_does_not_import_torch_for_its_help():
    code = "import sys, litemedsam.training.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_rate_rises_and_falls():
    config = TrainingConfig(steps=100, warm_up=10, learning_rate=1.0, last_rate=0.1)
    rates = [rate_at(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1
    assert rates[-1] == pytest.approx(0.1, abs=0.01)
    assert np.argmax(rates) == 10


def test_the_window_is_the_box_enlarged_by_a_quarter():
    found = window(torch.tensor([[20.0, 30.0, 40.0, 50.0]]), 64)[0]
    rows, columns = found.any(1).nonzero().flatten(), found.any(0).nonzero().flatten()
    assert (columns[0].item(), columns[-1].item(), rows[0].item(), rows[-1].item()) == (15, 45, 25, 55)


def test_losses_know_a_right_mask_from_an_empty_one():
    target = torch.zeros(1, 32, 32)
    target[:, 8:20, 10:22] = 1
    boxes = torch.tensor([[10.0, 8.0, 21.0, 19.0]])
    valid = torch.ones(32, 32, dtype=torch.bool)
    right = mask_losses((20 * (target - 0.5))[:, None], torch.ones(1), boxes, target, valid)
    empty = mask_losses(torch.full((1, 1, 32, 32), -10.0), torch.ones(1), boxes, target, valid)
    assert right.total < 1e-3
    assert right.dsc == 1
    assert empty.dice > 0.95
    assert empty.dsc == 0
    assert empty.iou == 1


def test_a_frozen_encoder_stays_and_the_rest_learns():
    config = TrainingConfig(frame=32, images=1, prompts=1, synthetic=1.0, freeze_encoder=True, warm_up=0)
    run = Run(config, initial_model(config, None), torch.device("cpu"))
    before = {name: value.clone() for name, value in run.model.named_parameters()}
    run.advance(Stream(config, [])[0])
    changed = {name for name, value in run.model.named_parameters() if not torch.equal(value, before[name])}
    assert not any(name.startswith("image_encoder") for name in changed)
    assert {name.split(".")[0] for name in changed} == {"mask_decoder", "prompt_encoder"}
