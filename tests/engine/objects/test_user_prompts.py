"""Points and strokes on the slices that the model sees."""

import nibabel
import numpy as np
import pytest
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.inference.prompt import Target
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.masks import WithScribbles
from litemedsam.engine.objects.objects import ObjectPrompt, Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.user_prompts import user_prompts
from litemedsam.engine.scan.scan import Scan
from object_files import BOX, GRID, MODEL, mask_file, near, objects_of, scribbled, scribbles_of, write
from synthetic_scans import phantom

from litemedsam import LiteMedSamError


def test_points_and_strokes_reach_their_slice_through_the_view(tmp_path, scan):
    strokes = np.zeros(GRID, np.uint8)
    strokes[2, 5, 4:8] = 1
    file = mask_file(tmp_path, strokes, scan.origin.affine)
    content = {"version": 1, "objects": [{"box": BOX, "points": [[5, 6, 1], [6, 7, 1]]}]}
    source = WithScribbles(BoxesFile(write(tmp_path / "boxes.json", content)), file)
    prepared = prepare(scan, source.objects(tmp_path / "scan.nii.gz", scan))
    # y runs towards anterior in the file, and downwards to posterior as seen.
    assert prepared.view.reversed == (False, True, False)
    prompts = user_prompts(prepared, AutomaticPrompts(), MODEL)
    scale = 256 / 30
    np.testing.assert_allclose(prompts.points[Target(1, 1)], np.array([[5, 13], [6, 12]] * 2) * scale, rtol=1e-6)
    y, x = np.nonzero(prompts.scribbles[Target(1, 2)])
    assert (x.min(), x.max()) == (int(4 * scale), int(8 * scale))
    assert (y.min(), y.max()) == (int(14 * scale), int(15 * scale))

    outside = Objects((ObjectPrompt(np.array([1, 2, 0, 9, 9, 3]), points=np.array([[2.0, 3, 5]])),))
    with pytest.raises(LiteMedSamError, match="object 1: a point on slice z = 5, which its box leaves out"):
        user_prompts(prepare(scan, outside), None, MODEL)
    strokes[2, 5, 4:8] = 4
    prepared = prepare(scan, Objects.of_boxes("scan", np.array([BOX]), stroke_mask=strokes))
    with pytest.raises(LiteMedSamError, match="a scribble of object 4"):
        user_prompts(prepared, None, MODEL)


def test_a_stroke_of_a_mask_has_its_object_s_label_in_the_result(scan):
    strokes = np.zeros(GRID, np.uint8)
    strokes[1, 5, 4:8], strokes[2, 8, 4:8] = 3, 7
    objects = Objects.of_boxes("scan", np.array([BOX, BOX]), stroke_mask=strokes, labels=(3, 7))
    assert objects.values == (3, 7)
    prompts = user_prompts(prepare(scan, objects), AutomaticPrompts(), MODEL)
    assert set(prompts.scribbles) == {Target(1, 1), Target(2, 2)}
    strokes[1, 5, 4:8] = 1
    with pytest.raises(LiteMedSamError, match=r"of object 1, which has no box; draw it with .* one of: 3, 7"):
        user_prompts(prepare(scan, objects), AutomaticPrompts(), MODEL)


@pytest.mark.parametrize("width", [1, 2, 3, 4.5, 9])
def test_strokes_in_json_are_those_of_a_mask(tmp_path, scan, width):
    line = [(x, 5) for x in range(4, 9)] + [(8, y) for y in range(5, 9)]
    mask = np.zeros(GRID, np.uint8)
    mask[2] = near([*line, (2, 10)], width)
    mask[3] = near([(29, 19)], width)
    strokes = [[4, 5, 2], [8, 5, 2], [8, 8.4, 2.3]], [[2, 10, 2]], [[29.5, 19.5, 3]]
    drawn = scribbles_of(scan, objects_of(tmp_path, scan, scribbled(*strokes, width=width)))
    masked = scribbles_of(scan, Objects.of_boxes("scan", np.array([BOX]), stroke_mask=mask))
    assert set(drawn) == set(masked) == {Target(1, 2), Target(1, 3)}
    for target, scribble in masked.items():
        assert 0 < scribble.sum() < scribble.size / 2
        np.testing.assert_array_equal(drawn[target], scribble)


