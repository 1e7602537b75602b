"""This project's own form of boxes, points and strokes, and SAM's rectangles."""

from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.prompt import Target
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.user_prompts import user_corrections
from litemedsam.engine.scan.scan import Scan
from object_files import MODEL, near, objects_of, scribbles_of

from litemedsam import LiteMedSamError


def test_our_own_json(tmp_path, scan):
    found = objects_of(
        tmp_path,
        scan,
        {
            "version": 1,
            "space": "voxel",
            "objects": [
                {"name": "liver", "box": [1, 2, 0, 10, 11, 5]},
                {"box": [3, 4, 8, 9], "z": [1, 2], "points": [[5, 6, 1], [6, 7, 2]]},
            ],
        },
    )
    np.testing.assert_array_equal(found.boxes, [[1, 2, 0, 10, 11, 5], [3, 4, 1, 8, 9, 2]])
    assert found.names == ("liver", "")
    np.testing.assert_array_equal(found.prompts[1].points, [[5, 6, 1], [6, 7, 2]])


def test_a_box_on_a_slice_may_be_open_ended(tmp_path, scan):
    content = [
        {"box": [3, 4, 8, 9], "slice": 2},
        {"box": [3, 4, 8, 9], "slice": 2, "z": "auto"},
        {"box": [3, 4, 2, 8, 9, 2], "z": "auto"},
    ]
    found = objects_of(tmp_path, scan, {"version": 1, "objects": content})
    np.testing.assert_array_equal(found.boxes, [[3, 4, 2, 8, 9, 2]] * 3)
    assert [prompt.open_ended for prompt in found.prompts] == [False, True, True]
    assert prepare(scan, found).case.open_ended == {2, 3}


BOX = [1, 2, 0, 10, 11, 5]


def scribbled(*strokes, **more):
    """The content of a file with one object and its scribble."""
    return {"version": 1, "objects": [{"box": BOX, "scribble": {"strokes": list(strokes), **more}}]}


