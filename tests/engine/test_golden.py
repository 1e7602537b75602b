"""Compares bundles with recorded outputs of the published code: the network's numbers and whole published runs."""

from itertools import chain

import numpy as np
import pytest
from litemedsam.engine.backends.registry import BACKENDS, load_graph
from litemedsam.engine.bundle.info import DECODER, ENCODER
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.case_segmenter import CaseSegmenter
from litemedsam.engine.inference.network import Network
from litemedsam.engine.inference.prompt import Prompt, Target
from litemedsam.engine.inference.protocols import PUBLISHED
from litemedsam.models import load_checkpoint
from places import GOLDEN, needs_shared, unpack_scribbles
from torch_graph import torch_network

TOLERANCE = 5e-5
RECORDED_RUNS = ("2DBox_Mammography_third", "2DBox_Synthetic_small", "3DBox_CT_phantom")

pytestmark = needs_shared


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_bundle_gives_the_published_numbers(stand_in_bundle, backend, seed):
    record = np.load(GOLDEN / f"swin_litemedsam.model.seed{seed}.npz", allow_pickle=False)
    bundle = stand_in_bundle("swin_litemedsam", seed)
    encoder = load_graph(bundle / ENCODER, backend, "f32", 2)
    decoder = load_graph(bundle / DECODER, backend, "f32", 2)
    image = np.ascontiguousarray((record["image"] / np.float32(255)).transpose(2, 0, 1)[None], np.float32)
    embedding = encoder.run({"image": image})
    prompts = {"boxes": record["boxes"], "points": record["points"]}
    scribbles = unpack_scribbles(record["scribbles"]).astype(np.uint8)
    answer = decoder.run({**embedding, **prompts, "scribbles": scribbles})
    channels_first = embedding["image_embedding"][0].T.reshape(256, 64, 64)
    assert np.abs(channels_first[:, ::4, ::4] - record["embedding_every_4th"]).max() <= TOLERANCE
    assert np.abs(answer["logits"] - record["logits"]).max() <= TOLERANCE
    assert np.abs(answer["iou"] - record["iou"]).max() <= TOLERANCE


def call_order(boxes):
    """The targets in the order in which the published script asks for their prompts."""
    if boxes.shape[1] == 4:
        return [Target(number) for number in range(1, len(boxes) + 1)]
    order = []
    for number, box in enumerate(boxes, start=1):
        covered = PUBLISHED["swin_litemedsam"].slices(int(box[2]), int(box[5]))
        order += [Target(number, z) for z in chain([covered.middle], covered.up, covered.down)]
    return order


class RecordedPrompts:
    """A source of recorded prompts by target, which insists on the recorded box."""

    def __init__(self, prompts):
        self.prompts = prompts

    def prompt(self, target, box, foreground):
        np.testing.assert_array_equal(box, self.prompts[target].box, err_msg=str(target))
        recorded = self.prompts[target]
        return Prompt(np.asarray(box, np.float32), recorded.points, recorded.scribble)


def published_run(name, network):
    """Labels of a recorded run, made anew, and the recorded ones."""
    record = np.load(GOLDEN / f"swin_litemedsam.published.seed0.{name}.npz", allow_pickle=False)
    order = call_order(record["boxes"])
    arrays = (
        record["prompt_boxes256"],
        record["prompt_points256"],
        unpack_scribbles(record["prompt_scribbles256"]),
    )
    assert len(order) == len(arrays[0])
    prompts = RecordedPrompts(dict(zip(order, (Prompt(*each) for each in zip(*arrays, strict=True)), strict=True)))
    case = checked_case(name, record["imgs"], record["boxes"])
    segmenter = CaseSegmenter(network, PUBLISHED["swin_litemedsam"], prompts, 10**9)
    return segmenter.segment(case).labels, record["segs"]


@pytest.mark.parametrize("name", RECORDED_RUNS)
def test_published_runs_are_equal_in_every_voxel_in_pytorch(stand_in_checkpoint, name):
    network = torch_network(load_checkpoint(stand_in_checkpoint("swin_litemedsam", 0)))
    labels, recorded = published_run(name, network)
    np.testing.assert_array_equal(labels, recorded)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", RECORDED_RUNS)
def test_published_runs_are_equal_in_the_runtimes(stand_in_bundle, backend, name):
    network = Network.load(stand_in_bundle("swin_litemedsam", 0), backend, "f32", 2)
    labels, recorded = published_run(name, network)
    assert labels.dtype == recorded.dtype
    assert np.mean(labels == recorded) >= 0.9999
