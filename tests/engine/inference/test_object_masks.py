"""The objects of an image: small batches, in order, the same in any batch."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from litemedsam.engine.inference.object_masks import ObjectDecoder, ObjectQuery
from litemedsam.engine.inference.prompt import Prompt, Target
from litemedsam.engine.inference.streams import Streams
from litemedsam.engine.system.calling_thread import CallingThread
from litemedsam.engine.system.stopwatch import Stopwatch

from litemedsam import Predictor

BOXES = np.array([[4, 5, 30, 28], [10, 3, 44, 36], [2, 2, 20, 39], [20, 10, 47, 30], [5, 8, 40, 20]], np.float32)


@pytest.fixture(scope="module")
def opened(correctable_bundle):
    """A predictor with loaded graphs, and the embedding of an image."""
    with Predictor(correctable_bundle, "onnxruntime", "f32", threads=1) as predictor:
        predictor.network.prepare(Streams(1, 1))
        image = np.random.default_rng(0).integers(0, 256, (40, 48), np.uint8)
        yield predictor, predictor.network.encode(image)


def decoder_of(predictor, pool, streams=0, prompts=None):
    source = prompts or predictor.prompts
    return ObjectDecoder(predictor.network, predictor.protocol, source, pool, streams, Stopwatch())


def queries_of(boxes):
    return [ObjectQuery(Target(k), box * 64 / 48, box) for k, box in enumerate(boxes, start=1)]


def test_answers_come_in_order_and_do_not_depend_on_their_company(opened):
    predictor, embedding = opened
    with ThreadPoolExecutor(2) as pool:
        together = list(decoder_of(predictor, pool, 2).masks(embedding, queries_of(BOXES)))
    assert [answer.target.number for answer in together] == [1, 2, 3, 4, 5]
    for answer, query in zip(together, queries_of(BOXES), strict=True):
        (alone,) = decoder_of(predictor, CallingThread()).masks(embedding, [query])
        assert np.array_equal(alone.logits, answer.logits)
        assert np.array_equal(alone.region.mask, answer.region.mask)
        assert alone.score == answer.score
        assert answer.query.own_box is not None


class Fixed:
    """Gives one prompt, whatever the box."""

    def __init__(self, scribble, drawn):
        self.scribble, self.drawn = scribble, drawn

    def prompt(self, target, box, foreground):
        return Prompt(box, scribble=self.scribble, drawn=self.drawn)


@pytest.mark.parametrize("drawn", [False, True])
def test_the_mask_before_replaces_a_scribble_that_nobody_drew(opened, drawn):
    predictor, embedding = opened
    own, before = np.zeros((2, 64, 64), bool)
    own[10:20, 10:20] = before[30:50, 30:50] = True
    (query,) = queries_of(BOXES[:1])
    (found,) = decoder_of(predictor, CallingThread(), prompts=Fixed(own, drawn)).masks(
        embedding, [ObjectQuery(query.target, query.box, query.own_box, before)]
    )
    chosen = own if drawn else before
    (expected,) = decoder_of(predictor, CallingThread(), prompts=Fixed(chosen, True)).masks(embedding, [query])
    assert np.array_equal(found.logits, expected.logits)
