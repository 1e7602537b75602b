"""The slices of an object that is drawn on one slice: the rule, the walk, and a ball in the default model."""

from dataclasses import replace

import numpy as np
import pytest
from litemedsam.engine.case import Case
from litemedsam.engine.inference.embeddings import EmbeddingCache, SliceEmbeddings
from litemedsam.engine.inference.object_masks import ObjectDecoder, ObjectMask, ObjectQuery
from litemedsam.engine.inference.prompt import Target
from litemedsam.engine.inference.range_search import EndRule, RangeSearch, SliceFacts
from litemedsam.engine.inference.region import Region
from litemedsam.engine.inference.streams import Streams
from litemedsam.engine.system.calling_thread import CallingThread
from litemedsam.engine.system.stopwatch import Stopwatch

from litemedsam import LiteMedSamError, Predictor

NEVER, AT_ONCE = EndRule(constant=1e6), EndRule(constant=-1e6)
DRAWN = SliceFacts(0.9, 400, 120.0, 10.0)


@pytest.mark.parametrize(
    ("here", "ended"),
    [
        (DRAWN, False),
        (replace(DRAWN, area=0), True),
        (replace(DRAWN, area=8), True),
        (replace(DRAWN, area=200), False),
        (replace(DRAWN, score=0.3, area=60), True),
        (replace(DRAWN, area=60), False),
        (replace(DRAWN, mean=119.0), False),
        (replace(DRAWN, mean=40.0, score=0.7, area=350), True),
    ],
)
def test_an_object_ends_where_its_mask_is_small_doubtful_or_of_another_kind(here, ended):
    assert EndRule().ended(DRAWN, here) == ended


@pytest.mark.parametrize(
    ("drawn", "here", "share"),
    [
        # The logarithm of the area's share is -(1.17 + 2.09 score - .98 change) / 1.59 where the two are as likely.
        (SliceFacts(0.8, 10**6, 100.0, 10.0), SliceFacts(0.8, 0, 100.0, 0.0), np.exp(-(1.17 + 2.09) / 1.59)),
        (SliceFacts(0.8, 10**6, 100.0, 10.0), SliceFacts(0.2, 0, 100.0, 0.0), np.exp(-(1.17 + 2.09 / 4) / 1.59)),
        # A score below .3 on the drawn slice counts as .3.
        (SliceFacts(0.1, 10**6, 100.0, 10.0), SliceFacts(0.2, 0, 100.0, 0.0), np.exp(-(1.17 + 2.09 * 2 / 3) / 1.59)),
        # The deviation is 10 larger, and the change at most 4.
        (SliceFacts(0.8, 10**6, 100.0, 15.0), SliceFacts(0.8, 0, 50.0, 0.0), np.exp(-(1.17 + 2.09 - 0.98 * 2) / 1.59)),
        (SliceFacts(0.8, 10**6, 0.0, 0.0), SliceFacts(0.8, 0, 255.0, 0.0), np.exp(-(1.17 + 2.09 - 0.98 * 4) / 1.59)),
    ],
)
def test_the_rule_is_a_logistic_regression(drawn, here, share):
    least = np.ceil((share - 0.02) * drawn.area)
    assert EndRule().ended(drawn, replace(here, area=int(least) - 1))
    assert not EndRule().ended(drawn, replace(here, area=int(least)))


def test_an_empty_mask_on_the_drawn_slice_counts_as_one_pixel():
    rule = EndRule(constant=-np.log(3.5), score=0.0, area=1.0, change=0.0)
    empty = replace(DRAWN, area=0)
    assert [rule.ended(empty, replace(DRAWN, area=area)) for area in (1, 2, 3, 4)] == [True, True, True, False]
    assert not replace(rule, constant=0.0, area=0.0).ended(empty, DRAWN)


