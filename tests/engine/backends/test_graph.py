"""The contract of the back ends: each passes the same tests."""

import subprocess
import sys

import numpy as np
import pytest
from litemedsam.engine.backends.graph import remedy
from litemedsam.engine.backends.registry import load_graph
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.bundle.packaged import bundle_folder
from tiny_bundle import write_tiny_bundle

from litemedsam.errors import LiteMedSamError


@pytest.fixture(scope="module")
def encoder(backend):
    return load_graph(bundle_folder("swin-litemedsam") / ENCODER, backend, "f32", 2)


@pytest.fixture(scope="module")
def embedding(encoder):
    return encoder.run({"image": image(0)})


@pytest.fixture(scope="module")
def decoder(backend):
    return load_graph(bundle_folder("swin-litemedsam") / DECODER, backend, "f32", 2)


def image(seed):
    return np.random.default_rng(seed).random((1, 3, 256, 256), np.float32)


def prompts(count):
    rng = np.random.default_rng(count)
    corners = np.sort(rng.uniform(0, 256, (count, 2, 2)), axis=1).astype(np.float32)
    return {
        "boxes": corners.reshape(count, 4),
        "points": rng.uniform(0, 256, (count, 4, 2)).astype(np.float32),
        "scribbles": (rng.random((count, 256, 256)) < 0.01).astype(np.uint8),
    }


def test_metadata_travel_in_the_file(backend, encoder):
    info = BundleInfo.from_metadata(bundle_folder("swin-litemedsam") / ENCODER, encoder.metadata)
    assert info.model == "swin_litemedsam"
    assert info.frame == 256
    assert info.prompts == ("boxes", "points", "scribbles")
    assert encoder.name == backend


def test_an_embedding_weighs_12_6_megabytes(embedding):
    assert sum(array.nbytes for array in embedding.values()) == 3 * 4096 * 256 * 4


def test_outputs_are_the_callers_own(encoder, decoder, embedding):
    kept = {name: array.copy() for name, array in embedding.items()}
    second = encoder.run({"image": image(1)})
    for name in embedding:
        np.testing.assert_array_equal(embedding[name], kept[name])
        assert not np.array_equal(embedding[name], second[name])
        second[name][...] = 0
    first = decoder.run({**embedding, **prompts(1)})
    logits = first["logits"].copy()
    decoder.run({**embedding, **prompts(2)})
    np.testing.assert_array_equal(first["logits"], logits)


def test_prompts_do_not_influence_each_other(decoder, embedding):
    five = prompts(5)
    together = decoder.run({**embedding, **five})
    assert together["logits"].shape == (5, 256, 256)
    assert together["iou"].shape == (5,)
    for k in (0, 4):
        one = decoder.run({**embedding, **{name: array[k : k + 1] for name, array in five.items()}})
        np.testing.assert_array_equal(one["logits"][0], together["logits"][k])
        np.testing.assert_array_equal(one["iou"][0], together["iou"][k])


def test_threads_do_not_change_a_bit(backend, decoder, embedding):
    single = load_graph(bundle_folder("swin-litemedsam") / ENCODER, backend, "f32", 1)
    found = single.run({"image": image(0)})
    for name, array in embedding.items():
        np.testing.assert_array_equal(found[name], array)
    other = load_graph(bundle_folder("swin-litemedsam") / DECODER, backend, "f32", 1)
    feed = {**embedding, **prompts(3)}
    np.testing.assert_array_equal(decoder.run(feed)["logits"], other.run(feed)["logits"])


def test_damaged_graphs_are_refused(backend, tmp_path):
    path = tmp_path / ENCODER
    path.write_bytes((bundle_folder("swin-litemedsam") / ENCODER).read_bytes()[:100_000])
    with pytest.raises(LiteMedSamError, match=r"encoder\.onnx: (.* cannot load it|not an ONNX file)"):
        load_graph(path, backend, "f32", 1)


def test_a_missing_graph_is_refused(backend, tmp_path):
    with pytest.raises(LiteMedSamError, match="no such file"):
        load_graph(tmp_path / ENCODER, backend, "f32", 1)


_AT_ONCE = """
import sys, threading
from pathlib import Path
import subprocess
import sys

import numpy as np
from litemedsam.engine.inference.network import Network
from litemedsam.engine.inference.streams import Streams

network = Network.load(Path(sys.argv[1]), sys.argv[2], "f32", 2)
network.prepare(Streams(2, 2))
together = threading.Barrier(2)
# Threads take turns as often as they can, so that one comes in while the other is at its first use.
sys.setswitchinterval(1e-9)

def encode():
    together.wait()
    network.encode(np.eye(40, dtype=np.uint8))

threads = [threading.Thread(target=encode) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
"""


def test_the_first_two_runs_at_once_do_not_wait_for_each_other(tmp_path, backend):
    bundle = write_tiny_bundle(tmp_path / "bundle")
    for _ in range(4):
        command = [sys.executable, "-c", _AT_ONCE, bundle, backend]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [("std::bad_alloc", "give it more memory"), ("Out of Memory", "give it more memory"), ("x", "export the bundle")],
)
def test_the_remedy_is_that_of_the_error(text, words):
    assert remedy(RuntimeError(text)).startswith(words)
