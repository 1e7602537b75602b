"""The layout changes no value, and maps keep it."""

import numpy as np
import torch
from litemedsam.models import SwinLiteMedSAM
from litemedsam.training.layout import batch_of, keep_channels_last


def test_values_stay_and_maps_have_their_channels_last():
    torch.manual_seed(0)
    model = SwinLiteMedSAM(64).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    batch = batch_of(list(images), torch.device("cpu"))
    assert torch.equal(batch, torch.from_numpy(images))
    with torch.no_grad():
        wanted = model.image_encoder(torch.from_numpy(images))[0]
        keep_channels_last(model)
        found = model.image_encoder(batch)[0]
        stem = model.image_encoder.patch_embed(batch)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.allclose(found, wanted, atol=1e-4)
    assert stem.is_contiguous(memory_format=torch.channels_last)
