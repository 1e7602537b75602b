"""LiteMedSAM in PyTorch: the recorded outputs, and the checkpoints it takes."""

import numpy as np
import torch
from conftest import GOLDEN, needs_shared
from litemedsam.models import LiteMedSAM, load_checkpoint

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
