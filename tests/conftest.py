"""Fixtures that the rooms share."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from places import GOLDEN
from tiny_bundle import write_tiny_bundle

# Tests that use ONNX Runtime by itself do not report either.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# What the tests compile is kept for the tests alone.
os.environ["LITEMEDSAM_CACHE"] = tempfile.mkdtemp(prefix="litemedsam-tests-")
atexit.register(shutil.rmtree, os.environ["LITEMEDSAM_CACHE"], ignore_errors=True)


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
def untrained_bundle(tmp_path_factory):
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
    folder = tmp_path_factory.mktemp("untrained-bundle")
    onnx.save(encoder_graph(RECIPE, model, info.to_metadata(), False), folder / ENCODER)
    onnx.save(decoder_graph(RECIPE, model, info.to_metadata(), False), folder / DECODER)
    return folder


@pytest.fixture(scope="session")
def correctable_bundle(tmp_path_factory):
    """An untrained LiteMedSAM that takes corrections, in a frame of 64 pixels."""
    import onnx
    import torch
    from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
    from litemedsam.export.litemedsam import RECIPE
    from litemedsam.export.recipe import decoder_graph, encoder_graph
    from litemedsam.models import LiteMedSAM

    torch.manual_seed(0)
    model = LiteMedSAM(64, ("boxes", "points", "labels", "scribbles")).eval()
    # Untrained, it would answer alike everywhere; so each pixel's answer follows from what is there.
    for part in (model.mask_decoder.output_upscaling, model.mask_decoder.output_hypernetworks_mlps):
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3)
    info = BundleInfo(
        model.name,
        64,
        model.prompts,
        tuple(RECIPE.shapes(model)),
        "0" * 64,
        "f32",
        "single",
        "untrained",
        "",
        RECIPE.published_protocol,
        "ellipse",
        "ellipsoid",
    )
    folder = tmp_path_factory.mktemp("correctable-bundle")
    onnx.save(encoder_graph(RECIPE, model, info.to_metadata()), folder / ENCODER)
    onnx.save(decoder_graph(RECIPE, model, info.to_metadata()), folder / DECODER)
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory):
    """A bundle of two graphs of a few operators, which no test changes."""
    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def own_bundle(tmp_path, tiny_bundle):
    """A copy of the tiny bundle, which the test may change."""
    return shutil.copytree(tiny_bundle, tmp_path / "bundle")


@pytest.fixture(scope="session")
def scans(tmp_path_factory):
    """A folder with one phantom in every format, which no test changes."""
    from sample_scans import write_scans

    return write_scans(tmp_path_factory.mktemp("scans"))
