"""``litemedsam-export``: folding, checkpoints of all kinds, and no bundle if something is wrong."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from litemedsam.engine.bundle.card import CARD_KEY, Agreement
from litemedsam.engine.bundle.digests import sha256_of
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.bundle.packaged import bundle_folder, packaged_bundles
from litemedsam.engine.inference.network import Network
from litemedsam.export import fold, swin, writer
from litemedsam.export.calibration import Parted
from litemedsam.export.cli import main
from litemedsam.export.verify import Deviation
from litemedsam.models import SwinLiteMedSAM, load_checkpoint
from litemedsam.models.layers import ConvBN
from litemedsam.models.windows import partition_windows

from litemedsam.errors import LiteMedSamError

WEIGHTS = Path(__file__).parents[2] / "training" / "weights"


def export(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


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


def test_folded_batch_norm_is_exact():
    torch.manual_seed(0)
    layer = ConvBN(6, 4, 3).eval()
    layer.bn.running_mean.normal_()
    layer.bn.running_var.uniform_(0.5, 2)
    x = torch.randn(1, 6, 9, 9)
    weight, bias = (torch.from_numpy(part).float() for part in fold.conv_bn(layer))
    torch.testing.assert_close(torch.nn.functional.conv2d(x, weight, bias, padding=1), layer(x), atol=1e-5, rtol=0)


def test_folded_layer_norm_is_exact():
    torch.manual_seed(0)
    norm, linear = torch.nn.LayerNorm(12), torch.nn.Linear(12, 5)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(7, 12)
    weight, bias = fold.norm_linear(norm, fold.array(linear.weight), fold.array(linear.bias))
    plain = torch.nn.functional.layer_norm(x, (12,)).double().numpy()
    np.testing.assert_allclose(plain @ weight.T + bias, linear(norm(x)).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("shifted", [False, True])
def test_window_order_is_roll_and_partition(shifted):
    image = torch.arange(32 * 32.0).view(1, 32, 32, 1)
    rolled = torch.roll(image, (-4, -4), (1, 2)) if shifted else image
    expected = partition_windows(rolled, 8).flatten().numpy().astype(int)
    np.testing.assert_array_equal(swin.window_order(32, shifted), expected)


def test_graphs_are_free_of_infinities_and_of_external_data(stand_in_bundle):
    bundle = stand_in_bundle("swin_litemedsam", 0)
    for name in (ENCODER, DECODER):
        model = onnx.load(bundle / name, load_external_data=False)
        for constant in model.graph.initializer:
            assert constant.data_location != onnx.TensorProto.EXTERNAL
            array = onnx.numpy_helper.to_array(constant)
            assert np.isfinite(array).all()
        assert {node.op_type for node in model.graph.node}.isdisjoint({"ScatterND", "BatchNormalization", "Unfold"})


def test_the_same_checkpoint_gives_the_same_bytes(stand_in_checkpoint, stand_in_bundle, tmp_path):
    writer.export_bundle(stand_in_checkpoint("swin_litemedsam", 0), tmp_path / "again")
    for name in (ENCODER, DECODER):
        again = (tmp_path / "again" / name).read_bytes()
        assert again == (stand_in_bundle("swin_litemedsam", 0) / name).read_bytes()


@pytest.mark.parametrize("name", packaged_bundles())
def test_a_bundle_of_the_package_is_what_its_weights_give(tmp_path, name):
    """Byte for byte, but for the accuracy card, which needs cases."""
    bundle, weights = bundle_folder(name), WEIGHTS / f"{name.replace('-', '_')}.pth"
    recorded = onnx.load(bundle / ENCODER)
    metadata = {entry.key: entry.value for entry in recorded.metadata_props if entry.key != CARD_KEY}
    info = BundleInfo.from_metadata(bundle, metadata)
    options = writer.ExportOptions(True, info.description, scribble=info.scribble, passage=info.passage)
    model = load_checkpoint(weights)
    described = writer.described(model, sha256_of(weights), options)
    if described.tools != info.tools:
        pytest.skip(f"the bundle was made with {info.tools}")
    assert described == info
    writer.write_graphs(tmp_path, model, described)
    assert (tmp_path / DECODER).read_bytes() == (bundle / DECODER).read_bytes()
    onnx.helper.set_model_props(recorded, dict(sorted(metadata.items())))
    assert (tmp_path / ENCODER).read_bytes() == recorded.SerializeToString()


def test_the_bundles_of_the_package_are_small():
    for bundle in packaged_bundles().values():
        assert sum((bundle / name).stat().st_size for name in (ENCODER, DECODER)) <= 32e6
    assert sum(path.stat().st_size for bundle in packaged_bundles().values() for path in bundle.iterdir()) <= 80e6


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


class Exploit:
    """Would make a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_checkpoint_never_runs(saved, tmp_path):
    witness = tmp_path / "ran"
    run = export(saved({"model": Exploit(witness)}), "-o", tmp_path / "bundle")
    assert run.exit_code == 1
    assert "not a PyTorch checkpoint of plain tensors" in run.output
    assert not witness.exists()
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("content", [b"", b"text", bytes(1000)])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(content)
    run = export(path, "-o", tmp_path / "bundle")
    assert run.exit_code == 1
    assert run.output.startswith("Error: ")
    assert len(run.output.splitlines()) == 1


