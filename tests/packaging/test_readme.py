"""Every command and every line of Python in the README runs."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def workplace(tmp_path, stand_in_checkpoint):
    """A folder with all that the README's commands name."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "swin_litemedsam.pth").symlink_to(stand_in_checkpoint("swin_litemedsam", 0))
    small = {"imgs": np.random.default_rng(0).integers(0, 256, (40, 50)).astype(np.uint8), "boxes": [[5, 5, 30, 30]]}
    (tmp_path / "inputs").mkdir()
    for name in ("case.npz", "a.npz", "b.npz", "inputs/c.npz"):
        np.savez(tmp_path / name, **small)
    return tmp_path


def test_every_command_runs(workplace):
    commands = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    # The installation itself is what made the environment of this test.
    commands = [re.sub(r"^pip install [^&]*(&& )?", "", line) for line in commands]
    commands = [line for line in commands if line and line != "python -m pytest" and not line.startswith("docker")]
    assert len(commands) >= 6
    for command in commands:
        shell = f"export PATH={BIN}:$PATH; rm -rf outputs; {command}"
        run = subprocess.run(["bash", "-c", shell], cwd=workplace, capture_output=True, text=True, check=False)
        assert run.returncode == 0, (command, run.stderr)


def test_every_line_of_python_runs(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    (code,) = blocks("python")
    names = {}
    exec(code, names)
    assert names["prediction"].masks.shape == (3, 320, 420)


def test_the_commands_that_fine_tune_run(workplace):
    """One step of them: the whole takes minutes."""
    (workplace / "training").symlink_to(ROOT / "training")
    cases = workplace / "my-cases"
    cases.mkdir()
    (cases / "a.npz").symlink_to(ROOT / "examples" / "2DBox_phantom.npz")
    (block,) = (block for block in blocks("bash") if "litemedsam-train" in block)
    for command in block.splitlines():
        shell = f"export PATH={BIN}:$PATH; {command}{' --steps 1' if 'litemedsam-train' in command else ''}"
        run = subprocess.run(["bash", "-c", shell], cwd=workplace, capture_output=True, text=True, check=False)
        assert run.returncode == 0, (command, run.stderr)
    assert (workplace / "my-bundle" / "encoder.onnx").stat().st_size > 1e7
