"""Means of checkpoints."""

import subprocess
import sys

import pytest
import torch
from litemedsam.training.mean import mean_checkpoint, mean_state

from litemedsam import LiteMedSamError


def saved(path, **entries):
    torch.save(entries, path)
    return path


def test_it_is_the_mean_of_each_entry(tmp_path):
    one = saved(tmp_path / "1.pth", a=torch.tensor([1.0, 2.0]).half(), n=torch.tensor(3))
    other = saved(tmp_path / "2.pth", a=torch.tensor([3.0, 5.0]).half(), n=torch.tensor(4))
    found = mean_state([one, other])
    assert found["a"].dtype == torch.float16
    assert found["a"].tolist() == [2.0, 3.5]
    assert found["n"].item() == 3
    done = subprocess.run([sys.executable, "-m", "litemedsam.training.mean", tmp_path / "m.pth", one, other])
    assert done.returncode == 0
    assert torch.load(tmp_path / "m.pth", weights_only=True)["a"].tolist() == [2.0, 3.5]


def test_it_keeps_what_the_first_says_beside_its_state(tmp_path):
    one = saved(tmp_path / "1.pth", model={"a": torch.tensor([1.0])}, prompts=["boxes", "scribbles"])
    other = saved(tmp_path / "2.pth", model={"a": torch.tensor([2.0])}, prompts=["boxes"])
    found = mean_checkpoint([one, other])
    assert found["model"]["a"].tolist() == [1.5]
    assert found["prompts"] == ["boxes", "scribbles"]
    assert set(mean_checkpoint([saved(tmp_path / "3.pth", a=torch.zeros(1))])) == {"a"}


def test_states_of_different_networks_are_refused(tmp_path):
    one = saved(tmp_path / "1.pth", a=torch.zeros(2))
    for other in (saved(tmp_path / "2.pth", a=torch.zeros(3)), saved(tmp_path / "3.pth", b=torch.zeros(2))):
        with pytest.raises(LiteMedSamError, match="not of the same network"):
            mean_state([one, other])
    with pytest.raises(LiteMedSamError, match="no checkpoints"):
        mean_state([])
    done = subprocess.run([sys.executable, "-m", "litemedsam.training.mean"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "no checkpoints" in done.stderr
