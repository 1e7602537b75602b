"""The PyTorch networks against recorded outputs of the published code."""

import numpy as np
import pytest
import torch
from litemedsam.models import SwinLiteMedSAM, load_checkpoint
from places import GOLDEN, unpack_scribbles

TOLERANCE = 2e-5


@pytest.fixture(params=[0, 1])
def recorded(request, stand_in_checkpoint):
    seed = request.param
    record = np.load(GOLDEN / f"swin_litemedsam.model.seed{seed}.npz", allow_pickle=False)
    return load_checkpoint(stand_in_checkpoint("swin_litemedsam", seed)), record


@torch.inference_mode()
def test_swin_litemedsam_equals_the_published_network(recorded):
    model, record = recorded
    assert isinstance(model, SwinLiteMedSAM)
    image = torch.from_numpy(record["image"]).permute(2, 0, 1)[None] / 255
    embedding, skips = model.image_encoder(image)
    features = model.encode(image)
    torch.testing.assert_close(features.image_embedding, embedding, rtol=0, atol=0)
    logits, iou = model.decode(
        features,
        torch.from_numpy(record["boxes"]),
        torch.from_numpy(record["points"]),
        torch.from_numpy(unpack_scribbles(record["scribbles"]))[:, None].float(),
    )
    assert np.abs(embedding[0, :, ::4, ::4].numpy() - record["embedding_every_4th"]).max() <= TOLERANCE
    for k, skip in enumerate(skips):
        assert np.abs(skip[0, :, ::8, ::8].numpy() - record[f"skip{k}_every_8th"]).max() <= 1e-4
    assert np.abs(logits[:, 0].numpy() - record["logits"]).max() <= TOLERANCE
    assert np.abs(iou.numpy() - record["iou"]).max() <= TOLERANCE
