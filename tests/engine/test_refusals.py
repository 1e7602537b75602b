"""What single parts of the engine refuse, and how they make do where a system tells less than usual."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from litemedsam.engine.backends import compiled, precompile
from litemedsam.engine.backends.compiled import CompiledFolder, processor, user_cache
from litemedsam.engine.backends.registry import BACKENDS, load_graph
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.bundle.onnx_metadata import read_metadata
from litemedsam.engine.case import checked_case
from litemedsam.engine.inference.embeddings import EmbeddingCache
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.network import Embedding, Network
from litemedsam.engine.inference.prompt import AutomaticPrompts, Target
from litemedsam.engine.inference.protocols import PUBLISHED, protocol_named
from litemedsam.engine.objects.sources import BoxesFile, GivenBoxes, StoredBoxes
from litemedsam.engine.reporting.overlay import draw
from litemedsam.engine.scan.scan import Scan
from litemedsam.engine.system import resources
from litemedsam.engine.system.optional import needed
from litemedsam.engine.system.resources import available_processors
from small_bundle import INFO, small_bundle

from litemedsam import LiteMedSamError, Predictor

REMEDY = "export"


@pytest.fixture
def bundle(tmp_path):
    return small_bundle(tmp_path / "bundle")


def test_the_container_s_quota_counts(tmp_path):
    free = available_processors(tmp_path)
    assert free >= 1
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_processors(tmp_path) == 1
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert available_processors(tmp_path) == free
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert available_processors(tmp_path) == free


def test_a_system_without_affinity_tells_its_processors(tmp_path, monkeypatch):
    monkeypatch.delattr(resources.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(resources.os, "cpu_count", lambda: None)
    assert available_processors(tmp_path) == 1


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


def test_a_compiled_graph_comes_back_from_a_folder_and_old_ones_go(bundle, tmp_path, monkeypatch):
    graph = bundle / ENCODER
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
    load_graph(bundle / DECODER, "openvino", "f32", 1)
    assert not kept.exists()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    # Where a folder cannot be listed, nothing is removed.
    CompiledFolder(tmp_path / "cache" / kept.name / "below")._trim(kept)


def test_the_default_bundle_is_compiled_into_a_folder(tmp_path, bundle, monkeypatch):
    monkeypatch.setattr(precompile, "default_bundle", lambda: bundle)
    precompile.main(tmp_path / "ready")
    assert len(list((tmp_path / "ready").glob("*.blob"))) == 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_no_graph_is_refused_by_every_runtime(bundle, backend):
    with pytest.raises(LiteMedSamError, match="no such file"):
        load_graph(bundle / "other.onnx", backend, "f32", 1)
    with pytest.raises(LiteMedSamError, match="unknown back end 'tvm'; expected one of: openvino, onnxruntime"):
        load_graph(bundle / ENCODER, "tvm", "f32", 1)
    with pytest.raises(LiteMedSamError, match="computes in"):
        load_graph(bundle / ENCODER, backend, "f16", 1)
    graph = onnx.load(bundle / ENCODER)
    graph.graph.node[0].op_type = "Invented"
    onnx.save(graph, bundle / ENCODER)
    with pytest.raises(LiteMedSamError, match="cannot load it"):
        load_graph(bundle / ENCODER, backend, "f32", 1)
    (bundle / ENCODER).write_bytes(b"")
    with pytest.raises(LiteMedSamError, match=r"cannot load it|not a graph"):
        load_graph(bundle / ENCODER, backend, "f32", 1)
    with pytest.raises(LiteMedSamError, match="not a graph of a litemedsam bundle"):
        Network.load(bundle, backend, "f32", 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_graph_that_does_not_fit_its_metadata_is_refused(tmp_path, backend):
    image = np.zeros((20, 20), np.uint8)

    def network(name, **changes):
        """A bundle one of whose graphs says of itself what is not so."""
        folder = small_bundle(tmp_path / name, replace(INFO, **changes))
        plain = small_bundle(tmp_path / f"{name}-plain")
        for graph in (ENCODER, DECODER):
            model = onnx.load(plain / graph)
            onnx.helper.set_model_props(model, replace(INFO, **changes).to_metadata())
            onnx.save(model, folder / graph)
        return Network.load(folder, backend, "f32", 1)

    with pytest.raises(LiteMedSamError, match="its encoder gives no skip"):
        network("output", embedding=("image_embedding", "skip")).encode(image)
    with pytest.raises(LiteMedSamError, match="cannot run it"):
        network("frame", frame=32).encode(image)
    other = network("prompts", prompts=("boxes",))
    embedding = other.encode(image)
    prompts = [AutomaticPrompts().prompt(Target(1), np.float32([1, 1, 9, 9]), embedding.foreground)]
    # OpenVINO takes no prompts for none; what comes of it is noticed.
    with pytest.raises(LiteMedSamError, match=r"cannot run it|its decoder gives"):
        other.decode(embedding, prompts)
    swapped = network("swapped")
    swapped.decoder = swapped.encoder
    with pytest.raises(LiteMedSamError):
        swapped.decode(embedding, prompts)


class Answers:
    """A graph that gives what it is told to."""

    name = version = ""
    metadata: dict = {}  # noqa: RUF012 - never changed

    def __init__(self, **outputs):
        self.outputs = outputs

    def run(self, inputs):
        return self.outputs

    def close(self):
        pass


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"iou": np.zeros(1)}, "its decoder gives no logits"),
        ({"logits": np.zeros((2, 64, 64)), "iou": np.zeros(1)}, "gives (2, 64, 64) and (1,) for 1 prompts"),
        ({"logits": np.zeros((1, 64, 64)), "iou": np.zeros((1, 1))}, "gives (1, 64, 64) and (1, 1) for 1 prompts"),
    ],
)
def test_answers_of_another_shape_are_refused(outputs, words):
    foreground = np.ones((64, 64), bool)
    embedding = Embedding(Frame.of(64, 64, 64), foreground, {})
    prompt = AutomaticPrompts().prompt(Target(1), np.float32([1, 1, 9, 9]), foreground)
    with pytest.raises(LiteMedSamError) as error:
        Network(INFO, Answers(), Answers(**outputs)).decode(embedding, [prompt])
    assert words in str(error.value)


METADATA = INFO.to_metadata()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"litemedsam.format_version": None}, "no format version"),
        ({"litemedsam.format_version": "9"}, "bundle format version 9, expected 1"),
        ({"litemedsam.model": None}, "the metadata lack model"),
        ({"litemedsam.frame": "²"}, "metadata frame is '²', expected a number"),
        ({"litemedsam.frame": "9" * 5000}, "expected a number"),
        ({"litemedsam.frame": "15"}, "a frame of 15 pixels, expected 16 to 4096"),
        ({"litemedsam.frame": "4097"}, "a frame of 4097 pixels"),
    ],
)
def test_bad_metadata_are_explained(changes, words):
    entries = {key: value for key, value in {**METADATA, **changes}.items() if value is not None}
    with pytest.raises(LiteMedSamError) as error:
        BundleInfo.from_metadata(Path("a.onnx"), entries)
    assert words in str(error.value)
    assert "export the checkpoint again" in str(error.value)


def test_metadata_come_back_whole_and_older_ones_too():
    assert BundleInfo.from_metadata(Path("a"), METADATA) == INFO
    del (older := dict(METADATA))["litemedsam.published_protocol"]
    assert BundleInfo.from_metadata(Path("a"), older).published_protocol == "swin_litemedsam"
    for frame in ("16", "4096"):
        assert BundleInfo.from_metadata(Path("a"), {**METADATA, "litemedsam.frame": frame}).frame == int(frame)


def test_bundles_of_two_checkpoints_or_unknown_prompts_are_refused(bundle, tmp_path):
    other = small_bundle(tmp_path / "other", replace(INFO, weights_sha256="1" * 64))
    shutil.copyfile(other / DECODER, bundle / DECODER)
    with pytest.raises(LiteMedSamError, match="encoder and decoder come from different checkpoints"):
        Predictor(bundle)
    small_bundle(bundle, replace(INFO, prompts=("boxes", "words")))
    with pytest.raises(LiteMedSamError, match="its decoder takes words; this version makes boxes, points, scribbles"):
        Predictor(bundle)
    with pytest.raises(LiteMedSamError, match="no such bundle folder"):
        Predictor(tmp_path / "none")


def test_an_installation_without_a_model(monkeypatch, tmp_path):
    from litemedsam.engine.bundle import info as module

    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    with pytest.raises(LiteMedSamError, match="comes without a default model; give a bundle with --model"):
        Predictor()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x0d\x00", "ends within a field"),
        (b"\x08", "ends within a field"),
        (b"\x08\xff", "ends within a number"),
        (b"\x80" * 11, "a number is too long"),
        (b"\x0b", "field 1 is of unknown kind 3"),
        (b"\x72\x05ab", "ends within a field"),
        (b"\x72\x01\x0a", "damaged"),
        (b"\x72\x03\x0a\x01\xff", "damaged"),
    ],
)
def test_damaged_metadata(tmp_path, content, words):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(LiteMedSamError, match=words):
        read_metadata(tmp_path / "a.onnx")


def test_fields_of_every_kind_are_stepped_over(tmp_path):
    entry = b"\x0a\x01k\x12\x81\x01" + b"v" * 129
    pair = b"\x72" + bytes([0x80 | len(entry) & 0x7F, len(entry) >> 7]) + entry
    (tmp_path / "a.onnx").write_bytes(b"\x08\x05" + b"\x0d1234" + b"\x0912345678" + b"\x12\x02xx" + pair)
    assert read_metadata(tmp_path / "a.onnx") == {"k": "v" * 129}
    with pytest.raises(LiteMedSamError, match="cannot be read"):
        read_metadata(tmp_path / "none.onnx")


def test_the_cache_forgets():
    embedding = Embedding(Frame.of(4, 4, 4), np.ones((4, 4), bool), {"a": np.zeros(4, np.float32)})
    cache = EmbeddingCache(2 * embedding.nbytes)
    assert embedding.nbytes == 32
    for key in (1, 2, 3):
        cache.put(key, embedding)
    assert [key in cache for key in (1, 2, 3)] == [False, True, True]
    assert cache.get(1) is None
    cache.put(2, embedding)
    assert cache.nbytes == 64
    cache.discard(9)
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)


PIXELS = np.zeros((6, 7), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"pixels": np.array([["a"]])}, "imgs has type <U1"),
        ({"pixels": np.zeros((0, 5), np.uint8)}, "imgs is empty"),
        ({"pixels": PIXELS - 1.5}, "imgs has values from -1.5 to -1.5"),
        ({"pixels": np.full((6, 7), np.nan)}, "NaN or infinity"),
        ({"pixels": np.zeros((6, 7, 4), np.uint8)}, "expected an image (H, W) or (H, W, 3) for boxes of 4 numbers"),
        ({"boxes": np.zeros(4)}, "boxes has shape (4,), expected (N, 4) for an image or (N, 6) for a volume"),
        ({"boxes": np.zeros((1, 6))}, "expected a volume (D, H, W) or (D, H, W, 3) for boxes of 6 numbers"),
        ({"boxes": np.array([["a"] * 4])}, "boxes has shape (1, 4) and type <U1"),
        ({"boxes": np.zeros((0, 4))}, "there are no boxes"),
        ({"boxes": np.zeros((65536, 4))}, "65536 boxes, expected at most 65535"),
        ({"boxes": np.array([[0, 0, np.inf, 1]])}, "object 1: the box (0, 0, inf, 1) holds NaN or infinity"),
        ({"boxes": np.array([[0, 0, 1, 1], [3, 0, 1, 1]])}, "object 2: x_min 3 is greater than x_max 1"),
        (
            {"boxes": np.array([[0, 0, 8, 1]])},
            "x from 0 to 8 in box (0, 0, 8, 1) is outside the image, expected 0 to 6",
        ),
        ({"boxes": np.array([[0, -1, 3, 1]])}, "y from -1 to 1"),
        ({"boxes": np.array([[7, 0, 7, 1]])}, "x from 7 to 7"),
        ({"spacing": np.zeros(2)}, "spacing has shape (2,) and type float64, expected (3,) in mm"),
        ({"spacing": np.array([1, np.nan, 1])}, "expected positive numbers in mm"),
        ({"spacing": np.array([1, 0, 1])}, "expected positive numbers in mm"),
    ],
)
def test_bad_cases_are_explained(arrays, words):
    given = {"pixels": PIXELS, "boxes": np.array([[0, 0, 7, 6]]), "spacing": np.ones(3), **arrays}
    with pytest.raises(LiteMedSamError) as error:
        checked_case("case", **given)
    assert words in str(error.value)


def test_a_box_may_end_on_the_far_edge_but_for_slices():
    case = checked_case("case", PIXELS, np.array([[0, 0, 7, 6]]))
    np.testing.assert_array_equal(case.boxes, [[0, 0, 7, 6]])
    volume = np.zeros((3, 6, 7), np.uint8)
    assert checked_case("case", volume, np.array([[0, 0, 0, 7, 6, 2]])).is_volume
    for box, words in (([0, 0, 0, 7, 6, 3], "z from 0 to 3"), ([0, 0, 0.5, 7, 6, 2], "expected whole slice numbers")):
        with pytest.raises(LiteMedSamError, match=words):
            checked_case("case", volume, np.array([box]))


VOLUME = Scan("scan", np.zeros((3, 6, 7), np.uint8), True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('"text"', "str, expected an object with version, objects"),
        ('{"version": 1}', "lacks objects"),
        ('{"version": true, "objects": []}', "version True, expected 1"),
        ('{"version": 1, "space": [], "objects": [1]}', "space [], expected voxel or world"),
        ('{"version": 1, "objects": []}', "objects is not a list of at least one object"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3]}]}', "box is [1, 2, 3], expected 4 or 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, true]}]}', "expected 4 or 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, 1' + "0" * 400 + "]}]}", "expected 4 or 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, NaN]}]}', "holds NaN or infinity"),
        ('{"version": 1, "objects": [{"box": [3, 2, 1, 4]}]}', "x_min 3 is greater than x_max 1"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, 4], "name": 5}]}', "name is 5, expected a text"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, 4], "name": "\\ud800"}]}', "expected a text"),
        ('{"version": 1, "objects": [{"box": [1, 1, 0, 3, 3, 1], "z": [0, 1]}]}', "z beside a box of 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 1, 3, 3], "z": [0, 1]}, {"box": [1, 1, 3, 3]}]}', "after one of 6"),
        ('{"version": 1, "objects": [{"box": [1, 1, 3, 3], "points": []}]}', "expected one to four points"),
        (
            '{"version": 1, "objects": [{"box": [1, 1, 3, 3], "points": [[1, 1]]}]}',
            "points of 2 numbers in a scan of 3",
        ),
        ('{"version": 1, "objects": [{"box": [1, 1, 0, 3, 3, 1], "points": [[1, 1, NaN]]}]}', "a point holds NaN"),
        (
            '{"version": 1, "objects": [{"box": [1, 1, 0, 3, 3, 1], "points": [[9, 1, 1]]}]}',
            "outside the scan of 7 × 6 × 3",
        ),
        ('{"version": 1, "space": "world", "objects": [{"box": [1, 1, 0, 3, 3, 1]}]}', "not say where it lies"),
        ('[{"type": "circle", "data": [1, 2]}]', "type 'circle', expected rectangle or point"),
        ('[{"type": "point", "data": [1, 2], "label": 0}]', "a point off the object"),
        ('[{"type": "point", "data": [1, 2]}]', "points beside 0 rectangles"),
    ],
)
def test_bad_boxes_of_a_file_are_explained(tmp_path, content, words):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(LiteMedSamError) as error:
        BoxesFile(tmp_path / "a.json").objects(Path("scan"), VOLUME)
    assert words in str(error.value)
    assert len(str(error.value)) < 400


def test_points_of_a_single_slice_may_leave_it_out(tmp_path):
    (tmp_path / "a.json").write_text('{"version": 1, "objects": [{"box": [1, 1, 3, 3], "points": [[2, 3]]}]}')
    single = Scan("scan", np.zeros((1, 6, 7), np.uint8), True)
    np.testing.assert_array_equal(BoxesFile(tmp_path / "a.json").objects(Path("s"), single).points[1], [[2, 3, 0]])


def test_bad_boxes_of_the_command_line_are_explained():
    for boxes, words in (
        ([[1, 2, 3]], "object 1: a box of 3 numbers, expected x0,y0,x1,y1 or"),
        ([[1, 2, 3, 4], [1, 2, 0, 3, 4, 1]], "object 2: a box of 6 numbers after one of 4"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            GivenBoxes(boxes).objects(Path("scan"), VOLUME)
    with pytest.raises(LiteMedSamError, match="there are no boxes"):
        StoredBoxes().objects(Path("scan"), VOLUME)


def test_unknown_protocols_are_refused():
    with pytest.raises(LiteMedSamError, match="unknown protocol 'other'"):
        protocol_named("other", "litemedsam")
    with pytest.raises(LiteMedSamError, match="asks for the published protocol 'sam'; this version knows: swin"):
        protocol_named("published", "sam")
    assert protocol_named("published", "litemedsam") is PUBLISHED["litemedsam"]


@pytest.mark.parametrize("setting", [{"threads": 0}, {"seed": -1}, {"cache_mb": -1}, {"cache_mb": float("nan")}])
def test_settings_that_make_no_sense(bundle, setting):
    with pytest.raises(LiteMedSamError, match="expected at least"):
        Predictor(bundle, **setting)


def test_prompts_that_make_no_sense(bundle, tmp_path):
    predictor = Predictor(bundle, backend="onnxruntime", threads=1)
    with pytest.raises(LiteMedSamError, match=r"image has shape \(4, 5, 2\)"):
        predictor.set_image(np.zeros((4, 5, 2), np.uint8))
    predictor.set_image(PIXELS)
    box = [[0, 0, 6, 5]]
    for given, words in (
        ({"points": np.zeros((1, 3, 2))}, r"expected numbers \(1, 4, 2\)"),
        ({"points": np.full((1, 4, 2), 8)}, "object 1: a point lies outside the image of 7 × 6 pixels"),
        ({"scribbles": np.zeros((1, 6, 7))}, r"expected bool \(1, 6, 7\)"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            predictor.predict(box, **given)
    scribbles = np.zeros((1, 6, 7), bool)
    scribbles[0, 2, 2:5] = True
    plain, drawn = predictor.predict(box), predictor.predict(box, np.full((1, 4, 2), 3.0), scribbles)
    assert not np.array_equal(plain.logits, drawn.logits)
    folder = small_bundle(tmp_path / "boxes", replace(INFO, prompts=("boxes",)))
    only = Predictor(folder, backend="onnxruntime", threads=1)
    only.set_image(PIXELS)
    with pytest.raises(LiteMedSamError, match="takes no points, only: boxes; leave out the points"):
        only.predict(box, points=np.zeros((1, 4, 2)))


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(LiteMedSamError, match=r'highdicom is not installed; pip install "litemedsam\[dicom\]"'):
        needed("highdicom", "dicom")


def test_pictures_keep_the_scan_s_proportions():
    labels = np.zeros((10, 20), np.uint8)
    assert draw(labels, labels, {}, 40).shape == (20, 40, 3)
    assert draw(labels, labels, {}, 40, (1.0, 2.0)).shape == (40, 40, 3)
