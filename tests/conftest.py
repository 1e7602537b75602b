"""Fixtures that the rooms share."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
# Recorded outputs and real images, kept beside the project; tests that need them skip where they are absent.
SHARED = Path(os.environ.get("LITEMEDSAM_SHARED", ROOT.parent / "shared"))
GOLDEN = SHARED / "golden"
DATA = SHARED / "data"

# Tests that use ONNX Runtime by itself do not report either.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# What the tests compile is kept for the tests alone.
os.environ["LITEMEDSAM_CACHE"] = tempfile.mkdtemp(prefix="litemedsam-tests-")
atexit.register(shutil.rmtree, os.environ["LITEMEDSAM_CACHE"], ignore_errors=True)

needs_shared = pytest.mark.skipif(not GOLDEN.is_dir(), reason="recorded outputs are not beside the project")


def unpack_scribbles(packed: np.ndarray) -> np.ndarray:
    """Scribbles (n, 256, 256) bool from their packed form (n, 256, 32)."""
    return np.unpackbits(packed, axis=-1).astype(bool)


@pytest.fixture(scope="session")
def stand_in_checkpoint(tmp_path_factory):
    """A function (model name, seed) to the path of a checkpoint with the published names."""
    if not GOLDEN.is_dir():
        pytest.skip("recorded outputs are not beside the project")
    folder = tmp_path_factory.mktemp("checkpoints")

    def make(name: str, seed: int) -> Path:
        path = folder / f"{name}-{seed}.pth"
        if not path.exists():
            command = [sys.executable, GOLDEN / "weights.py", GOLDEN / f"{name}.manifest.json", path, str(seed)]
            subprocess.run(command, check=True)
        return path

    return make


@pytest.fixture(scope="session")
def stand_in_bundle(tmp_path_factory, stand_in_checkpoint):
    """A function (model name, seed) to the path of an exported bundle with float32 weights."""
    folder = tmp_path_factory.mktemp("bundles")

    def make(name: str, seed: int) -> Path:
        from litemedsam.export.writer import export_bundle

        path = folder / f"{name}-{seed}"
        if not path.exists():
            export_bundle(stand_in_checkpoint(name, seed), path)
        return path

    return make


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory):
    """An untrained network in a frame of 64 pixels: the same code, a fraction of the time."""
    import onnx
    import torch
    from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
    from litemedsam.export.recipe import decoder_graph, encoder_graph
    from litemedsam.export.swin_litemedsam import RECIPE
    from litemedsam.models import SwinLiteMedSAM

    # Of the first seeds the one whose masks fill half of a box, unevenly: empty ones are equal whatever is broken.
    torch.manual_seed(6)
    model = SwinLiteMedSAM(64).eval()
    shapes = tuple(RECIPE.shapes(model))
    info = BundleInfo(model.name, 64, model.prompts, shapes, "0" * 64, "f32", "single", "untrained", "")
    folder = tmp_path_factory.mktemp("small-bundle")
    onnx.save(encoder_graph(RECIPE, model, info.to_metadata(), False), folder / ENCODER)
    onnx.save(decoder_graph(RECIPE, model, info.to_metadata(), False), folder / DECODER)
    return folder
