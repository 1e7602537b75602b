"""Opened volumes: a slice is encoded once for all boxes and threads, and none before a box covers it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from litemedsam.engine.case import checked_case
from opened_arrays import BOXES, boxes_of, image_of, same, volume_of

from litemedsam import LiteMedSamError, Predictor


@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_further_boxes_of_a_volume_encode_no_slice_again(untrained_bundle, protocol):
    volume = volume_of(1)
    with Predictor(untrained_bundle, precision="f32", protocol=protocol, threads=2) as predictor:
        whole = predictor.segment_case(checked_case("volume", volume, BOXES))
        session = predictor.open(volume)
        assert session.encoded == 0
        found = [session.predict(BOXES[0])]
        first = session.encoded
        assert 4 <= first <= 6
        found += [session.predict(box) for box in BOXES[1:3]]
        assert session.encoded == whole.encoded
        again = session.predict(BOXES)
        assert session.encoded == whole.encoded
    masks = np.concatenate([answer.masks for answer in found])
    assert np.array_equal(again.masks[:3], masks)
    assert np.array_equal(again.labels, whole.labels)
    assert np.array_equal(again.scores, whole.scores)
    assert set(np.unique(whole.labels)) >= {0, 1, 2, 3}


def test_threads_share_the_slices_of_a_volume(untrained_bundle):
    with Predictor(untrained_bundle, precision="f32", threads=2) as predictor:
        expected = predictor.open(volume_of(2)).predict(BOXES)
        session = predictor.open(volume_of(2))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda k: session.predict(BOXES[k % 4]), range(24)))
        assert session.encoded == 10
    for k, answer in enumerate(answers):
        assert np.array_equal(answer.masks[0], expected.masks[k % 4])


def test_progress_may_cancel_a_volume_and_leaves_it_usable(untrained_bundle):
    class CancelledError(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        if done == 3:
            raise CancelledError

    before = threading.active_count()
    with Predictor(untrained_bundle, precision="f32", threads=2) as predictor:
        session = predictor.open(volume_of(3))
        with pytest.raises(CancelledError):
            session.predict(BOXES, progress=cancel)
        assert np.array_equal(session.predict(BOXES).masks, predictor.open(volume_of(3)).predict(BOXES).masks)
    assert threading.active_count() <= before + 2


@pytest.mark.parametrize(
    ("shape", "volume", "kind"),
    [
        ((20, 30), None, "ImageSession"),
        ((20, 30, 3), None, "ImageSession"),
        ((5, 20, 30), None, "VolumeSession"),
        ((5, 20, 30, 3), None, "VolumeSession"),
        ((5, 20, 3), True, "VolumeSession"),
    ],
)
def test_what_is_opened_is_told_by_its_axes(untrained_bundle, shape, volume, kind):
    predictor = Predictor(untrained_bundle, precision="f32", threads=1)
    session = predictor.open(np.zeros(shape, np.uint8), volume)
    assert type(session).__name__ == kind
    axes = 3 if kind == "VolumeSession" else 2
    assert session.shape == shape[:axes]


def test_shapes_that_are_neither_are_refused(untrained_bundle):
    predictor = Predictor(untrained_bundle, precision="f32", threads=1)
    for shape in ((4,), (2, 3, 4, 5)):
        with pytest.raises(LiteMedSamError, match=r"has shape .*, expected"):
            predictor.open(np.zeros(shape, np.uint8))
    with pytest.raises(LiteMedSamError, match=r"boxes has shape \(1, 4\)"):
        predictor.open(np.zeros((4, 20, 20), np.uint8)).predict([[1, 1, 5, 5]])


def test_an_array_that_is_changed_later_changes_no_answer(untrained_bundle):
    with Predictor(untrained_bundle, precision="f32", threads=1, cache_mb=0) as predictor:
        image, volume = image_of(1), volume_of(1)
        expected = predictor.open(image).predict(boxes_of(1, 2)), predictor.open(volume).predict(BOXES[:1])
        flat, deep = predictor.open(image), predictor.open(volume)
        image[:], volume[:] = 7, 7
        assert same(flat.predict(boxes_of(1, 2)), expected[0])
        assert np.array_equal(deep.predict(BOXES[:1]).masks, expected[1].masks)


def test_a_slice_encoded_ahead_is_not_encoded_again(untrained_bundle):
    with Predictor(untrained_bundle, precision="f32", threads=2) as predictor:
        expected = predictor.open(volume_of(2)).predict(BOXES)
        session = predictor.open(volume_of(2))
        for z in (3, 3, 4):
            session.encode(z)
        assert session.encoded == 2
        found = session.predict(BOXES)
        assert session.encoded == 10
        with pytest.raises(LiteMedSamError, match="slice"):
            session.encode(99)
    assert np.array_equal(found.masks, expected.masks)
