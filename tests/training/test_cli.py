"""``litemedsam-train``: from a folder of cases to weights, and every refusal in one line."""

import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner
from litemedsam.models import load_checkpoint
from litemedsam.training.cli import main
from litemedsam.training.loop import initial_model
from training_runs import TINY, write_cases


@pytest.fixture(scope="module")
def own_cases(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"), 10, 64)


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
