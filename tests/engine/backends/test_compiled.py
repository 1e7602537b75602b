"""Stored compiled graphs: used if they fit, with the same results, and ignored otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.backends import compiled
from litemedsam.engine.backends import compiled as module
from litemedsam.engine.backends.compiled import CACHE_VARIABLE, READY_VARIABLE, CompiledFolder, processor, user_cache
from litemedsam.engine.backends.openvino import OpenVinoGraph
from litemedsam.engine.backends.registry import load_graph
from litemedsam.engine.bundle.info import DECODER, ENCODER
from litemedsam.engine.bundle.packaged import bundle_folder

GRAPH = bundle_folder("swin-litemedsam") / DECODER


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


def test_a_system_that_tells_no_processor(tmp_path):
    assert processor(tmp_path / "none") == ""
    (tmp_path / "cpuinfo").write_text("model name\t: A\nMHz\t: 5\n\nmodel name\t: B\n")
    assert processor(tmp_path / "cpuinfo") == "model name\t: A"


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LITEMEDSAM_CACHE", "")
    assert user_cache() is None
    monkeypatch.setenv("LITEMEDSAM_CACHE", "somewhere")
    assert user_cache() == Path("somewhere")
    monkeypatch.delenv("LITEMEDSAM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "litemedsam"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_cache() == tmp_path / "home" / ".cache" / "litemedsam"
    monkeypatch.setenv("HOME", "/")
    assert user_cache() is None

    def homeless():
        raise RuntimeError

    monkeypatch.setattr(compiled.Path, "home", homeless)
    assert user_cache() is None


def test_a_compiled_graph_comes_back_from_a_folder_and_old_ones_go(own_bundle, tmp_path, monkeypatch):
    graph = own_bundle / ENCODER
    monkeypatch.setenv("LITEMEDSAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LITEMEDSAM_COMPILED", str(tmp_path / "ready"))
    image = {"image": np.random.default_rng(0).random((1, 3, 64, 64), np.float32)}
    answers = []
    for _ in range(2):
        loaded = load_graph(graph, "openvino", "f32", 1)
        answers.append(loaded.run(image)["image_embedding"])
        loaded.close()
    np.testing.assert_array_equal(*answers)
    (kept,) = (tmp_path / "cache").iterdir()
    # What has a checksum but is no graph is compiled again.
    CompiledFolder(tmp_path / "ready").folder.mkdir()
    blob = b"no graph"
    (tmp_path / "ready" / kept.name).write_bytes(compiled.zlib.crc32(blob).to_bytes(4, "little") + blob)
    (tmp_path / "cache" / kept.name).unlink()
    np.testing.assert_array_equal(load_graph(graph, "openvino", "f32", 1).run(image)["image_embedding"], answers[0])
    assert kept.is_file()
    monkeypatch.setattr(compiled, "_LARGEST_BYTES", 0)
    load_graph(own_bundle / DECODER, "openvino", "f32", 1)
    assert not kept.exists()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    # Where a folder cannot be listed, nothing is removed.
    CompiledFolder(tmp_path / "cache" / kept.name / "below")._trim(kept)
