"""Corrections: points end on their side, strokes are drawn, a change spreads through a volume and stops."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from litemedsam.engine.inference.corrections import CorrectedObject, Corrector, honoured, overlap
from litemedsam.engine.inference.embeddings import EmbeddingCache, SliceEmbeddings
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.object_masks import ObjectDecoder
from litemedsam.engine.inference.prompt import Correction
from litemedsam.engine.inference.propagation import next_query, propagate
from litemedsam.engine.inference.region import Region, to_region
from litemedsam.engine.inference.streams import Streams
from litemedsam.engine.system.calling_thread import CallingThread
from litemedsam.engine.system.stopwatch import Stopwatch

from litemedsam import LiteMedSamError, Predictor

BOX = np.array([6, 5, 1, 40, 38, 7])


@pytest.mark.parametrize("size", [(48, 60), (200, 150), (64, 64), (1, 90)])
def test_every_point_ends_on_its_side_in_pixels_of_the_image(size):
    rng = np.random.default_rng(size[0])
    frame = Frame.of(*size, 64)
    for _ in range(100):
        logits = rng.normal(0, 8, (64, 64)).astype(np.float32)
        places = np.stack([rng.integers(0, side, 1) for side in size[::-1]], axis=-1)
        adds = bool(rng.integers(2))
        correction = Correction(add=places) if adds else Correction(remove=places)
        points, labels = correction.points(frame)
        mask = to_region(honoured(logits, points, labels), frame).full(*size)
        assert mask[places[0, 1], places[0, 0]] == adds


def test_points_beside_each_other_all_end_on_their_sides():
    rng = np.random.default_rng(0)
    frame = Frame.of(64, 64, 64)
    for _ in range(200):
        logits = rng.normal(0, 0.5, (64, 64)).astype(np.float32)
        x, y = rng.integers(8, 50, 2)
        shift = rng.integers(4, 8, 2)
        correction = Correction(add=np.array([[x, y]]), remove=np.array([[x + shift[0], y], [x, y + shift[1]]]))
        mask = to_region(honoured(logits, *correction.points(frame)), frame).full(64, 64)
        assert mask[y, x]
        assert not mask[y, x + shift[0]]
        assert not mask[y + shift[1], x]


def test_points_that_are_right_already_change_nothing():
    logits = np.full((64, 64), 3, np.float32)
    assert honoured(logits, np.array([[5, 6]], np.float32), np.array([1])) is logits


def test_a_point_changes_its_surroundings_alone():
    logits = np.full((64, 64), 3, np.float32)
    changed = honoured(logits, np.array([[20, 30]], np.float32), np.array([0]))
    assert changed[30, 20] < 0
    assert changed[30, 40] == pytest.approx(3, abs=1e-3)
    assert logits[30, 20] == 3


def test_strokes_give_points_and_are_drawn_into_the_mask():
    painted = np.zeros((64, 64), bool)
    painted[10, 5:20] = True
    correction = Correction(painted=painted, erased=painted.T)
    frame = Frame.of(64, 64, 64)
    points, labels = correction.points(frame)
    np.testing.assert_array_equal(labels, [1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(points[[0, 2]], [[5, 10], [19, 10]])
    drawn = correction.drawn(np.full((64, 64), 0.5, np.float32), frame)
    assert (drawn[painted & ~painted.T] == 1).all()
    assert (drawn[painted.T] == 0).all()
    assert (drawn[~painted & ~painted.T] == 0.5).all()


def test_overlap_is_the_dsc_of_both_masks_in_one_image():
    one, other = Region(2, 3, np.ones((4, 4), bool)), Region(4, 3, np.ones((4, 4), bool))
    assert overlap(one, other) == pytest.approx(0.5)
    assert overlap(one, one) == 1
    empty = Region(0, 0, np.zeros((0, 0), bool))
    assert overlap(empty, empty) == 1
    assert overlap(one, empty) == 0


@pytest.fixture(scope="module")
def followed(correctable_bundle):
    """A corrector of a volume of nine slices, and its object as the box alone gives it."""
    volume = np.random.default_rng(1).integers(0, 256, (9, 44, 50), np.uint8)
    with Predictor(correctable_bundle, "onnxruntime", "f32", threads=1) as predictor:
        network = predictor.network
        network.prepare(Streams(1, 1))
        embeddings = SliceEmbeddings(lambda z: network.encode(volume[z]), EmbeddingCache(1 << 30), retain=True)
        with ThreadPoolExecutor(1) as pool:
            decoder = ObjectDecoder(network, predictor.protocol, predictor.prompts, pool, 1, Stopwatch())
            answers = list(propagate(BOX[None], embeddings, decoder, lambda done, total: None))
        corrector = Corrector(replace(decoder, pool=CallingThread(), streams=0), embeddings.slice, next_query)
        yield corrector, CorrectedObject.of(BOX, answers)


def test_a_correction_changes_its_slice_and_perhaps_those_beside_it(followed):
    corrector, before = followed
    after = corrector.correct(before, Correction(add=np.array([[20, 20]]), slice_index=4))
    assert after.repaired == {4}
    assert sorted(after.slices) == sorted(before.slices) == list(range(1, 8))
    assert after.slices[4].region.full(44, 50)[20, 20]
    assert before.slices[4] is not after.slices[4]
    changed = {z for z in after.slices if after.slices[z] is not before.slices[z]}
    assert changed == set(range(min(changed), max(changed) + 1))


def test_a_corrected_slice_is_never_changed_from_another_one(followed):
    corrector, state = followed
    state = corrector.correct(state, Correction(remove=np.array([[20, 20]]), slice_index=3))
    kept = state.slices[3]
    for z in (4, 2, 6, 1):
        beyond = {k: one for k, one in state.slices.items() if (k < 3) == (z > 3) and k != 3}
        state = corrector.correct(state, Correction(add=np.array([[10, 30]]), slice_index=z))
        assert state.slices[3] is kept
        assert all(state.slices[k] is one for k, one in beyond.items())


def test_an_adding_point_outside_the_box_widens_what_the_mask_may_cover(followed):
    corrector, before = followed
    after = corrector.correct(before, Correction(add=np.array([[47, 41]]), slice_index=4))
    assert after.slices[4].region.full(44, 50)[41, 47]
    np.testing.assert_array_equal(after.box, before.box)


def test_a_slice_that_the_box_leaves_out_is_refused(followed):
    corrector, before = followed
    with pytest.raises(LiteMedSamError, match="slice 8, which the object's box leaves out; draw a box that covers"):
        corrector.correct(before, Correction(add=np.array([[20, 20]]), slice_index=8))


def test_a_model_that_did_not_learn_corrections_refuses_them(untrained_bundle):
    with (
        Predictor(untrained_bundle, "onnxruntime", "f32", threads=1) as predictor,
        predictor.open(np.zeros((40, 40), np.uint8)) as session,
    ):
        begun = session.begin([5, 5, 20, 20])
        with pytest.raises(LiteMedSamError, match=r"takes no corrections.*use a model that learnt them"):
            session.correct(begun, add=[10, 10])
