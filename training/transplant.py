"""Transplant: a start for Swin-LiteMedSAM from the weights of LiteMedSAM.

A block of TinyViT and one of Swin differ only in windows, tables of positions and heads, so that weights pass from one
to the other. Where a layer of Swin has no counterpart, linear regression fits it to the teacher's maps, or it begins
as the identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from ..models import LiteMedSAM, SwinLiteMedSAM
from ..models.swin import WINDOW, PatchMerging, SwinBlock, SwinStage
from ..models.tiny_vit import HEAD_SIZE, Layer, TinyViTBlock, WindowAttention

# Stage 1 has half the heads of its counterpart: each of its two blocks takes two.
_FIRST_HEADS = ((0, 1), (2, 3))
# The linear layers of a block that read its channels, or channels made of them.
_READING = ("to_qkv.weight", "net.0.weight", "net.2.weight")
# The decoder's up-scaling layers that both networks have, under two names.
_UPSCALING = re.compile(r"^mask_decoder\.output_upscaling\.([13])\.")
# Noise between two copies of a channel, as a share of a weight's standard deviation.
_NOISE = 0.05
# What remains of a fresh layer in a block that begins as the identity; at 0 the layers before it would learn nothing.
_REMAINDER = 0.01
# Ridge penalty as a share of the mean variance of the inputs.
_RIDGE = 1e-4
# Images that are encoded at once.
_TOGETHER = 4

BlockState = dict[str, torch.Tensor]


def position_table(source: WindowAttention, heads: Sequence[int]) -> torch.Tensor:
    """The table of relative positions of Swin: the mean over heads of TinyViT's tables of distances.

    Returns
    -------
    Tensor
        (15, 15); a distance beyond the window of `source` takes the value of the largest one in it.
    """
    distance = torch.arange(1 - WINDOW, WINDOW).abs().clamp(max=source.window - 1)
    mean = source.attention_biases[list(heads)].mean(0).unflatten(0, (source.window, source.window))
    return mean[distance[:, None], distance]


@torch.no_grad()
def carried(source: TinyViTBlock, heads: Sequence[int]) -> BlockState:
    """The weights of a Swin block from a block of TinyViT of the same width.

    The values' bias passes through the softmax unchanged and joins the bias of `to_out`. The keys' bias is invisible
    to the softmax. The queries' bias has no place in Swin and is dropped.

    Parameters
    ----------
    source : TinyViTBlock
        Of C channels.
    heads : sequence of int
        The heads to keep, n of them; of the others, only the values' bias remains.

    Returns
    -------
    dict of str to Tensor
        The state of `SwinBlock` with C channels and n heads.
    """
    attention, kept = source.attn, list(heads)
    rows = attention.qkv.weight.unflatten(0, (-1, 3, HEAD_SIZE))
    value_bias = attention.qkv.bias.unflatten(0, (-1, 3, HEAD_SIZE))[:, 2].flatten()
    columns = attention.proj.weight.unflatten(1, (-1, HEAD_SIZE))
    state = {
        "attention_block.fn.fn.to_qkv.weight": rows[kept].transpose(0, 1).flatten(0, 2),
        "attention_block.fn.fn.pos_embedding": position_table(attention, kept),
        "attention_block.fn.fn.to_out.weight": columns[:, kept].flatten(1),
        "attention_block.fn.fn.to_out.bias": attention.proj.bias + attention.proj.weight @ value_bias,
    }
    modules = {
        "attention_block.fn.norm": attention.norm,
        "local_conv": source.local_conv,
        "mlp_block.fn.norm": source.mlp.norm,
        "mlp_block.fn.fn.net.0": source.mlp.fc1,
        "mlp_block.fn.fn.net.2": source.mlp.fc2,
    }
    for place, module in modules.items():
        state.update({f"{place}.{name}": tensor for name, tensor in module.state_dict().items()})
    return state


def doubled(block: BlockState) -> BlockState:
    """The weights of a Swin block that maps (x, x) to (y, y) where the given one maps x to y.

    Parameters
    ----------
    block : dict of str to Tensor
        The state of a `SwinBlock` with C channels.

    Returns
    -------
    dict of str to Tensor
        The state with 2 C channels and the same heads.
    """
    wide = {}
    for name, tensor in block.items():
        if tensor.ndim and not name.endswith("pos_embedding"):
            if name.endswith(_READING):
                tensor = torch.cat([tensor, tensor], dim=1) / 2
            if not name.endswith("to_qkv.weight"):
                tensor = torch.cat([tensor, tensor])
        wide[name] = tensor
    return wide


def disturbed(block: BlockState, generator: torch.Generator) -> BlockState:
    """The same state with noise on the weights of linear layers and convolutions, so that equal channels part."""
    noisy = {}
    for name, tensor in block.items():
        if name.endswith("weight") and tensor.ndim > 1:
            noise = torch.randn(tensor.shape, generator=generator).to(tensor)
            tensor = tensor + _NOISE * tensor.std() * noise
        noisy[name] = tensor
    return noisy


@torch.no_grad()
def begin_identity(block: SwinBlock) -> None:
    """Turn a fresh block nearly into the identity; its layers keep values to learn from."""
    for layer in (block.attention_block.fn.fn.to_out, cast("nn.Linear", block.mlp_block.fn.fn.net[2])):
        layer.weight.mul_(_REMAINDER)
        layer.bias.zero_()
    block.local_conv.c.weight.zero_()[:, :, 1, 1] = 1


@torch.no_grad()
def fit(merging: PatchMerging, pairs: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Fit a patch merging to maps by ridge regression over all positions, in float64.

    Parameters
    ----------
    merging : PatchMerging
        From C to C' channels; receives weight and bias.
    pairs : iterable of tuple of Tensor
        Its input (B, C, H, W), and the map (B, C', H / k, W / k) that it should give.
    """
    k, width = merging.reduction, merging.linear.in_features
    count, total = 0, torch.zeros(())
    for found, wanted in pairs:
        both = torch.cat([F.unfold(found, k, stride=k), wanted.flatten(2)], dim=1).mT.flatten(0, 1).double()
        # The last column counts, so that one product contains all second moments, sums and the number of positions.
        both = F.pad(both, (0, 1), value=1.0)
        total = both.mT @ both + total.to(both)
        count += len(both)
    mean = total[-1, :-1] / count
    covariance = total[:-1, :-1] / count - mean[:, None] * mean
    own, other = covariance[:width, :width], covariance[:width, width:]
    penalty = _RIDGE * own.diagonal().mean() * torch.eye(width).to(own)
    weight = torch.linalg.solve(own + penalty, other).mT
    merging.linear.weight.copy_(weight)
    merging.linear.bias.copy_(mean[width:] - weight @ mean[:width])


