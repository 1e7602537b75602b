"""Corrections: points end on their side, strokes are drawn, a change fades through a volume and stops."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from litemedsam.engine.inference.corrections import (
    Change,
    CorrectedObject,
    Corrector,
    SliceMask,
    _reaching,
    _sigmoid,
)
from litemedsam.engine.inference.embeddings import EmbeddingCache, SliceEmbeddings
from litemedsam.engine.inference.frame import Frame
from litemedsam.engine.inference.object_masks import ObjectDecoder, ObjectQuery
from litemedsam.engine.inference.prompt import Correction, Target
from litemedsam.engine.inference.propagation import propagate
from litemedsam.engine.inference.region import to_region
from litemedsam.engine.inference.streams import Streams
from litemedsam.engine.system.calling_thread import CallingThread
from litemedsam.engine.system.stopwatch import Stopwatch

from litemedsam import LiteMedSamError, Predictor

BOX = np.array([6, 5, 1, 40, 38, 7])


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


def slice_mask(logits, points=((20.0, 20.0),), labels=(1,)):
    """A mask of positive logits (64, 64) on slice 4 of an image of as many pixels."""
    query = ObjectQuery(Target(1, 4), np.zeros(4, np.float32), np.array([8, 8, 39, 39]))
    mask = to_region(logits, Frame.of(64, 64, 64))
    return SliceMask(query, mask, np.float32(1), logits, np.array(points, np.float32), np.array(labels))


def test_a_change_fades_and_ends_where_the_points_are_right_or_it_is_far():
    before = slice_mask(np.full((64, 64), -2, np.float32), np.zeros((0, 2)), ())
    logits = before.logits.copy()
    logits[16:24, 16:24] = 3
    # An eighth of the box's side, and so an eighth of its 64 slices.
    change = Change.between(before, slice_mask(logits), np.array([8, 8, 0, 71, 71, 63]))
    assert change.reach == pytest.approx(8)
    near, far = change.on(before.logits, 1), change.on(before.logits, 12)
    assert near is not None
    assert far is not None
    np.testing.assert_array_equal(near[16:24, 16:24] > 0, True)
    np.testing.assert_allclose(far, before.logits + change.difference * np.exp(-((12 / 8) ** 2) / 2), rtol=1e-6)
    np.testing.assert_array_equal(near[30:], before.logits[30:])
    assert change.on(before.logits, 13) is None
    assert change.on(logits, 1) is None


@pytest.mark.parametrize(
    ("place", "value", "ended"),
    [((70, 70), 3, True), ((63, 62.5), 3, True), ((62, 63), -3, False), ((63, 63), 0, False)],
)
def test_a_point_beyond_the_frame_counts_where_the_frame_ends(place, value, ended):
    before = slice_mask(np.full((64, 64), -2, np.float32), np.zeros((0, 2)), ())
    logits = before.logits.copy()
    logits[16:24, 16:24] = 3
    change = Change.between(before, slice_mask(logits, [place]), np.array([8, 8, 0, 71, 71, 63]))
    other = before.logits.copy()
    other[62:, 62:] = value
    assert (change.on(other, 1) is None) == ended


def test_a_change_reaches_as_far_as_it_is_wide_in_its_box():
    before = slice_mask(np.full((64, 64), -2, np.float32), np.zeros((0, 2)), ())
    logits = before.logits.copy()
    logits[16:24, 16:32] = 3
    change = Change.between(before, slice_mask(logits), np.array([8, 10, 3, 39, 25, 12]))
    assert change.reach == pytest.approx(10 * np.sqrt(128 / (32 * 16)))


def test_a_point_beyond_the_frame_counts_as_its_last_pixel_and_not_as_what_lies_beyond():
    before = slice_mask(np.full((64, 64), -2, np.float32), np.zeros((0, 2)), ())
    logits = before.logits.copy()
    logits[16:24, 16:24] = 3
    change = Change.between(before, slice_mask(logits, [(70, 70)]), np.array([8, 8, 0, 71, 71, 63]))
    other = before.logits.copy()
    other[62:, 62:] = [[0, 100], [100, 3]]
    assert change.on(other, 1) is None


@pytest.mark.parametrize(("first", "second", "ended"), [(-3, 3, False), (3, -3, True), (0.5, -3, True)])
def test_a_point_before_the_frame_counts_as_its_first_pixel(first, second, ended):
    before = slice_mask(np.full((64, 64), -2, np.float32), np.zeros((0, 2)), ())
    logits = before.logits.copy()
    logits[16:24, 16:24] = 3
    change = Change.between(before, slice_mask(logits, [(-5, 20)]), np.array([8, 8, 0, 71, 71, 63]))
    other = before.logits.copy()
    other[:, 0], other[:, 1] = first, second
    assert (change.on(other, 1) is None) == ended


def test_the_network_gets_a_guess_as_probabilities():
    np.testing.assert_allclose(
        _sigmoid(np.float32([0, 2, -2, 1000, -1000])), [0.5, 0.880797, 0.119203, 1, 0], atol=1e-6
    )


def test_a_box_grows_to_what_is_added_alone():
    own, painted = np.array([8, 8, 39, 39]), np.zeros((64, 64), bool)
    painted[50, 10:61] = True
    reached = {
        "a point": Correction(add=[[2.3, 60.2], [20.0, 20.0]], remove=[[0.0, 0.0]]),
        "above": Correction(add=[[45.5, 3.2], [20.0, 1.0]]),
        "a stroke": Correction(painted=painted),
        "nothing": Correction(remove=[[63.0, 63.0]], erased=painted.T),
    }
    found = {name: _reaching(own, correction).tolist() for name, correction in reached.items()}
    assert found == {
        "a point": [2, 8, 39, 61],
        "above": [8, 1, 46, 39],
        "a stroke": [8, 8, 60, 50],
        "nothing": own.tolist(),
    }
    aside = _reaching(np.array([10, 30, 40, 60]), Correction(add=[[5.0, 50.0]]))
    assert aside.tolist() == [5, 30, 40, 60]


def test_logits_that_are_certain_carry_a_change_no_farther():
    before = slice_mask(np.full((64, 64), -500, np.float32), np.zeros((0, 2)), ())
    change = Change.between(before, slice_mask(np.full((64, 64), 500, np.float32)), np.array([0, 0, 0, 63, 63, 9]))
    assert change.difference.max() == 20


def test_a_correction_that_changes_nothing_reaches_no_other_slice():
    before = slice_mask(np.full((64, 64), -2, np.float32))
    change = Change.between(before, before, np.array([0, 0, 0, 63, 63, 9]))
    assert change.reach == 0
    assert change.on(before.logits, 1) is None


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
        corrector = Corrector(replace(decoder, pool=CallingThread(), streams=0), embeddings.slice)
        yield corrector, CorrectedObject.of(BOX, answers)


def lacking(state):
    """Places x, y of the box that the masks of all slices lack."""
    masks = np.any([one.region.full(44, 50) for one in state.slices.values()], axis=0)
    rows, columns = np.nonzero(~masks[6:38, 8:40])
    return [(int(x) + 8, int(y) + 6) for y, x in zip(rows, columns, strict=True)]


def test_a_correction_changes_its_slice_and_those_beside_it_that_lack_the_same(followed):
    corrector, before = followed
    spread = []
    for place in lacking(before)[::40]:
        after = corrector.correct(before, Correction(add=np.array([place]), slice_index=4))
        assert after.repaired == {4}
        assert sorted(after.slices) == sorted(before.slices) == list(range(1, 8))
        assert after.slices[4].region.full(44, 50)[place[1], place[0]]
        change = Change.between(before.slices[4], after.slices[4], before.box)
        expected = {4}
        for beside in ((3, 2, 1), (5, 6, 7)):
            for z in beside:
                if change.on(before.slices[z].logits, abs(z - 4)) is None:
                    break
                expected.add(z)
        assert {z for z in after.slices if after.slices[z] is not before.slices[z]} == expected
        for z in expected - {4}:
            # The decoder was asked again: with the point, and the mask with the faded change.
            assert not np.array_equal(after.slices[z].logits, before.slices[z].logits)
            assert len(after.slices[z].points) == 0
        spread.append(len(expected))
    assert max(spread) > 3


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


def test_a_stroke_is_kept_by_corrections_after_it(followed):
    corrector, before = followed
    stroke = np.zeros((44, 50), bool)
    stroke[20, 12:30] = True
    for wanted, given in ((True, {"painted": stroke}), (False, {"erased": stroke})):
        after = corrector.correct(before, Correction(slice_index=4, **given))
        assert np.mean(after.slices[4].region.full(44, 50)[stroke] == wanted) >= 0.95
        further = corrector.correct(after, Correction(add=np.array([[35, 33]]), slice_index=4))
        assert np.mean(further.slices[4].region.full(44, 50)[stroke] == wanted) >= 0.95
        assert len(further.slices[4].points) == 4
