"""Remedies of the command that exports: whoever does what a message says gets a bundle."""

import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from export_cases import save_cases
from litemedsam.engine.bundle.info import DECODER, ENCODER
from litemedsam.export.calibration import part
from litemedsam.export.cli import main
from litemedsam.models import LiteMedSAM

from litemedsam import LiteMedSamError, Predictor


def export(*words, code=0):
    """What the command prints."""
    run = CliRunner().invoke(main, [str(word) for word in words])
    assert run.exit_code == code, run.output
    return run.output


@pytest.fixture
def state():
    torch.manual_seed(0)
    return LiteMedSAM().state_dict()


def masks_of(bundle):
    with Predictor(bundle, threads=1) as predictor:
        return predictor.open(np.zeros((30, 40), np.uint8)).predict([[5, 6, 30, 20]]).masks


def test_from_a_wrong_checkpoint_to_masks(state, tmp_path):
    """A whole model is saved, a folder exists, a folder holds other files, a graph is empty: the messages lead on."""
    checkpoint, bundle = tmp_path / "model.pth", tmp_path / "bundle"
    with checkpoint.open("wb") as file:
        torch.save(LiteMedSAM(), file)
    said = export(checkpoint, "-o", bundle, code=1)
    assert "save the model's state_dict() with torch.save" in said
    torch.save(state, checkpoint)

    (bundle / "scans").mkdir(parents=True)
    assert "choose another folder or add --overwrite" in export(checkpoint, "-o", bundle, code=1)
    said = export(checkpoint, "-o", bundle, "--overwrite", code=1)
    assert "holds scans, which belongs to no bundle" in said
    assert "choose another folder with -o" in said
    assert "choose another folder with -o" in export(checkpoint, "-o", checkpoint, "--overwrite", code=1)

    other = tmp_path / "other"
    export(checkpoint, "-o", other)
    assert masks_of(other).shape == (1, 30, 40)

    # Without a manifest, only the graph itself tells that it is none.
    (other / "SHA256SUMS").unlink()
    (other / DECODER).write_bytes(b"")
    with pytest.raises(LiteMedSamError, match="export the checkpoint again"):
        masks_of(other)
    export(checkpoint, "-o", other, "--overwrite")
    assert masks_of(other).shape == (1, 30, 40)
    assert sorted(path.name for path in other.iterdir()) == sorted(["SHA256SUMS", DECODER, ENCODER])


def test_cases_to_calibrate_with(tmp_path):
    cases = save_cases(tmp_path)
    with pytest.raises(LiteMedSamError, match="give a folder of challenge-format npz files"):
        part(cases / "absent", 2, 2)
    alone = tmp_path / "alone"
    alone.mkdir()
    first, *others = sorted(cases.glob("*.npz"))
    shutil.copy(first, alone)
    with pytest.raises(LiteMedSamError, match="add cases of others, because some calibrate and others measure"):
        part(alone, 2, 2)
    for other in others:
        shutil.copy(other, alone)
    parted = part(alone, 2, 2)
    assert parted.calibrating
    assert parted.measuring


def test_int8_without_cases(tmp_path):
    assert "--int8 needs --calibration FOLDER" in export("x.pth", "-o", tmp_path / "b", "--int8", code=2)
