"""The loop: it resumes to the bit, stops in order, and replaces no run."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
import torch
from litemedsam.models import load_checkpoint
from litemedsam.training.loop import read_checkpoint, train
from training_runs import TINY

from litemedsam import LiteMedSamError


def _states_equal(one, other):
    one, other = (load_checkpoint(path).state_dict() for path in (one, other))
    return all(torch.equal(one[name], other[name]) for name in one)


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


def test_a_run_is_not_overwritten_or_resumed_with_other_settings(tmp_path):
    with pytest.raises(LiteMedSamError, match="no such file; start the run without --resume first"):
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