def corrected(**given):
    """The content of a file with one object and its corrections."""
    return {"version": 1, "objects": [{"box": BOX, **given}]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"objects": [{"box": BOX}]}, "lacks version"),
        ({"version": 2, "objects": [{"box": BOX}]}, "version 2, expected 1"),
        ({"version": 1, "objects": []}, "at least one"),
        ({"version": 1, "objects": [{"box": BOX}], "colour": 1}, "unknown key colour"),
        ({"version": 1, "objects": [{"box": BOX}, {"box": BOX, "label": 3}]}, "object 2: unknown key label"),
        ({"version": 1, "objects": [{"box": [10, 2, 0, 1, 11, 5]}]}, "object 1: x_min 10 is greater than x_max 1"),
        ({"version": 1, "objects": [{"box": [1, 2, 3, 4, 5]}]}, "object 1: box"),
        ({"version": 1, "objects": [{"box": BOX}, {"box": [1, 2, 3, 4]}]}, "object 2: a box of 4 numbers after"),
        ({"version": 1, "objects": [{"box": ["1", 2, 3, 4]}]}, "object 1: box"),
        ({"version": 1, "objects": [{"box": [True, 2, 3, 4]}]}, "object 1: box"),
        ({"version": 1, "objects": [{"box": BOX, "z": [1, 2]}]}, "object 1: z beside"),
        (corrected(slice=3), "object 1: a slice beside a box of 6 numbers; give x0,y0,x1,y1 or no slice"),
        (corrected(box=[1, 2, 3, 4], slice=3, z=[1, 2]), 'object 1: z beside slice; give one of them, or "z": "auto"'),
        (corrected(box=[1, 2, 3, 4], z="auto"), 'object 1: "z": "auto" without a slice to search from; add the slice'),
        (corrected(box=[1, 2, 3, 4], slice="3"), "object 1: slice is ['3'], expected 1 numbers"),
        (corrected(z="all"), "object 1: z beside a box of 6 numbers"),
        ({"version": 1, "space": "world", "objects": [{"box": [1, 2, 3, 4], "slice": 1}]}, "slice in millimetres"),
        ({"version": 1, "objects": [{"box": BOX, "points": [[1, 2]]}]}, "object 1: point"),
        ({"version": 1, "objects": [{"box": BOX, "points": [[40, 2, 1]]}]}, "object 1: a point lies outside"),
        ({"version": 1, "objects": [{"box": BOX}, {"box": BOX, "scribble": []}]}, "object 2: scribble: list, expected"),
        (scribbled(), "object 1: scribble: strokes is []"),
        (scribbled([]), "object 1: scribble: a stroke is []"),
        (scribbled([3, 4, 1]), "object 1: scribble: point is 3, expected 3 numbers"),
        (scribbled([[3, 4]]), "object 1: scribble: point is [3, 4], expected 3 numbers"),
        (scribbled([[3, 4, 1]], [[3, 4, 9]]), "object 1: scribble: a point lies outside the scan of 30 × 20 × 6"),
        (scribbled([[3, 4, float("nan")]]), "object 1: scribble: a point holds NaN"),
        (scribbled([[3, 4, 1]], width=0.5), "object 1: scribble: width is 0.5, expected 1 to 100 voxels"),
        (scribbled([[3, 4, 1]], width=10**400), "expected 1 to 100 voxels"),
        (scribbled([[3, 4, 1]], width=True), "width is True"),
        (scribbled([[3, 4, 1]], colour=1), "object 1: scribble: unknown key colour; expected strokes, width"),
        ({"version": 1, "space": "mm", "objects": [{"box": BOX}]}, "space 'mm'"),
        (corrected(add=3), "object 1: add is 3, expected a list of points"),
        (corrected(add=[]), "object 1: no point and no stroke"),
        (corrected(remove=[[3, 4]]), "object 1: point is [3, 4], expected 3 numbers"),
        (corrected(corrections=3), "object 1: corrections is 3, expected a list"),
        (corrected(corrections=[{}]), "object 1: correction 1: no point and no stroke"),
        (corrected(corrections=[{"add": [[3, 4, 1]]}, {"erase": 1}]), "object 1: correction 2: unknown key erase"),
        (corrected(corrections=[{"add": [[3, 4, 1]]}], add=[[3, 4, 1]]), "object 1: add beside corrections"),
        (corrected(corrections=[{"add_strokes": [[]]}]), "correction 1: add_strokes: a stroke is []"),
        (corrected(add=[[3, 40, 1]]), "object 1: a point lies outside the scan"),
        ([{"type": "circle", "data": [1, 2, 3, 4]}], "entry 1: type 'circle'"),
        ([{"type": "point", "data": [1, 2], "label": 0}], "entry 1: a point off the object"),
        ([{"type": "point", "data": [1, 2]}], "0 rectangles"),
        (3, "expected an object"),
    ],
)
def test_mistakes_in_json_are_named(tmp_path, scan, content, words):
    with pytest.raises(LiteMedSamError) as error:
        objects_of(tmp_path, scan, content)
    assert words in str(error.value)
    assert "boxes.json" in str(error.value)


def test_strokes_on_an_image_have_places_of_two_numbers(tmp_path):
    content = {"version": 1, "objects": [{"box": [1, 2, 10, 11], "scribble": {"strokes": [[[4, 5], [8, 5]]]}}]}
    mask = near([(x, 5) for x in range(4, 9)], 3).astype(np.uint8)
    expected = scribbles_of(
        Scan("image", mask, False), Objects.of_boxes("scan", np.array([[1, 2, 10, 11]]), stroke_mask=mask)
    )
    np.savez(tmp_path / "image.npz", imgs=mask)
    images = Scan("image", mask, False), FORMATS["npz"].read(tmp_path / "image.npz"), Scan("image", mask[None], True)
    for image in images:
        drawn = scribbles_of(image, objects_of(tmp_path, image, content))
        np.testing.assert_array_equal(drawn[Target(1)], expected[Target(1)])


