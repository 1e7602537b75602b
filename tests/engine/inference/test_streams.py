"""The numbers of slices and objects computed at once, and the number of loads of a graph."""

import numpy as np
import pytest
from litemedsam.engine.inference import graphs
from litemedsam.engine.inference.streams import Growing, Streams, streams_of

from litemedsam import Predictor


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 2), (4, 4), (16, 4)])
def test_few_threads_have_a_stream_each_and_many_share_four(threads, streams):
    assert streams_of(threads) == streams


def test_streams_suit_the_first_case_and_never_shrink():
    policy = Growing(4)
    assert policy.wanted(False, 1, None) == Streams(1, 1)
    assert policy.wanted(False, 3, None) == Streams(1, 3)
    assert policy.wanted(True, 1, None) == Streams(4, 4)
    assert policy.wanted(False, 1, Streams(4, 4)) == Streams(4, 4)
    assert policy.wanted(False, 2, Streams(1, 1)) == Streams(1, 2)
    assert Growing(2, many=True).wanted(False, 1, None) == Streams(1, 2)


def test_sixty_images_with_one_to_eight_boxes_load_each_graph_once(untrained_bundle, monkeypatch):
    loads, load = [], graphs.load_graph

    def counted(path, *settings):
        loads.append(path.name)
        return load(path, *settings)

    monkeypatch.setattr(graphs, "load_graph", counted)
    predictor = Predictor(untrained_bundle, "onnxruntime", "f32", threads=2, policy=Growing(2, many=True))
    image = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
    for k in range(60):
        predictor.segment(image, [[1, 1, 20 + n, 30] for n in range(1 + k % 8)])
    assert sorted(loads) == ["decoder.onnx", "encoder.onnx"]
