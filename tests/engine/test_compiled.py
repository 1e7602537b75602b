"""Graphs compiled beforehand: used where they fit, without a trace in the results."""

import numpy as np
import pytest
from litemedsam.engine.backends import compiled as module
from litemedsam.engine.backends.compiled import VARIABLE, CompiledFolder
from litemedsam.engine.backends.openvino import OpenVinoGraph
from litemedsam.engine.bundle import DECODER, default_bundle

DECODER_FILE = default_bundle() / DECODER


@pytest.fixture(scope="module")
def plain():
    return OpenVinoGraph(DECODER_FILE, "f32", 1)


@pytest.fixture
def stored(tmp_path, plain, monkeypatch):
    """A folder with the decoder, named by the environment."""
    CompiledFolder(tmp_path).store(DECODER_FILE, "f32", plain.compiled, plain.metadata)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def compilations(monkeypatch):
    """The files that were compiled after all."""
    files = []
    compile_graph = OpenVinoGraph._compile

    def counted(self, core, path, properties):
        files.append(path)
        return compile_graph(core, path, properties)

    monkeypatch.setattr(OpenVinoGraph, "_compile", counted)
    return files


def test_results_and_metadata_are_the_same(plain, stored, compilations):
    for threads in (1, 2):
        ready = OpenVinoGraph(DECODER_FILE, "f32", threads)
        assert ready.metadata == plain.metadata
        random = np.random.default_rng(0)
        inputs = {}
        for port in ready.compiled.inputs:
            shape = [size.get_length() if size.is_static else 2 for size in port.partial_shape]
            inputs[port.get_any_name()] = random.random(shape).astype(port.element_type.to_dtype())
        expected = plain.run(inputs)
        for name, values in ready.run(inputs).items():
            np.testing.assert_array_equal(values, expected[name])
    assert compilations == []


@pytest.mark.parametrize("change", ["precision", "processor", "file", "damage"])
def test_what_does_not_fit_is_compiled(stored, compilations, monkeypatch, tmp_path, change):
    path, precision = DECODER_FILE, "f32"
    if change == "precision":
        precision = "bf16"
    elif change == "processor":
        monkeypatch.setattr(module, "processor", lambda: "another")
    elif change == "file":
        path = tmp_path / "other.onnx"
        path.write_bytes(DECODER_FILE.read_bytes().replace(b"litemedsam.description", b"litemedsam.Description"))
    else:
        (blob,) = stored.glob("*.blob")
        blob.write_bytes(blob.read_bytes()[:1000])
    before = sorted(stored.iterdir())
    OpenVinoGraph(path, precision, 1)
    assert compilations == [path]
    assert sorted(stored.iterdir()) == before