def test_another_models_checkpoint_is_refused(saved, tmp_path):
    run = export(saved({"backbone.weight": torch.zeros(3)}), "-o", tmp_path / "bundle")
    assert run.exit_code == 1
    assert "not a checkpoint of a known model" in run.output


def test_an_existing_bundle_is_kept_before_the_checkpoint_is_read(tmp_path):
    (tmp_path / "bundle").mkdir()
    run = export(tmp_path / "absent.pth", "-o", tmp_path / "bundle")
    assert run.exit_code == 1
    assert "add --overwrite" in run.output


@pytest.mark.parametrize("output", [".", "bundle", "notes.txt"])
def test_nothing_but_a_bundle_is_replaced(tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoint.pth").write_bytes(b"weights")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "encoder.onnx").touch()
    for path in (tmp_path / "bundle" / "thesis.tex", tmp_path / "notes.txt"):
        path.write_text("mine")
    run = export("checkpoint.pth", "-o", output, "--overwrite")
    assert run.exit_code == 1
    assert ("which this run reads" if output == "." else "belongs to no bundle") in run.output
    assert "choose another folder with -o" in run.output
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert found == {"checkpoint.pth", "bundle", "bundle/encoder.onnx", "bundle/thesis.tex", "notes.txt"}


# Dies at the moment in which the new bundle would get its name, and no other has it.
KILLED = """
import os, signal, sys
from litemedsam.export import writer
from litemedsam.export.cli import main

def dying(rename):
    def renaming(source, target, **options):
        if os.fspath(target) == sys.argv[2] and ".old" not in os.fspath(source):
            assert not os.path.exists(target)
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(source, target, **options)
    return renaming

os.rename, os.replace = dying(os.rename), dying(os.replace)
writer.deviations = lambda *_: [writer.Deviation("openvino", "logits", 0.0, 1.0)]
main([sys.argv[1], "-o", sys.argv[2], "--overwrite"])
"""


def test_a_killed_export_costs_no_bundle(saved, state, tmp_path):
    bundle = tmp_path / "out" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "SHA256SUMS").write_text("whole")
    checkpoint = saved(state)
    run = subprocess.run([sys.executable, "-c", KILLED, checkpoint, bundle], capture_output=True, text=True)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert not bundle.exists()
    again = export(checkpoint, "-o", bundle)
    assert "add --overwrite" in again.output
    assert (bundle / "SHA256SUMS").read_text() == "whole"
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_a_bundle_is_replaced_when_asked_for(saved, state, tmp_path):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "encoder.int8.onnx").touch()
    run = export(saved(state), "-o", bundle, "--half", "--overwrite")
    assert run.exit_code == 0, run.output
    assert sorted(path.name for path in bundle.iterdir()) == ["SHA256SUMS", "decoder.onnx", "encoder.onnx"]
    assert sum(path.stat().st_size for path in bundle.iterdir()) < 33e6
    deviations = [line for line in run.output.splitlines() if "greatest deviation" in line]
    assert {line.split()[0] for line in deviations} == {"openvino", "onnxruntime"}
    assert f"wrote {bundle} (" in run.output
    for graph in ("encoder.onnx", "decoder.onnx"):
        stored = onnx.load(bundle / graph).graph.initializer
        large = {tensor.data_type for tensor in stored if np.prod(tensor.dims) > 10_000}
        assert large - {onnx.TensorProto.INT64} == {onnx.TensorProto.FLOAT16}


