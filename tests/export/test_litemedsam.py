"""LiteMedSAM with scribbles as a graph: every runtime equals PyTorch, and the bundle names its passage."""

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from litemedsam.engine.backends.registry import BACKENDS, load_graph
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.inference.network import Network
from litemedsam.export.cli import main
from litemedsam.export.litemedsam import RECIPE
from litemedsam.export.recipe import decoder_graph
from litemedsam.export.verify import reference, sample_inputs
from litemedsam.models import LiteMedSAM

from litemedsam import Predictor

FRAME = 64


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return LiteMedSAM(FRAME, ("boxes", "scribbles")).eval()


@pytest.fixture(scope="module")
def decoder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / DECODER
    info = BundleInfo(model.name, FRAME, model.prompts, ("image_embedding",), "", "f32", "single", "", "")
    onnx.save(decoder_graph(RECIPE, model, info.to_metadata()), path)
    return path


@pytest.mark.parametrize("backend", BACKENDS)
def test_scribbles_reach_the_mask_as_in_pytorch(model, decoder, backend):
    image, prompts = sample_inputs(FRAME)
    assert prompts["scribbles"][:-1].any(axis=(1, 2)).all()
    assert not prompts["scribbles"][-1].any()
    expected = reference(model, image, prompts)
    graph = load_graph(decoder, backend, "f32", 1)
    feed = {name: prompts[name] for name in model.prompts}
    found = graph.run({"image_embedding": expected["image_embedding"], **feed})
    graph.close()
    for name in ("logits", "iou"):
        np.testing.assert_allclose(found[name], expected[name], atol=2e-5 * np.abs(expected[name]).max())


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """A checkpoint of weights that learnt scribbles, exported by the command."""
    folder = tmp_path_factory.mktemp("exported")
    torch.save({"model": LiteMedSAM().state_dict(), "prompts": ["boxes", "scribbles"]}, folder / "weights.pth")
    options = ["--scribble", "ellipse", "--passage", "ellipsoid_mask"]
    result = CliRunner().invoke(main, [str(folder / "weights.pth"), "-o", str(folder / "bundle"), *options])
    assert result.exit_code == 0, result.output
    return folder / "bundle"


def test_the_bundle_says_how_its_weights_are_prompted(exported):
    network = Network.load(exported, "onnxruntime", "f32", 1)
    assert network.info.prompts == ("boxes", "scribbles")
    assert (network.info.scribble, network.info.passage) == ("ellipse", "ellipsoid_mask")
    predictor = Predictor(exported, "onnxruntime", "f32", threads=1)
    assert predictor.protocol.__class__.__name__ == "CorrectedEllipsoidMask"
    predictor.close()
    assert (exported / ENCODER).is_file()
