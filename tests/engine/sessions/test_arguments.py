"""Calls of users who know Segment Anything, and arrays that are none, are answered with the right call."""

import re
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.sessions.arguments import correction
from opened_arrays import boxes_of, image_of
from PIL import Image
from places import ROOT
from sample_scans import VOLUME

from litemedsam import LiteMedSamError, Predictor

BOX = [9, 13, 29, 30]
IMAGE = VOLUME[2]


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, threads=1) as predictor:
        predictor.set_image(IMAGE)
        yield predictor


def refusal(call, *arguments, **named):
    with pytest.raises(LiteMedSamError) as error:
        call(*arguments, **named)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"box": BOX}, "predict takes no box; give boxes=[[x_min, y_min, x_max, y_max]]"),
        ({"point_coords": [[10, 20]], "point_labels": [1]}, "predict takes no point_coords; give points (n, k, 2)"),
        ({"boxes": BOX, "point_labels": [1]}, "takes no point_labels; leave it out"),
        ({"boxes": BOX, "multimask_output": False}, "takes no multimask_output; leave it out; there is one mask"),
        ({"boxes": BOX, "mask_input": None}, "takes no mask_input"),
        ({"boxes": BOX, "return_logits": True}, "the result has logits"),
        ({}, "there are no boxes; this model has no automatic mode; give boxes=[[x_min, y_min, x_max, y_max]]"),
        ({"boxes": []}, "there are no boxes"),
        ({"boxes": [[]]}, "there are no boxes"),
        ({"boxes": [BOX, BOX[:3]]}, "boxes differ in length; give each as [x_min, y_min, x_max, y_max]"),
        ({"boxes": [["a"] * 4]}, "expected numbers of shape (N, 4)"),
        ({"boxes": BOX[:3]}, "boxes has shape (1, 3)"),
        ({"boxes": BOX, "points": [[[1, 2], [1]]]}, "points differ in number between objects"),
        ({"boxes": [BOX, BOX], "points": [[10, 20]]}, "expected numbers (2, k, 2), k from 1 to 4"),
        ({"boxes": BOX, "points": [[[10, 20]] * 5]}, "k from 1 to 4"),
    ],
)
def test_a_prediction_is_answered_with_the_right_call(predictor, arguments, words):
    assert words in refusal(predictor.predict, **arguments)
    assert words in refusal(predictor.open(IMAGE).predict, **arguments)


def test_other_arguments_are_python_s_own_errors(predictor):
    for call in (predictor.predict, predictor.open(IMAGE).predict):
        with pytest.raises(TypeError, match=r"predict\(\) got an unexpected keyword argument 'colour'"):
            call(BOX, colour=1)
    assert "colours in the order RGB" in refusal(predictor.set_image, IMAGE, image_format="BGR")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_to_four_points_do(predictor, count):
    points = [[20, 21], [18, 20], [22, 20], [19, 22]][:count]
    alone, listed = (predictor.predict(BOX, given) for given in (points, [points]))
    np.testing.assert_array_equal(alone.logits, listed.logits)
    repeated = predictor.predict(BOX, [np.resize(points, (4, 2))])
    np.testing.assert_array_equal(alone.logits, repeated.logits)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((3, 20, 30), np.uint8), "put the colours last, as in image.transpose(1, 2, 0)"),
        (np.zeros((20, 30, 4), np.uint8), "leave the transparency out, as in image[..., :3]"),
        (np.zeros((20, 30, 1), np.uint8), "leave the last axis out"),
        (np.zeros((5, 20, 30), np.uint8), "use open(volume, volume=True)"),
        (np.zeros(5, np.uint8), "image has shape (5,), expected (H, W) or (H, W, 3)"),
        ("scan.png", "the image is the text 'scan.png', expected an array; use litemedsam.segment for files"),
        (Path("scan.png"), "use litemedsam.segment for files"),
        ([[1, 2], [3]], "rows of different lengths"),
        *(
            (Image.new("RGB", (30, 20)).convert(mode), f'one of Pillow in mode {mode}, expected "L" or "RGB"')
            for mode in ("P", "1", "CMYK", "HSV", "YCbCr", "LAB", "RGBA")
            if mode not in ("HSV", "LAB")
        ),
        (Image.new("L", (30, 20)).convert("LA"), "in mode LA"),
    ],
)
def test_images_that_are_none(predictor, image, words):
    assert words in refusal(predictor.set_image, image)
    predictor.set_image(IMAGE)


def test_the_remedies_for_images_work(predictor):
    colours = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    box = [4, 4, 20, 15]
    expected = predictor.open(colours).predict(box).logits
    palette = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE)
    for image in (
        colours.transpose(2, 0, 1).transpose(1, 2, 0),
        np.concatenate([colours, colours[..., :1]], axis=2)[..., :3],
        Image.fromarray(colours),
        Image.fromarray(colours).convert("RGBA").convert("RGB"),
        colours[..., ::-1][..., ::-1],
    ):
        np.testing.assert_array_equal(predictor.open(image).predict(box).logits, expected)
    assert predictor.open(palette.convert("RGB")).predict(box).masks.shape == (1, 20, 30)


def test_arrays_of_a_whole_case(predictor):
    assert "there are no boxes" in refusal(predictor.segment, IMAGE, [])
    assert "boxes differ in length" in refusal(predictor.segment, IMAGE, [BOX, BOX[:2]])
    assert predictor.segment(IMAGE, BOX).labels.shape == IMAGE.shape
    assert "give each as [x_min, y_min, z_min," in refusal(predictor.segment, VOLUME, [BOX, BOX[:2]])


def test_the_table_of_the_documents_names_every_argument():
    table = (ROOT / "docs" / "python.md").read_text()
    for name in ("box", "point_coords", "point_labels", "mask_input", "multimask_output", "image_format"):
        assert re.search(rf"`[^`]*\b{name}\b[^`]*`", table), name


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


def test_an_empty_list_of_corrections_is_no_point():
    assert correction((8, 9), [], [[1, 2]], None, None).add.shape == (0, 2)