def _blocks(stage: SwinStage) -> list[SwinBlock]:
    return [block for pair in stage.blocks for block in pair]


def _carry_encoder(teacher: LiteMedSAM, student: SwinLiteMedSAM, generator: torch.Generator) -> None:
    """Set all blocks, and the merging of stage 3, which doubles the channels."""
    layers = [cast("Layer", layer) for layer in teacher.image_encoder.layers]
    _, first, second, last = ([cast("TinyViTBlock", block) for block in layer.blocks] for layer in layers)
    stages = student.image_encoder.stages
    for own, block, heads in zip(_blocks(stages[0]), first, _FIRST_HEADS, strict=True):
        own.load_state_dict(carried(block, heads))
    for own in _blocks(stages[1]):
        begin_identity(own)
    for own, block in zip(_blocks(stages[2]), second, strict=True):
        own.load_state_dict(disturbed(doubled(carried(block, range(block.attn.heads))), generator))
    for own, block in zip(_blocks(stages[3]), last, strict=True):
        own.load_state_dict(carried(block, range(block.attn.heads)))
    merging = stages[2].downsample.linear
    merging.weight.copy_(torch.eye(merging.in_features).repeat(2, 1))
    merging.bias.zero_()


def _maps(
    teacher: LiteMedSAM, student: SwinLiteMedSAM, images: torch.Tensor, taught: int, own: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The student's map after `own` stages and the teacher's after `taught`, for a few images at a time."""
    for batch in images.split(_TOGETHER):
        found = student.image_encoder.first_stages(batch, own)[0]
        yield found, teacher.image_encoder.first_stages(batch, taught)


@torch.no_grad()
def transplanted(teacher: LiteMedSAM, images: torch.Tensor, seed: int) -> SwinLiteMedSAM:
    """Make a Swin-LiteMedSAM from the weights of LiteMedSAM.

    Stages 1, 3 and 4 take the blocks of TinyViT's last three layers, stage 3 with every channel twice. Stage 2 begins
    as the identity. The mergings before stages 1, 2 and 4 are fitted one after the other, each on the student's own
    maps. All other tensors that both networks have are copied, and the rest is drawn.

    Parameters
    ----------
    teacher : LiteMedSAM
        In evaluation mode.
    images : Tensor
        float32 (B, 3, S, S) in [0, 1], S a multiple of 32, on the teacher's device.
    seed : int
        Of the drawn weights and of the noise in stage 3.

    Returns
    -------
    SwinLiteMedSAM
        For frames of side S, on the same device, in evaluation mode.
    """
    torch.manual_seed(seed)
    student = SwinLiteMedSAM(images.shape[-1])
    own = student.state_dict()
    given = {_UPSCALING.sub(r"mask_decoder.output_upscaling2.\1.", n): t for n, t in teacher.state_dict().items()}
    shared = {name: tensor for name, tensor in given.items() if name in own and tensor.shape == own[name].shape}
    student.load_state_dict({**own, **shared})
    _carry_encoder(teacher, student, torch.Generator().manual_seed(seed))
    student.to(images.device).eval()
    stages = student.image_encoder.stages
    # The input of a merging, and the map that TinyViT has at its output, as numbers of stages passed.
    for merging, passed, taught in ((stages[0], 1, 2), (stages[1], 2, 3), (stages[3], 4, 4)):
        fit(merging.downsample, _maps(teacher, student, images, taught, passed))
    return student
