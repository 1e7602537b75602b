"""LiteMedSAM with labelled points as a graph: any number of points, every runtime equals PyTorch."""

import numpy as np
import pytest
import torch
from litemedsam.engine.backends.registry import BACKENDS, load_graph
from litemedsam.engine.bundle.info import DECODER, BundleInfo
from litemedsam.engine.bundle.onnx_metadata import read_metadata
from litemedsam.models import LiteMedSAM

FRAME = 64


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = LiteMedSAM(FRAME, ("boxes", "points", "labels", "scribbles")).eval()
    for part in (model.mask_decoder.output_upscaling, model.mask_decoder.output_hypernetworks_mlps):
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, 0, 0.3)
    return model


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_points_gives_what_pytorch_gives(model, correctable_bundle, backend):
    rng = np.random.default_rng(0)
    graph = load_graph(correctable_bundle / DECODER, backend, "f32", 1)
    embedding = rng.normal(size=(1, 256, FRAME // 4, FRAME // 4)).astype(np.float32)
    for prompts, points in ((1, 1), (2, 9)):
        boxes = np.sort(rng.uniform(0, FRAME, (prompts, 2, 2)), axis=1).reshape(prompts, 4).astype(np.float32)
        feed = {
            "boxes": boxes,
            "points": rng.uniform(0, FRAME, (prompts, points, 2)).astype(np.float32),
            "labels": rng.integers(-1, 2, (prompts, points)),
            "scribbles": rng.random((prompts, FRAME, FRAME), np.float32),
        }
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in feed.items()}
            tensors["scribbles"] = tensors["scribbles"][:, None]
            features = model.encode(torch.zeros(1, 3, FRAME, FRAME))
            expected, iou = model.decode(features._replace(image_embedding=torch.from_numpy(embedding)), **tensors)
        found = graph.run({"image_embedding": embedding.reshape(1, 256, -1).transpose(0, 2, 1), **feed})
        scale = float(expected.abs().max())
        np.testing.assert_allclose(found["logits"], expected[:, 0].numpy(), atol=5e-5 * scale)
        np.testing.assert_allclose(found["iou"], iou.numpy(), atol=5e-5)
    graph.close()


def test_labels_change_the_mask_and_padding_does_not_depend_on_its_place(model):
    features = model.encode(torch.rand(1, 3, FRAME, FRAME))
    boxes, scribbles = torch.tensor([[5.0, 6, 40, 50]]), torch.rand(1, 1, FRAME, FRAME)

    def logits(point, label):
        with torch.inference_mode():
            points, labels = torch.tensor([[point]]), torch.tensor([[label]])
            return model.decode(features, boxes, scribbles, points, labels)[0]

    assert not torch.allclose(logits([20.0, 20], 1), logits([20.0, 20], 0))
    assert not torch.allclose(logits([20.0, 20], 1), logits([30.0, 20], 1))
    assert torch.equal(logits([20.0, 20], -1), logits([30.0, 5], -1))


def test_a_bundle_says_that_its_weights_take_corrections(correctable_bundle, untrained_bundle):
    for bundle, takes in ((correctable_bundle, True), (untrained_bundle, False)):
        info = BundleInfo.from_metadata(bundle, read_metadata(bundle / DECODER))
        assert info.takes_corrections == takes
        assert info.first_prompts == (("boxes", "scribbles") if takes else ("boxes", "points", "scribbles"))
