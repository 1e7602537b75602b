"""Checkpoints of all kinds load; what is none, or has other names, is named for what it is."""

import pytest
import torch
from litemedsam.models import SwinLiteMedSAM, load_checkpoint
from litemedsam.models.checkpoint import read_content

from litemedsam import LiteMedSamError


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer .*; run git lfs pull"),
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page .*; download the file itself, not its page"),
        (b"not a checkpoint", "not a PyTorch checkpoint of plain tensors"),
    ],
)
def test_a_file_that_is_no_checkpoint(tmp_path, content, words):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(LiteMedSamError, match=rf"a\.pth: {words}"):
        read_content(tmp_path / "a.pth")


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return SwinLiteMedSAM().state_dict()


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "checkpoint.pth"
        torch.save(content, path)
        return path

    return save


@pytest.mark.parametrize("wrapped", ["plain", "model", "module", "half", "published_extras"])
def test_checkpoints_of_all_kinds_load(saved, state, wrapped):
    if wrapped == "model":
        content = {"model": state, "epoch": 3}
    elif wrapped == "module":
        content = {f"module.{name}": tensor for name, tensor in state.items()}
    elif wrapped == "half":
        content = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    elif wrapped == "published_extras":
        content = {**state, "mask_decoder.prompt1.x": torch.zeros(3), "mask_decoder.prompt2.x": torch.zeros(3)}
    else:
        content = state
    model = load_checkpoint(saved(content))
    assert not model.training
    tolerance = 2e-3 if wrapped == "half" else 0
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, state[name], atol=tolerance, rtol=tolerance)


def test_differences_are_listed_by_name(saved, state):
    content = dict(state)
    del content["image_encoder.neck.0.weight"]
    content["image_encoder.surplus"] = torch.zeros(1)
    content["prompt_encoder.no_mask_embed.weight"] = torch.zeros(1, 9)
    with pytest.raises(LiteMedSamError) as caught:
        load_checkpoint(saved(content))
    message = str(caught.value)
    assert "1 missing: image_encoder.neck.0.weight" in message
    assert "1 unexpected: image_encoder.surplus" in message
    assert "no_mask_embed.weight (1, 9) instead of (1, 256)" in message


def test_another_window_mask_is_refused(saved, state):
    name = "image_encoder.stage1.blocks.0.1.attention_block.fn.fn.upper_lower_mask"
    with pytest.raises(LiteMedSamError, match="not the mask of an 8×8 window"):
        load_checkpoint(saved({**state, name: torch.zeros(64, 64)}))
