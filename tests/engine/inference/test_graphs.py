"""A bundle's graphs: chosen and checked before they load in the background."""

from dataclasses import replace
from threading import Event

import numpy as np
import onnx
import pytest
from litemedsam.engine.bundle.info import DECODER, ENCODER
from litemedsam.engine.inference.graphs import Graphs, StreamedGraph
from litemedsam.engine.inference.network import Network
from litemedsam.engine.inference.streams import Streams
from tiny_bundle import INFO, write_tiny_bundle

from litemedsam import LiteMedSamError, Predictor


class Doubling:
    """A graph that doubles, and knows whether it was closed."""

    def __init__(self):
        self.closed = False

    def run(self, inputs):
        return {"y": 2 * inputs["x"]}

    def close(self):
        self.closed = True


def test_it_is_loaded_in_the_background_and_run_when_it_is_there():
    may_end, loads = Event(), []

    def load(streams):
        may_end.wait(10)
        loads.append(streams)
        return Doubling()

    graph = StreamedGraph(load)
    graph.begin(2)
    assert loads == []
    may_end.set()
    assert graph.run({"x": np.arange(3)})["y"].tolist() == [0, 2, 4]
    graph.begin(2)
    graph.prepare(2)
    assert loads == [2]


def test_another_number_of_streams_loads_it_again():
    loads = []
    graph = StreamedGraph(lambda streams: loads.append(streams) or Doubling())
    graph.run({"x": np.arange(3)})
    graph.prepare(3)
    graph.run({"x": np.arange(3)})
    assert loads == [1, 3]


def test_a_load_that_fails_is_tried_again_when_it_is_needed():
    outcomes = [LiteMedSamError("damaged"), LiteMedSamError("still damaged"), Doubling()]

    def load(streams):
        outcome = outcomes.pop(0)
        if isinstance(outcome, LiteMedSamError):
            raise outcome
        return outcome

    graph = StreamedGraph(load)
    graph.begin(1)
    while len(outcomes) > 2:
        pass
    with pytest.raises(LiteMedSamError, match="damaged"):
        graph.prepare(1)
    graph.close()
    outcomes[:] = outcomes[-1:]
    assert graph.run({"x": np.arange(2)})["y"].tolist() == [0, 2]


def test_closing_frees_what_was_loaded_and_running_loads_it_again():
    made = []
    graph = StreamedGraph(lambda streams: made.append(Doubling()) or made[-1])
    graph.close()
    graph.prepare(2)
    graph.close()
    assert made[0].closed
    graph.run({"x": np.arange(1)})
    assert len(made) == 2
    assert not made[1].closed


def test_a_predictor_takes_graphs_that_are_open_and_loading(tmp_path):
    bundle = write_tiny_bundle(tmp_path / "bundle")
    graphs = Graphs.open(bundle, "onnxruntime", "f32", 2)
    graphs.begin(Streams(1, 2))
    image, boxes = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30), [[3, 2, 20, 15], [1, 1, 9, 9]]
    ahead = Predictor(graphs=graphs, seed=3)
    plain = Predictor(bundle, "onnxruntime", "f32", threads=2, seed=3)
    assert (ahead.bundle, ahead.backend, ahead.precision, ahead.threads) == (bundle, "onnxruntime", "f32", 2)
    found, expected = ahead.segment(image, boxes), plain.segment(image, boxes)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.scores, expected.scores)


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
def test_unknown_metadata_are_refused(own_bundle, key, value, message):
    for name in (ENCODER, DECODER):
        model = onnx.load(own_bundle / name)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        properties.pop(key, None)
        if value is not None:
            properties[key] = value
        onnx.helper.set_model_props(model, properties)
        onnx.save(model, own_bundle / name)
    with pytest.raises(LiteMedSamError, match=message):
        Network.load(own_bundle, "onnxruntime", "f32", 1)


def test_graphs_of_two_checkpoints_are_refused(own_bundle, tmp_path):
    other = write_tiny_bundle(tmp_path / "other", replace(INFO, weights_sha256="1" * 64))
    (own_bundle / DECODER).write_bytes((other / DECODER).read_bytes())
    with pytest.raises(LiteMedSamError, match="different checkpoints"):
        Graphs.open(own_bundle, "onnxruntime", "f32", 1)


def test_a_forked_child_is_told_to_start_anew_and_closes_nothing(monkeypatch):
    graph, loaded = StreamedGraph(lambda streams: loaded), Doubling()
    graph.prepare(1)
    monkeypatch.setattr("litemedsam.engine.inference.graphs.os.getpid", lambda: -1)
    with pytest.raises(LiteMedSamError, match=r'made before this process was forked; .*get_context\("spawn"\)'):
        graph.run({"x": np.arange(3)})
    graph.close()
    assert not loaded.closed


def test_a_folder_that_is_absent_is_named(tmp_path):
    with pytest.raises(LiteMedSamError, match="absent: no such bundle folder; make one with litemedsam-export"):
        Graphs.open(tmp_path / "absent", "onnxruntime", "f32", 1)
