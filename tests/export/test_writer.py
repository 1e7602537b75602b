"""A bundle from a checkpoint: the same bytes every time, and none where something is wrong."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from litemedsam.engine.bundle.card import CARD_KEY
from litemedsam.engine.bundle.digests import sha256_of
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.bundle.packaged import bundle_folder, packaged_bundles
from litemedsam.export import writer
from litemedsam.export.cli import main
from litemedsam.export.verify import Deviation
from litemedsam.models import SwinLiteMedSAM, load_checkpoint

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


def test_int8_without_images_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(LiteMedSamError, match="needs images to calibrate it; add --calibration"):
        writer.export_bundle(tmp_path / "absent.pth", tmp_path / "bundle", writer.ExportOptions(quantised=True))


def test_a_deviation_leaves_no_bundle_behind(saved, state, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "deviations", lambda *_: [Deviation("openvino", "logits", 0.5, 5.0)])
    run = export(saved(state), "-o", tmp_path / "folder" / "bundle")
    assert run.exit_code == 1
    assert "logits in openvino deviates from PyTorch by 0.5" in run.output
    assert list((tmp_path / "folder").iterdir()) == []
