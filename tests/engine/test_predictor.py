"""Whole cases: determinism, every encoder pass used, odd shapes, many objects."""

from dataclasses import replace

import numpy as np
import pytest
from litemedsam.engine.io.npz import read_case
from places import EXAMPLES
from tiny_bundle import INFO, write_tiny_bundle

from litemedsam import LiteMedSamError, Predictor


@pytest.fixture(scope="module")
def predictor():
    return Predictor(backend="openvino", precision="f32")


@pytest.fixture(scope="module")
def swin():
    """The model of the package that takes points."""
    return Predictor("swin-litemedsam", backend="openvino", precision="f32")


@pytest.fixture(scope="module")
def volume():
    """Four slices of the example; one object's way up crosses the other's way down."""
    case = read_case(EXAMPLES / "3DBox_phantom.npz")
    boxes = case.boxes.copy()
    boxes[0, [2, 5]], boxes[1, [2, 5]] = (5, 7), (6, 8)
    return replace(case, boxes=boxes)


@pytest.fixture(scope="module")
def segmented(predictor, volume):
    return predictor.segment_case(volume)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize("name", ["2DBox_phantom", "3DBox_phantom"])
def test_the_examples_are_found(predictor, name):
    truth = np.load(EXAMPLES / f"{name}.npz", allow_pickle=False)["gts"]
    case = read_case(EXAMPLES / f"{name}.npz")
    result = predictor.segment_case(case)
    assert result.labels.shape == truth.shape
    assert result.labels.dtype == np.uint8
    for number in range(1, len(case.boxes) + 1):
        assert dice(result.labels == number, truth == number) > 0.8


def test_each_slice_is_encoded_once(segmented):
    assert segmented.encoded == 4


def test_without_a_cache_the_result_is_the_same(volume, segmented):
    result = Predictor(precision="f32", cache_mb=0).segment_case(volume)
    np.testing.assert_array_equal(result.labels, segmented.labels)
    assert result.encoded == 5


def test_an_object_alone_equals_the_object_among_others(predictor, volume, segmented):
    for k, box in enumerate(volume.boxes):
        alone = predictor.segment(volume.pixels, [box]).labels
        others = segmented.labels > k + 1
        np.testing.assert_array_equal((alone == 1) & ~others, segmented.labels == k + 1)


def test_two_runs_are_equal(predictor):
    case = read_case(EXAMPLES / "2DBox_phantom.npz")
    first, second = predictor.segment_case(case), Predictor(precision="f32", threads=1).segment_case(case)
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.scores, second.scores)


def test_the_back_ends_agree(predictor):
    case = read_case(EXAMPLES / "2DBox_phantom.npz")
    other = Predictor(backend="onnxruntime", precision="f32").segment_case(case)
    assert np.mean(predictor.segment_case(case).labels == other.labels) >= 0.999


def test_three_hundred_boxes_keep_their_labels(predictor):
    rng = np.random.default_rng(0)
    imgs = rng.integers(0, 60, (400, 600)).astype(np.uint8)
    corners = [(x, y) for y in range(4, 380, 25) for x in range(4, 580, 29)][:300]
    for x, y in corners:
        imgs[y : y + 12, x : x + 12] = 230
    boxes = np.array([[x - 1, y - 1, x + 12, y + 12] for x, y in corners])
    labels = predictor.segment(imgs, boxes).labels
    assert labels.dtype == np.uint16
    assert len(boxes) == 300
    assert len(np.unique(labels)) == 301
    for number, (x0, y0, x1, y1) in enumerate(boxes, start=1):
        ys, xs = np.nonzero(labels == number)
        assert x0 - 8 <= xs.min() <= xs.max() <= x1 + 8
        assert y0 - 8 <= ys.min() <= ys.max() <= y1 + 8


@pytest.mark.parametrize("shape", [(32, 2000), (1, 1), (100, 80, 3)])
def test_odd_shapes_and_single_pixel_boxes(predictor, shape):
    imgs = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    height, width = shape[:2]
    boxes = [[0, 0, 0, 0], [width - 1, height - 1, width - 1, height - 1], [0, 0, width - 1, height - 1]]
    result = predictor.segment(imgs, boxes)
    assert result.labels.shape == (height, width)
    assert np.isfinite(result.scores).all()


def test_objects_of_one_slice_and_at_the_ends(predictor):
    imgs = np.random.default_rng(0).integers(0, 80, (4, 60, 50)).astype(np.uint8)
    imgs[:, 20:40, 10:30] = 220
    boxes = [[9, 19, 0, 31, 41, 0], [9, 19, 3, 31, 41, 3], [9, 19, 0, 31, 41, 3]]
    for protocol in ("corrected", "published"):
        labels = Predictor(protocol=protocol).segment(imgs, boxes).labels
        assert labels.shape == imgs.shape
    assert (predictor.segment(imgs, boxes[:1]).labels.any(axis=(1, 2)) == [True, False, False, False]).all()
    assert predictor.segment(imgs, boxes[2:]).labels.any(axis=(1, 2)).all()


def test_colour_volumes(predictor):
    grey = np.random.default_rng(0).integers(0, 256, (2, 40, 50)).astype(np.uint8)
    boxes = [[5, 5, 0, 30, 30, 1]]
    colour = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(predictor.segment(grey, boxes).labels, predictor.segment(colour, boxes).labels)


