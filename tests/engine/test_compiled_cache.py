"""Compiled graphs kept between processes: faster at best, never different, never in the way."""

import os
import subprocess
import sys

import numpy as np
import pytest
from litemedsam.engine.backends import load_graph
from litemedsam.engine.backends.compiled_cache import compiled_cache
from litemedsam.engine.bundle import DECODER, ENCODER, default_bundle
from litemedsam.engine.onnx_metadata import read_metadata

from litemedsam.errors import LiteMedSamError

GRAPH = default_bundle() / DECODER


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LITEMEDSAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def answer():
    rng = np.random.default_rng(0)
    graph = load_graph(GRAPH, "openvino", "f32", 2)
    feed = {
        "image_embedding": rng.normal(size=(1, 4096, 256)).astype(np.float32),
        "deep_skip": rng.normal(size=(1, 4096, 256)).astype(np.float32),
        "shallow_skip": rng.normal(size=(1, 4096, 4, 64)).astype(np.float32),
        "boxes": np.float32([[20, 30, 100, 120]]),
        "points": np.full((1, 4, 2), 60, np.float32),
        "scribbles": np.zeros((1, 256, 256), np.uint8),
    }
    return graph.run(feed)["logits"]


def entries(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_kept_graph_gives_the_same_bits_and_damage_is_repaired(cache, monkeypatch):
    first = answer()
    (entry,) = entries(cache)
    np.testing.assert_array_equal(answer(), first)
    assert entries(cache) == [entry]
    entry.write_bytes(entry.read_bytes()[:1000])
    np.testing.assert_array_equal(answer(), first)
    monkeypatch.setenv("LITEMEDSAM_CACHE", "")
    np.testing.assert_array_equal(answer(), first)


def test_an_unusable_folder_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LITEMEDSAM_CACHE", str(tmp_path / "file" / "below"))
    assert compiled_cache("runtime", GRAPH, "") is None
    assert answer().shape == (1, 256, 256)


def test_without_a_home_there_is_no_cache():
    code = (
        "import os; from pathlib import Path; from litemedsam.engine.backends.compiled_cache import compiled_cache;"
        f"print(compiled_cache('runtime', Path({str(GRAPH)!r}), ''))"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": "/proc/none"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "None"


def test_another_file_has_another_entry(cache):
    assert compiled_cache("runtime", GRAPH, "a") != compiled_cache("runtime", GRAPH, "b")
    assert compiled_cache("runtime", GRAPH, "a") != compiled_cache("newer", GRAPH, "a")
    assert compiled_cache("runtime", GRAPH, "a") != compiled_cache("runtime", default_bundle() / ENCODER, "a")


def test_the_oldest_entries_go_first(cache, monkeypatch):
    monkeypatch.setattr("litemedsam.engine.backends.compiled_cache._LARGEST_BYTES", 2500)
    made = []
    for number, name in enumerate("abc"):
        path = compiled_cache("runtime", GRAPH, name) / "blob"
        path.write_bytes(bytes(1000))
        os.utime(path, (number, number))
        made.append(path)
    compiled_cache("runtime", GRAPH, "d")
    assert [path.exists() for path in made] == [False, True, True]


def test_metadata_are_read_without_a_runtime():
    metadata = read_metadata(GRAPH)
    assert metadata["litemedsam.model"] == "swin_litemedsam"
    assert metadata["litemedsam.format_version"] == "1"


@pytest.mark.parametrize("content", [b"\x08", b"\x0f", b"\x72\x7f", b"\xff" * 20, b"text that is no protocol buffer"])
def test_other_files_have_no_metadata(tmp_path, content):
    path = tmp_path / "graph.onnx"
    path.write_bytes(content)
    with pytest.raises(LiteMedSamError, match="not an ONNX file"):
        read_metadata(path)