@pytest.mark.parametrize("coloured", [False, True])
def test_facts_are_of_the_pixels_under_the_mask(coloured):
    page = np.zeros((20, 30), np.uint8)
    page[4:8, 6:9], page[5, 6] = 100, 88
    query = ObjectQuery(Target(1, 2), np.zeros(4, np.float32), np.zeros(4))
    mask = np.ones((4, 3), bool)
    found = ObjectMask(query, Region(4, 6, mask), np.float32(0.5), np.zeros((64, 64), np.float32))
    facts = SliceFacts.of(found, np.stack([page] * 3, axis=-1) if coloured else page)
    assert facts == SliceFacts(0.5, 12, pytest.approx(99.0), pytest.approx(np.std([88] + [100] * 11)))
    empty = replace(found, region=Region(0, 0, np.zeros((0, 0), bool)))
    assert SliceFacts.of(empty, page) == SliceFacts(0.5, 0, 0.0, 0.0)


@pytest.fixture(scope="module")
def searching(correctable_bundle):
    """A search through a volume of nine slices with an untrained network, and its count of encoded slices."""
    volume = np.random.default_rng(1).integers(0, 256, (9, 44, 50), np.uint8)
    with Predictor(correctable_bundle, "onnxruntime", "f32", threads=1) as predictor:
        network = predictor.network
        network.prepare(Streams(1, 1))
        embeddings = SliceEmbeddings(lambda z: network.encode(volume[z]), EmbeddingCache(1 << 30), retain=True)
        decoder = ObjectDecoder(network, predictor.protocol, predictor.prompts, CallingThread(), 0, Stopwatch())
        yield RangeSearch(decoder, embeddings.slice, volume), embeddings


BOXES = np.array([[6.0, 5, 1, 40, 38, 7], [6, 5, 4, 40, 38, 4], [10, 10, 8, 30, 30, 8]])


