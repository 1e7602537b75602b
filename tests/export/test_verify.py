"""Every runtime is compared with PyTorch, and a changed weight is noticed."""

import numpy as np
import onnx
import pytest
import torch
from litemedsam.engine.backends.registry import BACKENDS
from litemedsam.engine.bundle.info import DECODER
from litemedsam.export import writer
from litemedsam.export.verify import PROMPTS, TOLERANCE, Deviation, deviations, sample_inputs
from litemedsam.models import LiteMedSAM


@pytest.fixture(scope="module", params=[("boxes",), ("boxes", "points", "labels", "scribbles")], ids=len)
def written(request, tmp_path_factory):
    """An untrained model in a frame of 64 pixels, and its graphs."""
    torch.manual_seed(0)
    model = LiteMedSAM(64, request.param).eval()
    folder = tmp_path_factory.mktemp("graphs")
    writer.write_graphs(folder, model, writer.described(model, "0" * 64, writer.ExportOptions()))
    return model, folder


def test_every_output_of_every_runtime_is_compared(written):
    found = deviations(*written, 1)
    outputs = ("image_embedding", "logits", "iou")
    assert [(each.backend, each.output) for each in found] == [(b, o) for b in BACKENDS for o in outputs]
    assert max(each.relative for each in found) <= TOLERANCE["single"]


def test_a_changed_weight_is_noticed(written, tmp_path):
    model, folder = written
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    decoder = onnx.load(tmp_path / DECODER)
    largest = max(decoder.graph.initializer, key=lambda tensor: np.prod(tensor.dims))
    array = onnx.numpy_helper.to_array(largest) * np.float32(1.01)
    largest.CopyFrom(onnx.numpy_helper.from_array(array, largest.name))
    onnx.save(decoder, tmp_path / DECODER)
    worst = {each.output: each.relative for each in deviations(model, tmp_path, 1)}
    assert worst["image_embedding"] <= TOLERANCE["single"] < worst["logits"]


def test_inputs_are_the_same_every_time_and_have_boxes_of_all_sizes():
    image, prompts = sample_inputs(64)
    again = sample_inputs(64)
    np.testing.assert_array_equal(image, again[0])
    assert all(np.array_equal(array, again[1][name]) for name, array in prompts.items())
    assert image.shape == (1, 3, 64, 64)
    assert 0 <= image.min() <= image.max() <= 1
    boxes = prompts["boxes"]
    assert (boxes[:, :2] <= boxes[:, 2:]).all()
    # One prompt has no stroke.
    assert [bool(each.any()) for each in prompts["scribbles"]] == [True] * (PROMPTS - 1) + [False]


def test_a_deviation_from_nothing_is_not_divided_by_nothing():
    assert Deviation("a", "b", 0.0, 0.0).relative == 0
    assert Deviation("a", "b", 1e-3, 2.0).relative == 5e-4
