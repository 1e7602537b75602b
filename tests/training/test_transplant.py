"""The transplant: carried blocks compute what TinyViT's compute, and fitted layers explain its maps."""

import json
from dataclasses import replace

import pytest
import torch
from litemedsam.models import LiteMedSAM, SwinLiteMedSAM
from litemedsam.models.swin import WINDOW, PatchMerging, SwinBlock, relative_position_index
from litemedsam.models.tiny_vit import HEAD_SIZE, TinyViTBlock
from litemedsam.training import loop
from litemedsam.training.distillation import recorded, student_modules, teacher_modules, unexplained
from litemedsam.training.loop import initial_model, taught_model, train
from litemedsam.training.transplant import (
    begin_identity,
    carried,
    disturbed,
    doubled,
    fit,
    position_table,
    transplanted,
)
from torch.nn.functional import interpolate
from training_runs import TINY

from litemedsam import LiteMedSamError

TAUGHT = replace(TINY, distillation=1.0)


def randomised(module):
    """The same module in evaluation mode, with no weight and no statistic at its neutral value."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2.0)
            elif tensor.is_floating_point() and tensor.ndim == 1:
                tensor.add_(torch.randn_like(tensor) * 0.3)
    return module.eval()


def tiny_vit_block(channels, heads, window):
    """A block that Swin's can equal: all heads share a table of distances, and the queries have no bias."""
    block = randomised(TinyViTBlock(channels, heads, window))
    with torch.no_grad():
        block.attn.attention_biases.copy_(torch.randn(window**2).expand(heads, -1))
        block.attn.qkv.bias.unflatten(0, (heads, 3, HEAD_SIZE))[:, 0] = 0
    return block.requires_grad_(False)


def swin_block(state, channels, heads, shifted=False):
    block = SwinBlock(channels, heads, shifted).eval().requires_grad_(False)
    block.load_state_dict(state)
    return block