VOLUME = Scan("scan", np.zeros((3, 6, 7), np.uint8), True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('"text"', "str, expected an object with version, objects"),
        ('{"version": 1}', "lacks objects"),
        ('{"version": true, "objects": []}', "version True, expected 1"),
        ('{"version": 1, "space": [], "objects": [1]}', "space [], expected voxel or world"),
        ('{"version": 1, "objects": []}', "objects is not a list of at least one object"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3]}]}', "box is [1, 2, 3], expected 4 or 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, true]}]}', "expected 4 or 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, 1' + "0" * 400 + "]}]}", "expected 4 or 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, NaN]}]}', "holds NaN or infinity"),
        ('{"version": 1, "objects": [{"box": [3, 2, 1, 4]}]}', "x_min 3 is greater than x_max 1"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, 4], "name": 5}]}', "name is 5, expected a text"),
        ('{"version": 1, "objects": [{"box": [1, 2, 3, 4], "name": "\\ud800"}]}', "expected a text"),
        ('{"version": 1, "objects": [{"box": [1, 1, 0, 3, 3, 1], "z": [0, 1]}]}', "z beside a box of 6 numbers"),
        ('{"version": 1, "objects": [{"box": [1, 1, 3, 3], "z": [0, 1]}, {"box": [1, 1, 3, 3]}]}', "after one of 6"),
        ('{"version": 1, "objects": [{"box": [1, 1, 3, 3], "points": []}]}', "expected one to four points"),
        (
            '{"version": 1, "objects": [{"box": [1, 1, 3, 3], "points": [[1, 1]]}]}',
            "points of 2 numbers in a scan of 3",
        ),
        ('{"version": 1, "objects": [{"box": [1, 1, 0, 3, 3, 1], "points": [[1, 1, NaN]]}]}', "a point holds NaN"),
        (
            '{"version": 1, "objects": [{"box": [1, 1, 0, 3, 3, 1], "points": [[9, 1, 1]]}]}',
            "outside the scan of 7 × 6 × 3",
        ),
        ('{"version": 1, "space": "world", "objects": [{"box": [1, 1, 0, 3, 3, 1]}]}', "not say where it lies"),
        ('[{"type": "circle", "data": [1, 2]}]', "type 'circle', expected rectangle or point"),
        ('[{"type": "point", "data": [1, 2], "label": 0}]', "a point off the object"),
        ('[{"type": "point", "data": [1, 2]}]', "points beside 0 rectangles"),
    ],
)
def test_bad_boxes_of_a_file_are_explained(tmp_path, content, words):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(LiteMedSamError) as error:
        BoxesFile(tmp_path / "a.json").objects(Path("scan"), VOLUME)
    assert words in str(error.value)
    assert len(str(error.value)) < 400


def test_points_of_a_single_slice_may_leave_it_out(tmp_path):
    (tmp_path / "a.json").write_text('{"version": 1, "objects": [{"box": [1, 1, 3, 3], "points": [[2, 3]]}]}')
    single = Scan("scan", np.zeros((1, 6, 7), np.uint8), True)
    np.testing.assert_array_equal(
        BoxesFile(tmp_path / "a.json").objects(Path("s"), single).prompts[0].points, [[2, 3, 0]]
    )


def test_corrections_are_steps_in_their_order(tmp_path, scan):
    steps = [
        {"add": [[4, 5, 2]], "remove": [[6, 7, 2], [8, 7, 2]]},
        {"remove_strokes": [[[3, 4, 1], [5, 4, 1]]], "width": 2},
    ]
    (prompt,) = objects_of(tmp_path, scan, corrected(corrections=steps)).prompts
    first, second = prompt.repairs
    np.testing.assert_array_equal(first.add, [[4, 5, 2]])
    np.testing.assert_array_equal(first.remove, [[6, 7, 2], [8, 7, 2]])
    np.testing.assert_array_equal(first.places, [[4, 5, 2], [6, 7, 2], [8, 7, 2]])
    assert second.remove_strokes[0].width == 2
    np.testing.assert_array_equal(second.places, [[3, 4, 1], [5, 4, 1]])
    short = objects_of(tmp_path, scan, corrected(**steps[0])).prompts[0].repairs
    np.testing.assert_array_equal(short[0].places, first.places)


def test_corrections_of_several_slices_or_beside_the_box_are_refused(tmp_path, scan):
    model = BundleInfo("any", 64, ("boxes", "points", "labels", "scribbles"), (), "", "f32", "single", "", "")
    for content, words in (
        ([[4, 5, 1], [4, 5, 3]], r"object 1: a correction over slices .*give each slice corrections of its own"),
        ([[4, 5, 5]], "object 1: a correction on slice .*which its box leaves out"),
    ):
        content = corrected(add=content)
        content["objects"][0]["box"] = [1, 2, 0, 10, 11, 4]
        with pytest.raises(LiteMedSamError, match=words):
            user_corrections(prepare(scan, objects_of(tmp_path, scan, content)), model)
    with pytest.raises(LiteMedSamError, match=r"takes no corrections.*leave the corrections out"):
        user_corrections(prepare(scan, objects_of(tmp_path, scan, corrected(add=[[4, 5, 1]]))), MODEL)