def test_a_search_goes_on_until_the_rule_ends_it(searching):
    search, _ = searching
    told = []
    everywhere = replace(search, rule=NEVER).completed(BOXES, {2, 3}, lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(everywhere[0], BOXES[0])
    np.testing.assert_array_equal(everywhere[1:, [2, 5]], [[0, 8], [0, 8]])
    np.testing.assert_array_equal(everywhere[:, [0, 1, 3, 4]], BOXES[:, [0, 1, 3, 4]])
    assert told == [(done, 18) for done in (*range(1, 9), *range(10, 18))]
    nowhere = replace(search, rule=AT_ONCE).completed(BOXES, {2, 3}, lambda done, total: None)
    np.testing.assert_array_equal(nowhere, BOXES)


def test_a_search_can_be_stopped(searching):
    search, _ = searching

    def stop(done, total):
        raise LiteMedSamError("enough")

    with pytest.raises(LiteMedSamError, match="enough"):
        search.completed(BOXES, {2}, stop)


def test_a_case_with_open_ended_boxes_is_the_case_of_the_boxes_that_are_found(correctable_bundle):
    volume = np.random.default_rng(1).integers(0, 256, (9, 44, 50), np.uint8)
    with Predictor(correctable_bundle, "onnxruntime", "f32", threads=1) as predictor:
        case = Case("volume", volume, BOXES, open_ended=frozenset({2, 3}))
        found = predictor.segment_case(case)
        assert found.encoded == 9
        np.testing.assert_array_equal(found.boxes[0], BOXES[0])
        with predictor.open(volume, volume=True) as session:
            for number in (2, 3):
                x_min, y_min, z, x_max, y_max, _ = BOXES[number - 1]
                extended = session.extend([x_min, y_min, x_max, y_max], int(z))
                np.testing.assert_array_equal(found.boxes[number - 1], extended)
        closed = predictor.segment_case(Case("volume", volume, found.boxes))
        np.testing.assert_array_equal(found.labels, closed.labels)
        np.testing.assert_array_equal(found.scores, closed.scores)
        plain = predictor.segment_case(Case("volume", volume, BOXES))
        np.testing.assert_array_equal(plain.boxes, BOXES)


@pytest.mark.parametrize(
    ("box", "z", "words"),
    [
        ([6, 5, 1, 40, 38, 7], 1, r"extend takes a box of 4 numbers, not one of shape \(6,\)"),
        ([[6, 5, 40, 38]] * 2, 1, "extend takes one box, not 2; call extend once for each object"),
        ([6, 5, 40, 38], 9, "z from 9 to 9 .* is outside the image, expected 0 to 8"),
        ([6, 5, 40, 38], 1.5, "expected whole slice numbers"),
    ],
)
def test_what_a_session_cannot_extend_is_refused(correctable_bundle, box, z, words):
    with (
        Predictor(correctable_bundle, "onnxruntime", "f32", threads=1) as predictor,
        predictor.open(np.zeros((9, 44, 50), np.uint8), volume=True) as session,
        pytest.raises(LiteMedSamError, match=words),
    ):
        session.extend(box, z)


def test_the_default_model_finds_a_ball():
    z, y, x = np.ogrid[:28, :64, :64]
    ball = ((z - 13) / 8.5) ** 2 + ((y - 30) / 17) ** 2 + ((x - 33) / 17) ** 2 <= 1
    noise = np.random.default_rng(0).normal(0, 6, ball.shape)
    volume = np.clip(60 + 110 * ball + noise, 0, 255).astype(np.uint8)
    with Predictor(precision="f32") as predictor, predictor.open(volume, volume=True) as session:
        box = session.extend([16, 13, 50, 47], 13)
        inside = np.flatnonzero(ball.any(axis=(1, 2)))
        assert abs(box[2] - inside[0]) <= 2
        assert abs(box[5] - inside[-1]) <= 2
        assert session.encoded <= 28


class Blind:
    """Finds nothing anywhere."""

    def __init__(self, protocol):
        self.protocol = protocol

    def masks(self, embedding, queries):
        nothing = Region(0, 0, np.zeros((0, 0), bool))
        return [ObjectMask(query, nothing, np.float32(0.1), np.zeros((64, 64), np.float32)) for query in queries]


def test_a_search_without_any_mask_ends_on_the_drawn_slice(searching):
    search, _ = searching
    blind = replace(search, decoder=Blind(search.decoder.protocol), rule=NEVER)
    np.testing.assert_array_equal(blind.completed(BOXES, {2}, lambda done, total: None), BOXES)


class Everywhere(Blind):
    """Finds the whole image; keeps what it is asked."""

    def __init__(self, protocol):
        super().__init__(protocol)
        self.asked = []

    def masks(self, embedding, queries):
        self.asked += queries
        whole = Region(0, 0, np.ones((embedding.frame.height, embedding.frame.width), bool))
        logits = np.zeros((64, 64), np.float32)
        logits[10:20, 10:20], logits[30] = 0.5, -1
        return [ObjectMask(query, whole, np.float32(0.9), logits) for query in queries]


@pytest.mark.parametrize(
    ("own", "room", "bounds"),
    [
        ([6, 5, 40, 38], [2.6, 1.7, 43.4, 41.3], [2.6, 1.7, 43.4, 41.3]),
        # A narrow box has room as one of ten pixels.
        ([20, 20, 24, 23], [19, 19, 25, 24], [19, 19, 25, 24]),
        # The image of 44 rows and 50 columns ends the room.
        ([1, 2, 48, 42], [0, 0, 49, 43], [0, 0, 49, 43]),
    ],
)
def test_the_next_slice_is_asked_for_the_masks_own_box_within_a_tenth_of_the_drawn_one(searching, own, room, bounds):
    search, _ = searching
    decoder = Everywhere(search.decoder.protocol)
    box = np.array([*own[:2], 4, *own[2:], 4], float)
    replace(search, decoder=decoder, rule=NEVER).completed(box[None], {1}, lambda done, total: None)
    first, *others = decoder.asked
    assert [query.target.slice_index for query in decoder.asked] == [4, 3, 2, 1, 0, 5, 6, 7, 8]
    np.testing.assert_array_equal(first.own_box, own)
    assert first.scribble is None
    for query in others:
        frame = search.embedding(query.target.slice_index).frame
        np.testing.assert_allclose(query.own_box, bounds)
        np.testing.assert_allclose(query.box, decoder.protocol.box_in_frame(np.array(room, float), frame), rtol=1e-6)
        assert query.scribble.sum() == 100
        assert query.scribble[10:20, 10:20].all()
