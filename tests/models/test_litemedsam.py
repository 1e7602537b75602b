"""LiteMedSAM in PyTorch: the recorded outputs, and the checkpoints it takes."""

import numpy as np
import pytest
import torch
from litemedsam.models import LiteMedSAM, load_checkpoint
from places import GOLDEN, needs_shared

from litemedsam.errors import LiteMedSamError

TOLERANCE = 2e-5


@needs_shared
@torch.inference_mode()
def test_litemedsam_equals_the_published_network(stand_in_checkpoint):
    model = load_checkpoint(stand_in_checkpoint("litemedsam", 0))
    record = np.load(GOLDEN / "litemedsam.model.seed0.npz", allow_pickle=False)
    assert isinstance(model, LiteMedSAM)
    features = model.encode(torch.from_numpy(record["image"]).permute(2, 0, 1)[None] / 255)
    logits, iou = model.decode(features, torch.from_numpy(record["boxes"]))
    embedding = features.image_embedding[0, :, ::4, ::4].numpy()
    assert np.abs(embedding - record["embedding_every_4th"]).max() <= TOLERANCE
    assert np.abs(logits[:, 0].numpy() - record["logits"]).max() <= TOLERANCE
    assert np.abs(iou.numpy() - record["iou"]).max() <= TOLERANCE


def saved(folder, state):
    path = folder / "some.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def state():
    return LiteMedSAM(32).state_dict()


def test_the_model_is_recognised_by_its_names(tmp_path, state):
    assert isinstance(load_checkpoint(saved(tmp_path, {"model": state})), LiteMedSAM)


def test_half_precision_and_a_wrapped_module_are_taken(tmp_path, state):
    halved = {f"module.{name}": t.half() if t.is_floating_point() else t for name, t in state.items()}
    loaded = load_checkpoint(saved(tmp_path, halved))
    assert loaded.mask_decoder.iou_token.weight.dtype == torch.float32


def test_missing_and_misshapen_entries_are_all_named(tmp_path, state):
    broken = dict(state)
    del broken["image_encoder.layers.3.blocks.1.mlp.fc2.bias"]
    broken["image_encoder.layers.2.blocks.0.attn.attention_biases"] = torch.zeros(5, 49)
    with pytest.raises(LiteMedSamError) as caught:
        load_checkpoint(saved(tmp_path, broken))
    text = str(caught.value)
    assert "closest is litemedsam" in text
    assert "1 missing: image_encoder.layers.3.blocks.1.mlp.fc2.bias" in text
    assert "image_encoder.layers.2.blocks.0.attn.attention_biases (5, 49) instead of (5, 196)" in text


@pytest.fixture(scope="module")
def scribbled():
    """A small network, features of an image, two boxes, and a scribble for each: one drawn, one without a pixel."""
    torch.manual_seed(0)
    model = LiteMedSAM(32, ("boxes", "scribbles")).eval()
    scribbles = torch.zeros(2, 1, 32, 32)
    scribbles[0, :, 8:20, 10:16] = 1
    with torch.inference_mode():
        features = model.encode(torch.rand(1, 3, 32, 32))
    return model, features, torch.tensor([[8.0, 6, 20, 24], [2, 3, 28, 30]]), scribbles


@torch.inference_mode()
def test_a_scribble_without_a_pixel_is_none(scribbled):
    model, features, boxes, scribbles = scribbled
    with_scribbles, _ = model.decode(features, boxes, scribbles)
    without, _ = model.decode(features, boxes)
    torch.testing.assert_close(with_scribbles[1], without[1])
    assert not torch.allclose(with_scribbles[0], without[0], atol=1e-3)


@torch.inference_mode()
def test_weights_that_begin_to_learn_scribbles_answer_as_without(scribbled):
    _, features, boxes, scribbles = scribbled
    model = LiteMedSAM(32, ("boxes", "scribbles")).eval()
    model.prompt_encoder.begin_scribbles()
    torch.testing.assert_close(model.decode(features, boxes, scribbles), model.decode(features, boxes))


def test_a_checkpoint_says_which_prompts_its_weights_learnt(tmp_path, state):
    assert load_checkpoint(saved(tmp_path, {"model": state})).prompts == ("boxes",)
    known = {"model": state, "prompts": ["boxes", "scribbles"]}
    assert load_checkpoint(saved(tmp_path, known)).prompts == ("boxes", "scribbles")
    with pytest.raises(LiteMedSamError, match="expected one of boxes, or boxes and scribbles"):
        load_checkpoint(saved(tmp_path, {"model": state, "prompts": ["words"]}))