def test_strokes_are_three_voxels_wide_and_join_those_of_a_mask(tmp_path, scan):
    in_file, in_mask = near([(4, 5), (5, 5)], 3), near([(9, 9)], 1)
    expected = np.zeros(GRID, np.uint8)
    expected[2] = in_file | in_mask
    file = mask_file(tmp_path, in_mask * np.array([0, 0, 1, 0, 0, 0], np.uint8)[:, None, None], scan.origin.affine)
    write(tmp_path / "boxes.json", scribbled([[4, 5, 2], [5, 5, 2]]))
    found = WithScribbles(BoxesFile(tmp_path / "boxes.json"), file).objects(tmp_path / "scan.nii.gz", scan)
    (framed,) = scribbles_of(scan, Objects.of_boxes("scan", np.array([BOX]), stroke_mask=expected)).values()
    np.testing.assert_array_equal(scribbles_of(scan, found)[Target(1, 2)], framed)


def test_strokes_in_millimetres_and_on_slices_along_another_axis(tmp_path, scan):
    # Voxels (4, 5, 2) and (8, 5, 2).
    world = scribbled([[2, 0, 13], [-6, 0, 13]], width=1)
    world["space"] = "world"
    world["objects"][0]["box"] = [-10, -3, 7, 8, 6, 22]
    found = objects_of(tmp_path, scan, world)
    np.testing.assert_allclose(found.prompts[0].strokes[0].places, [[4, 5, 2], [8, 5, 2]])
    in_voxels = objects_of(tmp_path, scan, scribbled([[4, 5, 2], [8, 5, 2]], width=1))
    (framed,) = scribbles_of(scan, in_voxels).values()
    np.testing.assert_array_equal(scribbles_of(scan, found)[Target(1, 2)], framed)

    # The same voxels, the file's first axis towards inferior, its second towards left, its third towards anterior.
    affine = np.array([[0, -2.0, 0, 10], [0, 0, 1, -5], [-3, 0, 0, 22], [0, 0, 0, 1]])
    path = tmp_path / "turned.nii.gz"
    nibabel.Nifti1Image(scan.voxels[::-1].transpose(0, 2, 1), affine).to_filename(path)
    turned = FORMATS["nifti"].read(path)
    content = scribbled([[3, 4, 5], [3, 8, 5]], width=1)
    content["objects"][0]["box"] = [0, 1, 2, 5, 10, 11]
    found = objects_of(tmp_path, turned, content)
    assert prepare(turned, found).view.axes[2] == 0
    np.testing.assert_array_equal(scribbles_of(turned, found)[Target(1, 2)], framed)
    content["objects"][0]["scribble"]["strokes"].append([[2, 4, 5], [5, 4, 5]])
    with pytest.raises(LiteMedSamError, match="object 1: a stroke over slices x = 2 to 5, expected one slice; give"):
        scribbles_of(turned, objects_of(tmp_path, turned, content))


def test_strokes_that_do_not_belong_are_refused(tmp_path, scan):
    content = scribbled([[4, 5, 2], [8, 5, 3]])
    with pytest.raises(LiteMedSamError, match="object 1: a stroke over slices z = 2 to 3, expected one slice"):
        scribbles_of(scan, objects_of(tmp_path, scan, content))
    content = scribbled([[4, 5, 5]])
    content["objects"][0]["box"] = [1, 2, 0, 10, 11, 4]
    with pytest.raises(LiteMedSamError, match="object 1: a scribble on slice z = 5, which its box leaves out"):
        scribbles_of(scan, objects_of(tmp_path, scan, content))
    boxes_only = BundleInfo("boxy", 256, ("boxes",), (), "", "f32", "single", "", "")
    refusals = []
    for objects in (
        objects_of(tmp_path, scan, scribbled([[4, 5, 2]])),
        Objects.of_boxes("scan", np.array([BOX]), stroke_mask=np.ones(GRID, np.uint8)),
    ):
        with pytest.raises(LiteMedSamError, match="the model boxy takes no scribbles, only: boxes") as error:
            scribbles_of(scan, objects, boxes_only)
        refusals.append(str(error.value))
    assert refusals[0] == refusals[1]


PIXELS = phantom(1, 8, 10)[0]


def test_strokes_of_another_shape_and_of_no_object():
    from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
    from litemedsam.engine.objects.user_prompts import user_prompts
    from tiny_bundle import INFO

    scan = Scan("scan", PIXELS, False)
    prepared = prepare(scan, Objects.of_boxes("scan", np.array([[1, 1, 6, 6]]), stroke_mask=np.zeros((2, 2), np.uint8)))
    with pytest.raises(LiteMedSamError, match=r"scribbles have shape \(2, 2\), expected \(8, 10\)"):
        user_prompts(prepared, AutomaticPrompts(), INFO)
    strokes = np.zeros((8, 10), np.uint8)
    strokes[2, 2] = 5
    prepared = prepare(scan, Objects.of_boxes("scan", np.array([[1, 1, 6, 6]]), stroke_mask=strokes))
    with pytest.raises(LiteMedSamError, match="a scribble of object 5, which has no box"):
        user_prompts(prepared, AutomaticPrompts(), INFO)
