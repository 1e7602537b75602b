"""``litemedsam-export``: what it prints, and every refusal in one line."""

import pytest
import torch
from click.testing import CliRunner
from litemedsam.engine.bundle.card import Agreement
from litemedsam.export import writer
from litemedsam.export.calibration import Parted
from litemedsam.export.cli import main
from litemedsam.export.verify import Deviation
from litemedsam.models import LiteMedSAM


def export(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return LiteMedSAM().state_dict()


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "checkpoint.pth"
        torch.save(content, path)
        return path

    return save


class Exploit:
    """Would make a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_checkpoint_never_runs(saved, tmp_path):
    witness = tmp_path / "ran"
    run = export(saved({"model": Exploit(witness)}), "-o", tmp_path / "bundle")
    assert run.exit_code == 1
    assert "not a PyTorch checkpoint of plain tensors" in run.output
    assert not witness.exists()
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("content", [b"", b"text", bytes(1000)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(content)
    run = export(path, "-o", tmp_path / "bundle")
    assert run.exit_code == 1
    assert run.output.startswith("Error: ")
    assert len(run.output.splitlines()) == 1


def test_another_models_checkpoint_is_refused(saved, tmp_path):
    run = export(saved({"backbone.weight": torch.zeros(3)}), "-o", tmp_path / "bundle")
    assert run.exit_code == 1
    assert "not a checkpoint of a known model" in run.output


@pytest.mark.parametrize("quantised", [True, False])
def test_the_command_tells_what_the_precisions_lose(saved, state, tmp_path, monkeypatch, quantised):
    parts = Parted(["calibrating"], ["measuring"])
    card = {"bf16": Agreement("bf16", True, "openvino", {"CT": 2}, {"CT": 0.9991}, 0.9912, "3DBox_CT_a")}
    calls = []
    monkeypatch.setattr(writer, "part", lambda *_: parts)
    monkeypatch.setattr(writer, "deviations", lambda *_: [Deviation("openvino", "logits", 1e-6, 5.0)])
    monkeypatch.setattr(
        writer, "write_quantised", lambda folder, model, info, cases: calls.append((cases, info.storage))
    )
    monkeypatch.setattr(writer, "write_card", lambda folder, encoder, cases: calls.append(cases) or card)
    options = ["--int8"] if quantised else []
    run = export(saved(state), "-o", tmp_path / "bundle", "--calibration", tmp_path, *options)
    assert run.exit_code == 0, run.output
    assert calls == [(["calibrating"], "single"), ["measuring"]][not quantised :]
    assert "bf16 with floats in bf16 (emulated): DSC against f32 CT 0.9991; lowest 0.9912 (3DBox_CT_a)" in run.output
    assert "auto here: " in run.output


def test_int8_needs_cases(tmp_path):
    run = export("x.pth", "-o", tmp_path / "b", "--int8")
    assert run.exit_code == 2
    assert "--int8 needs --calibration FOLDER" in run.output