def test_a_place_that_cannot_be_written_is_named(saved, state, tmp_path):
    (tmp_path / "file").touch()
    run = export(saved(state), "-o", tmp_path / "file" / "bundle")
    assert run.exit_code == 1
    assert "cannot be written" in run.output
    assert run.output.count("\n") == 1


@pytest.mark.parametrize("quantised", [True, False])
def test_the_command_tells_what_the_precisions_lose(saved, state, tmp_path, monkeypatch, quantised):
    parts = Parted(["calibrating"], ["measuring"])
    card = {"bf16": Agreement("bf16", True, "openvino", {"CT": 2}, {"CT": 0.9991}, 0.9912, "3DBox_CT_a")}
    calls = []
    monkeypatch.setattr(writer, "part", lambda *_: parts)
    monkeypatch.setattr(writer, "deviations", lambda *_: [Deviation("openvino", "logits", 1e-6, 5.0)])
    monkeypatch.setattr(
        writer, "write_quantised", lambda folder, model, info, cases: calls.append((cases, info.storage))
    )
    monkeypatch.setattr(writer, "write_card", lambda folder, encoder, cases: calls.append(cases) or card)
    options = ["--int8"] if quantised else []
    run = export(saved(state), "-o", tmp_path / "bundle", "--calibration", tmp_path, *options)
    assert run.exit_code == 0, run.output
    assert calls == [(["calibrating"], "single"), ["measuring"]][not quantised :]
    assert "bf16 with floats in bf16 (emulated): DSC against f32 CT 0.9991; lowest 0.9912 (3DBox_CT_a)" in run.output
    assert "auto here: " in run.output


def test_int8_without_images_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(LiteMedSamError, match="needs images to calibrate it; add --calibration"):
        writer.export_bundle(tmp_path / "absent.pth", tmp_path / "bundle", writer.ExportOptions(quantised=True))


def test_a_deviation_leaves_no_bundle_behind(saved, state, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "deviations", lambda *_: [Deviation("openvino", "logits", 0.5, 5.0)])
    run = export(saved(state), "-o", tmp_path / "folder" / "bundle")
    assert run.exit_code == 1
    assert "logits in openvino deviates from PyTorch by 0.5" in run.output
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("litemedsam.format_version", "99", "bundle format version 99, expected 1"),
        ("litemedsam.format_version", None, "no format version"),
        ("litemedsam.prompts", None, "the metadata lack prompts"),
        ("litemedsam.frame", "x", "metadata frame is 'x'"),
        ("litemedsam.scribble", "spiral", "asks for the scribble 'spiral'"),
    ],
)
def test_unknown_metadata_are_refused(tmp_path, key, value, message):
    for name in (ENCODER, DECODER):
        model = onnx.load(bundle_folder() / name)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        properties.pop(key, None)
        if value is not None:
            properties[key] = value
        onnx.helper.set_model_props(model, properties)
        onnx.save(model, tmp_path / name)
    with pytest.raises(LiteMedSamError, match=message):
        Network.load(tmp_path, "onnxruntime", "f32", 1)


def test_graphs_of_two_checkpoints_are_refused(tmp_path, stand_in_bundle):
    (tmp_path / ENCODER).write_bytes((bundle_folder() / ENCODER).read_bytes())
    (tmp_path / DECODER).write_bytes((stand_in_bundle("swin_litemedsam", 0) / DECODER).read_bytes())
    with pytest.raises(LiteMedSamError, match="different checkpoints"):
        Network.load(tmp_path, "onnxruntime", "f32", 1)
