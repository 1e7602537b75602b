"""Opened images and volumes: encoded once, equal for every thread, within one budget."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from litemedsam.engine.case import checked_case

from litemedsam import LiteMedSamError, Predictor

RNG = np.random.default_rng(5)


def image_of(seed: int, shape=(48, 60)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 120, shape).astype(np.uint8)
    image[10:30, 12:40] += 100
    return image


def boxes_of(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 20, (count, 2))
    return np.hstack([low, low + rng.integers(6, 25, (count, 2))])


@pytest.fixture(params=["openvino", "onnxruntime"])
def predictor(request, untrained_bundle):
    with Predictor(untrained_bundle, request.param, "f32", threads=2) as made:
        yield made


def same(one, other) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("masks", "scores", "logits"))


def test_eight_threads_four_images_two_hundred_predictions(predictor):
    """Every answer equals the answer that its image gives alone."""
    images = [image_of(seed) for seed in range(4)]
    jobs = [(k % 4, boxes_of(k, 1 + k % 3)) for k in range(200)]
    alone = []
    for number, boxes in jobs:
        with predictor.open(images[number]) as session:
            alone.append(session.predict(boxes))
    sessions = [predictor.open(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: sessions[job[0]].predict(job[1]), jobs))
    assert all(map(same, together, alone))
    assert len({answer.logits.tobytes() for answer in alone}) > 100
    assert [session.encoded for session in sessions] == [1] * 4


def test_a_session_answers_as_set_image_and_predict_do(predictor):
    image, boxes = image_of(1), boxes_of(1, 3)
    predictor.set_image(image)
    assert same(predictor.predict(boxes), predictor.open(image).predict(boxes))


def test_sessions_beyond_the_budget_encode_again_and_answer_the_same(untrained_bundle):
    with Predictor(untrained_bundle, precision="f32", threads=1) as roomy:
        nbytes = roomy.network.encode(image_of(0)).nbytes
        expected = [roomy.open(image_of(seed)).predict(boxes_of(seed, 2)) for seed in range(3)]
    with Predictor(untrained_bundle, precision="f32", threads=1, cache_mb=1.5 * nbytes / 1e6) as tight:
        sessions = [tight.open(image_of(seed)) for seed in range(3)]
        for _ in range(2):
            assert all(same(s.predict(boxes_of(k, 2)), expected[k]) for k, s in enumerate(sessions))
        assert [session.encoded for session in sessions] == [3, 3, 3]
        # The image that was set last has a place of its own.
        tight.set_image(image_of(1))
        assert same(tight.predict(boxes_of(1, 2)), expected[1])


def test_a_failed_set_image_leaves_no_older_image_in_force(predictor):
    predictor.set_image(image_of(1))
    with pytest.raises(LiteMedSamError, match="expected"):
        predictor.set_image(np.zeros((4, 4, 4, 4)))
    with pytest.raises(LiteMedSamError, match="no image is set"):
        predictor.predict([[1, 1, 9, 9]])


def test_a_closed_session_and_a_closed_predictor_answer_again(predictor):
    session = predictor.open(image_of(2))
    expected = session.predict(boxes_of(2, 2))
    session.close()
    assert same(session.predict(boxes_of(2, 2)), expected)
    predictor.close()
    assert same(session.predict(boxes_of(2, 2)), expected)


BOXES = np.array([[2, 3, 0, 30, 30, 5], [5, 5, 2, 28, 31, 8], [1, 1, 4, 20, 22, 9], [8, 8, 1, 40, 40, 1]])


def volume_of(seed: int) -> np.ndarray:
    return np.stack([image_of(10 * seed + z) for z in range(10)])


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


def test_images_scaled_to_one_are_refused(tiny_bundle):
    floats = image_of(1).astype(np.float32)
    with Predictor(tiny_bundle, precision="f32", threads=1) as predictor:
        for scaled in (floats / 255, floats / floats.max(), floats[None].repeat(2, 0) / 255):
            with pytest.raises(LiteMedSamError, match=r"looks scaled to 0\.\.1; expected 0\.\.255; multiply it by 255"):
                predictor.open(scaled)
        with pytest.raises(LiteMedSamError, match="multiply it by 255"):
            predictor.set_image(floats / 255)
        with pytest.raises(LiteMedSamError, match="multiply it by 255"):
            predictor.segment(floats / 255, boxes_of(1, 1))
        # Black and binary images are what they are.
        predictor.open(np.zeros((48, 60), np.float32))
        predictor.open((image_of(1) > 100).astype(np.uint8))


def test_an_array_that_is_changed_later_changes_no_answer(untrained_bundle):
    with Predictor(untrained_bundle, precision="f32", threads=1, cache_mb=0) as predictor:
        image, volume = image_of(1), volume_of(1)
        expected = predictor.open(image).predict(boxes_of(1, 2)), predictor.open(volume).predict(BOXES[:1])
        flat, deep = predictor.open(image), predictor.open(volume)
        image[:], volume[:] = 7, 7
        assert same(flat.predict(boxes_of(1, 2)), expected[0])
        assert np.array_equal(deep.predict(BOXES[:1]).masks, expected[1].masks)