def applied(block, x):
    """A Swin block on a map with its channels first."""
    return block(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@pytest.fixture(scope="module", autouse=True)
def one_thread_from_the_start():
    """The fixture of each test comes after those of the module, and the number of threads changes the last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def teacher(images):
    """Untrained, with the statistics of the images: otherwise the maps differ at the border alone."""
    torch.manual_seed(3)
    model = randomised(LiteMedSAM(64))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train().encode(images)
    return model.eval()


@pytest.fixture(scope="module")
def images():
    """Noise of several scales, so that neighbours resemble one another."""
    generator = torch.Generator().manual_seed(5)
    scales = [torch.rand(6, 3, side, side, generator=generator) for side in (4, 16, 64)]
    return torch.stack([interpolate(scale, (64, 64)) for scale in scales]).mean(0)


@pytest.fixture(scope="module")
def student(teacher, images):
    return transplanted(teacher, images, 7)


# On a map of one window, a shifted block sees its four quarters apart, as windows of half the side do.
@pytest.mark.parametrize(("window", "shifted"), [(WINDOW, False), (WINDOW // 2, True)])
@pytest.mark.parametrize(("channels", "heads"), [(320, 10), (160, 5)])
def test_a_carried_block_equals_tiny_vits(channels, heads, window, shifted):
    torch.manual_seed(1)
    source = tiny_vit_block(channels, heads, window)
    block = swin_block(carried(source, range(heads)), channels, heads, shifted)
    x = torch.randn(2, channels, WINDOW, WINDOW)
    torch.testing.assert_close(applied(block, x), source(x), atol=2e-5, rtol=1e-5)


def test_of_a_head_that_is_left_out_the_values_bias_remains():
    torch.manual_seed(1)
    source = tiny_vit_block(128, 4, WINDOW)
    block = swin_block(carried(source, (2, 3)), 128, 2)
    with torch.no_grad():
        # Without weights, the values of these heads are their bias.
        source.attn.qkv.weight.unflatten(0, (4, 3, HEAD_SIZE))[:2, 2] = 0
    x = torch.randn(1, 128, WINDOW, WINDOW)
    torch.testing.assert_close(applied(block, x), source(x), atol=2e-5, rtol=1e-5)


def test_the_table_of_positions_is_the_mean_of_the_heads_distances():
    torch.manual_seed(1)
    attention = TinyViTBlock(128, 4, 7).attn
    table = position_table(attention, (1, 3)).detach()
    bias = table.flatten()[relative_position_index()]
    for i, j in ((0, 0), (0, 9), (9, 0), (10, 33), (0, 63), (7, 56), (20, 21)):
        rows, columns = (min(abs(i // WINDOW - j // WINDOW), 6), min(abs(i % WINDOW - j % WINDOW), 6))
        wanted = (attention.attention_biases[1] + attention.attention_biases[3])[rows * 7 + columns] / 2
        assert torch.isclose(bias[i, j], wanted)


@pytest.mark.parametrize("shifted", [False, True])
def test_a_doubled_block_gives_each_channel_twice(shifted):
    torch.manual_seed(1)
    state = carried(randomised(TinyViTBlock(160, 5, 14)), range(5))
    narrow, wide = swin_block(state, 160, 5, shifted), swin_block(doubled(state), 320, 5, shifted)
    x = torch.randn(1, 160, 16, 16)
    twice = torch.cat([x, x], dim=1)
    once = applied(narrow, x)
    torch.testing.assert_close(applied(wide, twice), torch.cat([once, once], dim=1), atol=2e-5, rtol=1e-5)


def test_noise_parts_the_two_copies_a_little():
    torch.manual_seed(1)
    wide = doubled(carried(randomised(TinyViTBlock(160, 5, 14)), range(5)))
    noisy = disturbed(wide, torch.Generator().manual_seed(0))
    changed = {name for name in wide if not torch.equal(wide[name], noisy[name])}
    ends = ("to_qkv.weight", "to_out.weight", "c.weight", "net.0.weight", "net.2.weight")
    assert changed == {name for name in wide if name.endswith(ends)}
    for name in changed:
        share = (noisy[name] - wide[name]).std() / wide[name].std()
        assert 0.04 < share < 0.06


@pytest.mark.parametrize("shifted", [False, True])
def test_a_block_without_counterpart_begins_near_the_identity(shifted):
    torch.manual_seed(1)
    block = SwinBlock(160, 5, shifted).eval()
    begin_identity(block)
    x = torch.randn(1, 160, 16, 16)
    y = applied(block, x)
    assert 0 < (y - x).abs().max() < 0.05
    y.square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in block.parameters())


def test_a_merging_of_known_weights_is_found_again():
    torch.manual_seed(1)
    known, found = PatchMerging(5, 7, 2), PatchMerging(5, 7, 2)
    maps = [torch.randn(2, 5, 16, 16) + 3 for _ in range(3)]
    with torch.no_grad():
        fit(found, [(one, known(one).permute(0, 3, 1, 2)) for one in maps])
    torch.testing.assert_close(found.linear.weight, known.linear.weight, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found.linear.bias, known.linear.bias, atol=1e-3, rtol=1e-3)


def test_fitted_layers_explain_the_teachers_maps(teacher, student, images):
    stages, layers = student.image_encoder.stages, teacher.image_encoder.layers
    mergings = [stages[number].downsample for number in (0, 1, 3)]
    with torch.no_grad(), recorded(mergings) as own, recorded(layers[:3]) as wanted:
        student.encode(images)
        teacher.encode(images)
    shares = [unexplained(found.permute(0, 3, 1, 2), target) for found, target in zip(own, wanted, strict=True)]
    assert max(shares) < 0.9, shares


def test_the_start_is_nearer_to_the_teacher_than_a_drawn_one(teacher, student, images):
    def errors(model):
        with torch.no_grad(), recorded(student_modules(model)) as own, recorded(teacher_modules(teacher)) as wanted:
            model.encode(images)
            teacher.encode(images)
        return torch.stack([unexplained(*pair) for pair in zip(own, wanted, strict=True)])

    assert (errors(student) < errors(initial_model(TINY, None).eval())).all()
    assert errors(student)[1] < 0.9


def test_stages_hold_the_blocks_of_their_layers(teacher, student):
    encoder, layers = student.image_encoder, teacher.image_encoder.layers
    first, _, third, last = ([block for pair in stage.blocks for block in pair] for stage in encoder.stages)
    for k, heads in enumerate(((0, 1), (2, 3))):
        assert_equal_states(first[k].state_dict(), carried(layers[1].blocks[k], heads))
        assert_equal_states(last[k].state_dict(), carried(layers[3].blocks[k], range(10)))
    for block, source in zip(third, layers[2].blocks, strict=True):
        fc1 = source.mlp.fc1
        copies = block.mlp_block.fn.fn.net[0].weight.unflatten(0, (2, -1)).unflatten(2, (2, -1))
        assert (copies - fc1.weight[:, None] / 2).abs().max() < 0.2 * fc1.weight.std()
        assert torch.equal(block.mlp_block.fn.norm.weight, source.mlp.norm.weight.repeat(2))
        assert torch.equal(block.local_conv.bn.running_var, source.local_conv.bn.running_var.repeat(2))
    x = torch.randn(1, 160, 4, 4)
    assert torch.equal(encoder.stage3.downsample(x).permute(0, 3, 1, 2), torch.cat([x, x], dim=1))


def assert_equal_states(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_both_networks_have_is_copied_and_the_rest_is_drawn(teacher, student):
    given, made = teacher.state_dict(), student.state_dict()
    torch.manual_seed(7)
    drawn = SwinLiteMedSAM(64).state_dict()
    copied = [name for name in made if name in given]
    for part in ("image_encoder.patch_embed.", "image_encoder.neck.", "prompt_encoder.", "mask_decoder.transformer."):
        assert {name for name in made if name.startswith(part)} <= set(copied)
    assert all(torch.equal(made[name], given[name]) for name in copied)
    for number, name in ((1, "weight"), (1, "bias"), (3, "weight"), (3, "bias")):
        own, other = (f"mask_decoder.output_upscaling{end}.{number}.{name}" for end in ("2", ""))
        assert torch.equal(made[own], given[other])
    fresh = ("mask_decoder.neck.", "mask_decoder.output_upscaling1.", "mask_decoder.output_upscaling2.0.")
    names = [name for name in made if name.startswith(fresh)]
    assert len(names) == 14
    assert all(torch.equal(made[name], drawn[name]) for name in names)


def test_the_seed_gives_the_weights(teacher, student, images):
    assert student.frame == 64
    assert not student.training
    assert all(parameter.requires_grad for parameter in student.parameters())
    assert_equal_states(transplanted(teacher, images, 7).state_dict(), student.state_dict())
    other = transplanted(teacher, images, 8)
    merging = student.image_encoder.stage4.downsample.linear.weight
    assert not torch.equal(other.image_encoder.stage4.downsample.linear.weight, merging)


@pytest.fixture
def few_images(monkeypatch):
    monkeypatch.setattr(loop, "_FITTED", 4)


@pytest.fixture(scope="module")
def weights(tmp_path_factory, teacher):
    path = tmp_path_factory.mktemp("teacher") / "litemedsam.pth"
    torch.save(teacher.state_dict(), path)
    return path


def test_a_run_with_a_teacher_begins_with_its_weights_and_resumes_to_the_bit(tmp_path, weights, teacher, few_images):
    told = []
    train(TAUGHT, tmp_path / "whole", teacher=weights, report=told.append)
    assert sum("the teacher's weights pass to the network" in line for line in told) == 1
    train(TAUGHT, tmp_path / "parts", teacher=weights, stop=lambda step: step == 2)
    told.clear()
    train(TAUGHT, tmp_path / "parts", teacher=weights, resume=True, report=told.append)
    assert not any("pass to the network" in line for line in told)
    whole, parts = (torch.load(tmp_path / name / "last.pth", weights_only=True) for name in ("whole", "parts"))
    for kind in ("model", "averaged"):
        assert_equal_states(whole[kind], parts[kind])
    # Four steps change little.
    token = "mask_decoder.iou_token.weight"
    assert torch.allclose(whole["model"][token], teacher.state_dict()[token], atol=0.01)


def test_initial_weights_come_before_the_teachers(tmp_path, weights, few_images):
    torch.save(initial_model(TINY, None).state_dict(), tmp_path / "init.pth")
    first = replace(TAUGHT, steps=1, window_share=0.0, measure_first=False)
    errors = []
    for name, init in (("own", tmp_path / "init.pth"), ("taught", None)):
        train(first, tmp_path / name, init=init, teacher=weights)
        errors.append(sum(json.loads((tmp_path / name / "log.jsonl").read_text())["maps"]))
    assert errors[1] < errors[0]


def test_frozen_stages_are_refused_before_the_transplant(weights):
    with pytest.raises(LiteMedSamError, match="stages are frozen; set freeze_encoder = false"):
        taught_model(replace(TAUGHT, frozen_stages=1), weights, [], torch.device("cpu"))
