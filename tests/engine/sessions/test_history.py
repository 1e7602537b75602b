"""Histories: undo and redo give the very same masks, and the saved corrections give the last one."""

import json

import numpy as np
import pytest
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.running.job import Request, segment_file

from litemedsam import LiteMedSamError, Predictor

SIZE = 40, 48
BOX = [6, 5, 34, 31]


@pytest.fixture(scope="module")
def predictor(correctable_bundle):
    with Predictor(correctable_bundle, "onnxruntime", "f32", threads=1) as made:
        yield made


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)


def state_of(history) -> bytes:
    return history.mask.tobytes() + history.score.tobytes()


def test_a_thousand_random_sequences_of_corrections_undo_and_redo(predictor, image):
    """Undoing all gives the first mask; a model of plain lists says what every step gives."""
    rng = np.random.default_rng(0)
    with predictor.open(image) as session:
        first = session.begin(BOX)
        known: dict[tuple, object] = {(): first}
        for _ in range(1000):
            history, done, undone = first, (), []
            for _ in range(int(rng.integers(1, 7))):
                what = rng.choice(["correct", "correct", "undo", "redo"])
                if what == "correct":
                    # Few different points, so that most states are computed once.
                    point, adds = int(rng.integers(2)), bool(rng.integers(2))
                    key = (*done, (point, adds))
                    place = [10 + 12 * point, 12 + 9 * point]
                    if key not in known and len(key) <= 3:
                        known[key] = session.correct(known[done], **{"add" if adds else "remove": place})
                    if key not in known:
                        continue
                    made = known[key]
                    history = history.corrected(made.corrections[-1], made.state)
                    done, undone = key, []
                elif what == "undo":
                    history = history.undo()
                    if done:
                        undone.append(done)
                        done = done[:-1]
                else:
                    history = history.redo()
                    if undone:
                        done = undone.pop()
                assert state_of(history) == state_of(known[done])
                assert len(history.applied) == len(done)
            while history.at:
                history = history.undo()
            assert state_of(history) == state_of(first)
    assert len({state_of(one) for one in known.values()}) > 20


def test_the_same_corrections_give_the_same_bytes_again(predictor, image):
    with predictor.open(image) as session, predictor.open(image) as other:
        one = session.correct(session.correct(session.begin(BOX), add=[20, 20]), remove=[[8, 8], [9, 30]])
        session.correct(session.begin(BOX), remove=[20, 20])
        two = other.correct(other.correct(other.begin(BOX), add=[20, 20]), remove=[[8, 8], [9, 30]])
    assert state_of(one) == state_of(two)
    assert state_of(one.undo().undo()) == state_of(two.undo().undo())


@pytest.mark.parametrize("volume", [False, True])
def test_saved_corrections_give_the_last_mask_from_a_file(tmp_path, predictor, volume):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (7, *SIZE) if volume else SIZE, np.uint8)
    box = [6, 5, 1, 34, 31, 5] if volume else BOX
    where = {"slice_index": 3} if volume else {}
    stroke = np.zeros(SIZE, bool)
    stroke[14, 12:21] = True
    with predictor.open(pixels, volume=volume) as session:
        begun = session.begin(box)
        last = session.correct(begun, add=[20, 20], remove=[[8, 8]], **where)
        last = session.correct(last, remove_stroke=stroke, **where)
    slice_of = [3] if volume else []
    corrections = [
        {"add": [[20, 20, *slice_of]], "remove": [[8, 8, *slice_of]]},
        {"remove_strokes": [[[12, 14, *slice_of], [20, 14, *slice_of]]], "width": 1},
    ]
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"version": 1, "objects": [{"box": box, "corrections": corrections}]}))
    np.savez(tmp_path / "scan.npz", imgs=pixels, boxes=np.array([box]), spacing=np.ones(3))
    found = segment_file(predictor, Request(tmp_path / "scan.npz", BoxesFile(file)))
    np.testing.assert_array_equal(found.result.labels > 0, last.mask)
    assert found.result.scores[0] == last.score
    assert state_of(begun) != state_of(last)


def test_other_objects_keep_the_masks_of_their_boxes(tmp_path, predictor, image):
    other = [2, 3, 25, 20]
    np.savez(tmp_path / "scan.npz", imgs=image, boxes=np.array([BOX, other]))
    results = []
    for corrections in ([], [{"add": [[30, 25]]}]):
        file = tmp_path / "prompts.json"
        objects = [{"box": BOX, "corrections": corrections}, {"box": other}]
        file.write_text(json.dumps({"version": 1, "objects": objects}))
        results.append(segment_file(predictor, Request(tmp_path / "scan.npz", BoxesFile(file))).result)
    np.testing.assert_array_equal(results[0].labels == 2, results[1].labels == 2)
    assert results[0].scores[1] == results[1].scores[1]
    assert results[1].labels[25, 30] in (1, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "without points and strokes; give add, remove or a stroke"),
        ({"add": [[48, 3]]}, "add: the point 48, 3 lies outside the image of 48 × 40 pixels"),
        ({"remove": [[1, 2, 3]]}, r"remove has shape \(1, 3\).*give each as \[x, y\]"),
        ({"add": [[1, 2], [3]]}, "add has points of different lengths"),
        ({"add": [["a", "b"]]}, "expected numbers"),
        ({"add_stroke": np.zeros((3, 3), bool)}, "add_stroke has shape"),
        ({"remove_stroke": np.zeros(SIZE, bool)}, "without points and strokes"),
    ],
)
def test_corrections_that_do_not_make_sense_are_refused(predictor, image, given, words):
    with predictor.open(image) as session, pytest.raises(LiteMedSamError, match=words):
        session.correct(session.begin(BOX), **given)


def test_begin_takes_one_box(predictor, image):
    with predictor.open(image) as session, pytest.raises(LiteMedSamError, match="begin takes one box, not 2"):
        session.begin([BOX, BOX])


def test_a_volume_is_corrected_without_room_for_its_embeddings(correctable_bundle):
    """Slices are encoded again, and the masks are the same."""
    volume = np.random.default_rng(3).integers(0, 256, (6, *SIZE), np.uint8)
    found = []
    for cache_mb in (0, 100):
        with (
            Predictor(correctable_bundle, "onnxruntime", "f32", threads=1, cache_mb=cache_mb) as predictor,
            predictor.open(volume, volume=True) as session,
        ):
            begun = session.begin([6, 5, 1, 34, 31, 4])
            before = session.encoded
            found.append(session.correct(begun, 3, add=[20, 20]))
            assert (session.encoded > before) == (cache_mb == 0)
    assert state_of(found[0]) == state_of(found[1])
