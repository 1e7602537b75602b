"""Graphs whose outputs differ from their metadata are refused."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from litemedsam.engine.backends.registry import BACKENDS
from litemedsam.engine.bundle.info import DECODER, ENCODER
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.network import Embedding, Network
from litemedsam.engine.inference.prompt import Target
from tiny_bundle import INFO, write_tiny_bundle

from litemedsam import LiteMedSamError


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_graph_that_does_not_fit_its_metadata_is_refused(tmp_path, backend):
    image = np.zeros((20, 20), np.uint8)

    def network(name, **changes):
        """A bundle one of whose graphs says of itself what is not so."""
        folder = write_tiny_bundle(tmp_path / name, replace(INFO, **changes))
        plain = write_tiny_bundle(tmp_path / f"{name}-plain")
        for graph in (ENCODER, DECODER):
            model = onnx.load(plain / graph)
            onnx.helper.set_model_props(model, replace(INFO, **changes).to_metadata())
            onnx.save(model, folder / graph)
        return Network.load(folder, backend, "f32", 1)

    with pytest.raises(LiteMedSamError, match="its encoder gives no skip"):
        network("output", embedding=("image_embedding", "skip")).encode(image)
    with pytest.raises(LiteMedSamError, match="cannot run it"):
        network("frame", frame=32).encode(image)
    other = network("prompts", prompts=("boxes",))
    embedding = other.encode(image)
    prompts = [AutomaticPrompts().prompt(Target(1), np.float32([1, 1, 9, 9]), embedding.foreground)]
    # OpenVINO takes no prompts for none; what comes of it is noticed.
    with pytest.raises(LiteMedSamError, match=r"cannot run it|its decoder gives"):
        other.decode(embedding, prompts)
    swapped = network("swapped")
    swapped.decoder = swapped.encoder
    with pytest.raises(LiteMedSamError):
        swapped.decode(embedding, prompts)


class Answers:
    """A graph with prescribed outputs."""

    name = version = ""
    metadata: dict = {}  # noqa: RUF012 - never changed

    def __init__(self, **outputs):
        self.outputs = outputs

    def run(self, inputs):
        return self.outputs

    def close(self):
        pass


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"iou": np.zeros(1)}, "its decoder gives no logits"),
        ({"logits": np.zeros((2, 64, 64)), "iou": np.zeros(1)}, "gives (2, 64, 64) and (1,) for 1 prompts"),
        ({"logits": np.zeros((1, 64, 64)), "iou": np.zeros((1, 1))}, "gives (1, 64, 64) and (1, 1) for 1 prompts"),
    ],
)
def test_answers_of_another_shape_are_refused(outputs, words):
    foreground = np.ones((64, 64), bool)
    embedding = Embedding(Frame.of(64, 64, 64), foreground, {})
    prompt = AutomaticPrompts().prompt(Target(1), np.float32([1, 1, 9, 9]), foreground)
    with pytest.raises(LiteMedSamError) as error:
        Network(INFO, Answers(), Answers(**outputs)).decode(embedding, [prompt])
    assert words in str(error.value)
