"""Graphs compiled before: used where they fit, without a trace in the results, never in the way."""

import os
import subprocess
import sys

import numpy as np
import pytest
from litemedsam.engine.backends import compiled as module
from litemedsam.engine.backends.compiled import CACHE_VARIABLE, READY_VARIABLE, CompiledFolder
from litemedsam.engine.backends.openvino import OpenVinoGraph
from litemedsam.engine.bundle.info import DECODER, default_bundle
from litemedsam.engine.bundle.onnx_metadata import read_metadata

from litemedsam.errors import LiteMedSamError

GRAPH = default_bundle() / DECODER


@pytest.fixture
def compilations(monkeypatch):
    """The files that were compiled after all."""
    files = []
    compile_graph = OpenVinoGraph._compile

    def counted(path, properties):
        files.append(path)
        return compile_graph(path, properties)

    monkeypatch.setattr(OpenVinoGraph, "_compile", staticmethod(counted))
    return files


@pytest.fixture
def no_cache(monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def answer(threads=2):
    rng = np.random.default_rng(0)
    inputs = {
        "image_embedding": rng.normal(size=(1, 4096, 256)).astype(np.float32),
        "deep_skip": rng.normal(size=(1, 4096, 256)).astype(np.float32),
        "shallow_skip": rng.normal(size=(1, 4096, 4, 64)).astype(np.float32),
        "boxes": np.float32([[20, 30, 100, 120]]),
        "points": np.full((1, 4, 2), 60, np.float32),
        "scribbles": np.zeros((1, 256, 256), np.uint8),
    }
    graph = OpenVinoGraph(GRAPH, "f32", threads)
    assert graph.metadata["litemedsam.model"] == "swin_litemedsam"
    return graph.run(inputs)["logits"]


@pytest.fixture(scope="module")
def expected():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, "")
        return answer()


def test_what_was_kept_gives_the_same_bits(cache, compilations, expected):
    for threads in (2, 1, 2):
        np.testing.assert_array_equal(answer(threads), expected)
    assert compilations == [GRAPH]
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped"])
def test_damage_is_noticed_and_repaired(cache, compilations, expected, damage):
    answer()
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    entry.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "flipped": bytes(changed)}[damage])
    np.testing.assert_array_equal(answer(), expected)
    assert len(compilations) == 2
    np.testing.assert_array_equal(answer(), expected)
    assert len(compilations) == 2


@pytest.mark.parametrize("change", ["precision", "processor", "file"])
def test_what_does_not_fit_is_compiled(cache, compilations, monkeypatch, tmp_path, change):
    OpenVinoGraph(GRAPH, "f32", 1)
    path, precision = GRAPH, "f32"
    if change == "precision":
        precision = "bf16"
    elif change == "processor":
        monkeypatch.setattr(module, "processor", lambda: "another")
    else:
        path = tmp_path / "other.onnx"
        path.write_bytes(GRAPH.read_bytes().replace(b"litemedsam.description", b"litemedsam.Description"))
    OpenVinoGraph(path, precision, 1)
    assert compilations == [GRAPH, path]


def test_a_folder_made_ready_is_read_only(no_cache, compilations, monkeypatch, tmp_path, expected):
    CompiledFolder(tmp_path).store(GRAPH, "f32", OpenVinoGraph(GRAPH, "f32", 1).compiled)
    monkeypatch.setenv(READY_VARIABLE, str(tmp_path))
    before = sorted(tmp_path.iterdir())
    np.testing.assert_array_equal(answer(), expected)
    OpenVinoGraph(GRAPH, "bf16", 1)
    assert sorted(tmp_path.iterdir()) == before
    assert compilations == [GRAPH, GRAPH]


def test_an_unusable_folder_is_done_without(monkeypatch, tmp_path, expected):
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / "below"))
    np.testing.assert_array_equal(answer(), expected)


def test_without_a_home_nothing_is_kept():
    code = "from litemedsam.engine.backends.openvino import OpenVinoGraph; from pathlib import Path;"
    code += f"OpenVinoGraph(Path({str(GRAPH)!r}), 'f32', 1); print('loaded')"
    environment = {"PATH": os.environ["PATH"], "HOME": "/proc/none"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "loaded"


def test_the_oldest_go_first(cache, monkeypatch):
    monkeypatch.setattr(module, "_LARGEST_BYTES", 40_000_000)
    cache.mkdir()
    for number, name in enumerate("abc"):
        path = cache / f"{name}.blob"
        path.write_bytes(bytes(10_000_000))
        os.utime(path, (number, number))
    OpenVinoGraph(GRAPH, "f32", 1)
    assert not (cache / "a.blob").exists()
    assert (cache / "c.blob").exists()
    assert len(list(cache.iterdir())) == 2


def test_metadata_are_read_without_a_runtime():
    metadata = read_metadata(GRAPH)
    assert metadata["litemedsam.format_version"] == "1"


@pytest.mark.parametrize("content", [b"\x08", b"\x0f", b"\x72\x7f", b"\xff" * 20, b"text that is no protocol buffer"])
def test_other_files_have_no_metadata(tmp_path, content):
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    with pytest.raises(LiteMedSamError, match="not an ONNX file"):
        read_metadata(path)