def test_predict_as_users_know_it(predictor):
    image = np.load(EXAMPLES / "2DBox_phantom.npz", allow_pickle=False)
    predictor.set_image(image["imgs"])
    prediction = predictor.predict(image["boxes"])
    assert prediction.masks.shape == (3, 320, 420)
    assert prediction.masks.dtype == bool
    assert prediction.logits.shape == (3, 256, 256)
    labels = predictor.segment(image["imgs"], image["boxes"]).labels
    for number, mask in enumerate(prediction.masks, start=1):
        np.testing.assert_array_equal(mask & (labels <= number), labels == number)


def test_given_points_and_scribbles_are_used(swin):
    image = np.load(EXAMPLES / "2DBox_phantom.npz", allow_pickle=False)
    swin.set_image(image["imgs"])
    boxes = image["boxes"][:1]
    points = np.array([[[100, 100], [100, 150], [170, 150], [170, 100]]])
    scribbles = np.zeros((1, 320, 420), bool)
    scribbles[0, 125:130, 90:170] = True
    plain = swin.predict(boxes)
    for given in ({"points": points}, {"scribbles": scribbles}, {"points": points, "scribbles": scribbles}):
        assert not np.array_equal(swin.predict(boxes, **given).logits, plain.logits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boxes": [[5, 5, 3, 8]]}, "object 1: x_min 5 is greater than x_max 3"),
        ({"boxes": [[5, 5, 8, 999]]}, "outside the image"),
        ({"boxes": []}, "there are no boxes"),
        ({"boxes": [[1, 1, 5, 5]], "points": np.zeros((1, 5, 2))}, r"expected numbers \(1, k, 2\)"),
        ({"boxes": [[1, 1, 5, 5]], "points": np.full((1, 4, 2), 999)}, "object 1: a point lies outside"),
        ({"boxes": [[1, 1, 5, 5]], "scribbles": np.zeros((1, 3, 3), bool)}, "scribbles has shape"),
    ],
)
def test_bad_prompts_are_refused(swin, arguments, message):
    swin.set_image(np.zeros((40, 50), np.uint8))
    with pytest.raises(LiteMedSamError, match=message):
        swin.predict(**arguments)


def test_points_are_refused_where_the_model_takes_none(predictor):
    predictor.set_image(np.zeros((40, 50), np.uint8))
    message = "the model litemedsam takes no points, only: boxes, scribbles; give the points as corrections"
    with pytest.raises(LiteMedSamError, match=message):
        predictor.predict([[1, 1, 5, 5]], points=np.full((1, 4, 2), 3))


def test_predict_needs_an_image():
    with pytest.raises(LiteMedSamError, match="call set_image"):
        Predictor().predict([[0, 0, 1, 1]])


@pytest.mark.parametrize(
    "setting", [{"threads": 0}, {"seed": -1}, {"cache_mb": -1}, {"protocol": "x"}, {"bundle": "x"}]
)
def test_bad_settings_are_refused(setting):
    with pytest.raises(LiteMedSamError):
        Predictor(**setting)


PIXELS = np.zeros((6, 7), np.uint8)


@pytest.mark.parametrize("setting", [{"threads": 0}, {"seed": -1}, {"cache_mb": -1}, {"cache_mb": float("nan")}])
def test_settings_that_make_no_sense(own_bundle, setting):
    with pytest.raises(LiteMedSamError, match=r"expected a (whole )?number"):
        Predictor(own_bundle, **setting)


def test_prompts_that_make_no_sense(own_bundle, tmp_path):
    predictor = Predictor(own_bundle, backend="onnxruntime", threads=1)
    with pytest.raises(LiteMedSamError, match=r"image has shape \(4, 5, 2\)"):
        predictor.set_image(np.zeros((4, 5, 2), np.uint8))
    predictor.set_image(PIXELS)
    box = [[0, 0, 6, 5]]
    for given, words in (
        ({"points": np.zeros((1, 5, 2))}, r"expected numbers \(1, k, 2\), k from 1 to 4"),
        ({"points": np.zeros((1, 0, 2))}, r"expected numbers \(1, k, 2\), k from 1 to 4"),
        ({"points": np.zeros((2, 4, 2))}, r"expected numbers \(1, k, 2\), k from 1 to 4"),
        (
            {"points": [[[1, 2]], [[1, 2], [3, 4]]]},
            "points differ in number between objects; repeat some of the fewer points",
        ),
        ({"points": np.full((1, 4, 2), 8)}, "object 1: a point lies outside the image of 7 × 6 pixels"),
        ({"scribbles": np.zeros((1, 6, 7))}, r"expected bool \(1, 6, 7\)"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            predictor.predict(box, **given)
    scribbles = np.zeros((1, 6, 7), bool)
    scribbles[0, 2, 2:5] = True
    plain, drawn = predictor.predict(box), predictor.predict(box, np.full((1, 4, 2), 3.0), scribbles)
    assert not np.array_equal(plain.logits, drawn.logits)
    folder = write_tiny_bundle(tmp_path / "boxes", replace(INFO, prompts=("boxes",)))
    only = Predictor(folder, backend="onnxruntime", threads=1)
    only.set_image(PIXELS)
    with pytest.raises(LiteMedSamError, match="takes no points, only: boxes; leave out the points"):
        only.predict(box, points=np.zeros((1, 4, 2)))
