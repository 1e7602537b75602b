"""Opened images: encoded once, equal for every thread, within one budget."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from opened_arrays import boxes_of, image_of, same

from litemedsam import LiteMedSamError, Predictor


@pytest.fixture(params=["openvino", "onnxruntime"])
def predictor(request, untrained_bundle):
    with Predictor(untrained_bundle, request.param, "f32", threads=2) as made:
        yield made


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


def test_an_image_that_another_thread_encodes_meanwhile_is_encoded_once(untrained_bundle):
    with Predictor(untrained_bundle, "onnxruntime", "f32", threads=1) as predictor:
        session, together = predictor.open(image_of(0)), Barrier(4)

        def predict(_):
            together.wait()
            return session.predict(boxes_of(0, 1))

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(predict, range(4)))
    assert session.encoded == 1
    assert all(same(answers[0], answer) for answer in answers[1:])
