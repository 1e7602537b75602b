"""Boxes from the command line, from JSON and from masks; mistakes are refused with the object's number."""

import json

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.prompt import AutomaticPrompts, Target
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.placed import placed_prompts
from litemedsam.engine.objects.sources import BoxesFile, GivenBoxes, MaskBoxes, WithScribbles, piece_boxes, tight_boxes
from litemedsam.engine.scan.scan import Objects, Scan, prepare
from scipy import ndimage
from synthetic_scans import phantom, stored, write_series

from litemedsam import LiteMedSamError

GRID = (6, 20, 30)
MODEL = BundleInfo("any", 256, ("boxes", "points", "scribbles"), (), "", "f32", "single", "", "")


@pytest.fixture
def scan(tmp_path):
    """A volume of 30 × 20 × 6 voxels of 2 × 1 × 3 mm, x towards left, y towards anterior, z towards superior."""
    volume = np.arange(np.prod(GRID), dtype=np.int16).reshape(GRID)
    affine = np.array([[-2.0, 0, 0, 10], [0, 1, 0, -5], [0, 0, 3, 7], [0, 0, 0, 1]])
    nibabel.Nifti1Image(volume.transpose(), affine).to_filename(tmp_path / "scan.nii.gz")
    return FORMATS["nifti"].read(tmp_path / "scan.nii.gz")


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def objects_of(tmp_path, scan, content):
    path = write(tmp_path / "boxes.json", content)
    return BoxesFile(path).objects(tmp_path / "scan.nii.gz", scan)


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
    np.testing.assert_array_equal(found.points[2], [[5, 6, 1], [6, 7, 2]])


def test_rectangles_of_sam_tools(tmp_path, scan):
    content = [
        {"type": "rectangle", "data": [1, 2, 10, 11]},
        {"type": "point", "data": [3, 4], "label": 1},
    ]
    flat = FORMATS["npz"]
    np.savez(tmp_path / "flat.npz", imgs=np.zeros((20, 30), np.uint8))
    image = flat.read(tmp_path / "flat.npz")
    found = BoxesFile(write(tmp_path / "boxes.json", content)).objects(tmp_path / "flat.npz", image)
    np.testing.assert_array_equal(found.boxes, [[1, 2, 10, 11]])
    np.testing.assert_array_equal(found.points[1], [[3, 4]])


BOX = [1, 2, 0, 10, 11, 5]


def scribbled(*strokes, **more):
    """The content of a file with one object and its scribble."""
    return {"version": 1, "objects": [{"box": BOX, "scribble": {"strokes": list(strokes), **more}}]}


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


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((1, 2, 3, 4), "6 slices"),
        ((1, 2, 0, 31, 4, 1), "outside the image"),
        ((1, 2, 0, 3, 4, 6), "outside the image"),
        ((1, 2, 0.5, 3, 4, 1), "whole slice numbers"),
        ((5, 2, 0, 3, 4, 1), "x_min 5 is greater"),
        ((1, 2, 0, float("nan"), 4, 1), "NaN"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(tmp_path, scan, box, words):
    with pytest.raises(LiteMedSamError, match=words):
        prepare(scan, GivenBoxes([box]).objects(tmp_path, scan))


def test_boxes_in_millimetres(tmp_path, scan):
    # Voxels 3..7, 4..9, 1..4 from centre to centre.
    world = (10 - 14, -5 + 4, 7 + 3, 10 - 6, -5 + 9, 7 + 12)
    found = GivenBoxes([world], world=True).objects(tmp_path, scan)
    np.testing.assert_array_equal(found.boxes, [[3, 4, 1, 7, 9, 4]])
    with pytest.raises(LiteMedSamError, match="outside the scan"):
        GivenBoxes([(-100, 0, 10, 4, 4, 19)], world=True).objects(tmp_path, scan)
    in_file = {"version": 1, "space": "world", "objects": [{"box": list(world), "points": [[0, 0, 10]]}]}
    found = objects_of(tmp_path, scan, in_file)
    np.testing.assert_array_equal(found.boxes, [[3, 4, 1, 7, 9, 4]])
    np.testing.assert_allclose(found.points[1], [[5, 5, 1]])


def mask_file(tmp_path, mask, affine):
    nibabel.Nifti1Image(mask.transpose(), affine).to_filename(tmp_path / "mask.nii.gz")
    return tmp_path / "mask.nii.gz"


def test_boxes_from_a_mask(tmp_path, scan):
    mask = np.zeros(GRID, np.uint8)
    mask[1:3, 4:6, 7:11] = 3
    mask[5, 19, 0] = 7
    mask[5, 0, 29] = 7
    file = mask_file(tmp_path, mask, scan.origin.affine)
    found = MaskBoxes(file).objects(tmp_path / "scan.nii.gz", scan)
    np.testing.assert_array_equal(found.boxes, [[7, 4, 1, 10, 5, 2], [0, 0, 5, 29, 19, 5]])
    assert found.names == ("3", "7")
    found = MaskBoxes(file, pieces=True, margin=2).objects(tmp_path / "scan.nii.gz", scan)
    np.testing.assert_array_equal(found.boxes, [[5, 2, 1, 12, 7, 2], [27, 0, 5, 29, 2, 5], [0, 17, 5, 2, 19, 5]])
    assert found.names == ("3.1", "7.1", "7.2")

    by_folder = MaskBoxes(tmp_path / "masks")
    (tmp_path / "masks").mkdir()
    with pytest.raises(LiteMedSamError, match=r"holds no file scan\.nii\.gz"):
        by_folder.objects(tmp_path / "scan.nii.gz", scan)
    file.rename(tmp_path / "masks" / "scan.nii.gz")
    assert len(by_folder.objects(tmp_path / "scan.nii.gz", scan).boxes) == 2


def test_masks_on_another_grid_are_refused(tmp_path, scan):
    mask = np.ones(GRID, np.uint8)
    moved = scan.origin.affine.copy()
    moved[0, 3] += 2
    for voxels, affine, words in (
        (mask[:5], scan.origin.affine, "voxels along x, y, z"),
        (mask, moved, "2 mm away"),
        (mask * 0, scan.origin.affine, "empty mask"),
        (mask * np.float32(0.5), scan.origin.affine, "whole numbers"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            MaskBoxes(mask_file(tmp_path, voxels, affine)).objects(tmp_path / "scan.nii.gz", scan)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.6))
def test_pieces_are_scipy_s(seed, density):
    mask = np.random.default_rng(seed).random((4, 7, 8)) < density
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = True
    structure[:, 1, 1] = True
    numbers, count = ndimage.label(mask, structure)
    boxes = {}
    for k in range(1, count + 1):
        z, y, x = np.nonzero(numbers == k)
        boxes[k] = [x.min(), y.min(), z.min(), x.max(), y.max(), z.max()]
    assert tight_boxes(numbers) == boxes
    assert sorted(piece_boxes(mask)) == sorted(boxes.values())


def test_points_and_strokes_reach_their_slice_through_the_view(tmp_path, scan):
    strokes = np.zeros(GRID, np.uint8)
    strokes[2, 5, 4:8] = 1
    file = mask_file(tmp_path, strokes, scan.origin.affine)
    content = {"version": 1, "objects": [{"box": BOX, "points": [[5, 6, 1], [6, 7, 1]]}]}
    source = WithScribbles(BoxesFile(write(tmp_path / "boxes.json", content)), file)
    prepared = prepare(scan, source.objects(tmp_path / "scan.nii.gz", scan))
    # y runs towards anterior in the file, and downwards to posterior as seen.
    assert prepared.view.reversed == (False, True, False)
    prompts = placed_prompts(prepared, AutomaticPrompts(), MODEL)
    scale = 256 / 30
    np.testing.assert_allclose(prompts.points[Target(1, 1)], np.array([[5, 13], [6, 12]] * 2) * scale, rtol=1e-6)
    y, x = np.nonzero(prompts.scribbles[Target(1, 2)])
    assert (x.min(), x.max()) == (int(4 * scale), int(8 * scale))
    assert (y.min(), y.max()) == (int(14 * scale), int(15 * scale))

    with pytest.raises(LiteMedSamError, match="object 1: a point on slice z = 5, which its box leaves out"):
        placed_prompts(
            prepare(scan, Objects(np.array([[1, 2, 0, 9, 9, 3]]), ("",), {1: np.array([[2.0, 3, 5]])})), None, MODEL
        )
    strokes[2, 5, 4:8] = 4
    prepared = prepare(scan, Objects(np.array([BOX]), scribbles=strokes))
    with pytest.raises(LiteMedSamError, match="a scribble of object 4"):
        placed_prompts(prepared, None, MODEL)


def scribbles_of(scan, objects, model=MODEL):
    return placed_prompts(prepare(scan, objects), AutomaticPrompts(), model).scribbles


def near(places, width):
    """The voxels of a slice, bool (H, W), whose centres lie within half a width of a place (x, y)."""
    page = np.zeros(GRID[1:], bool)
    for y, x in np.ndindex(page.shape):
        page[y, x] = any(np.hypot(x - u, y - v) <= width / 2 for u, v in places)
    return page


@pytest.mark.parametrize("width", [1, 2, 3, 4.5, 9])
def test_strokes_in_json_are_those_of_a_mask(tmp_path, scan, width):
    line = [(x, 5) for x in range(4, 9)] + [(8, y) for y in range(5, 9)]
    mask = np.zeros(GRID, np.uint8)
    mask[2] = near([*line, (2, 10)], width)
    mask[3] = near([(29, 19)], width)
    strokes = [[4, 5, 2], [8, 5, 2], [8, 8.4, 2.3]], [[2, 10, 2]], [[29.5, 19.5, 3]]
    drawn = scribbles_of(scan, objects_of(tmp_path, scan, scribbled(*strokes, width=width)))
    masked = scribbles_of(scan, Objects(np.array([BOX]), scribbles=mask))
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
    (framed,) = scribbles_of(scan, Objects(np.array([BOX]), scribbles=expected)).values()
    np.testing.assert_array_equal(scribbles_of(scan, found)[Target(1, 2)], framed)


def test_strokes_in_millimetres_and_on_slices_along_another_axis(tmp_path, scan):
    # Voxels (4, 5, 2) and (8, 5, 2).
    world = scribbled([[2, 0, 13], [-6, 0, 13]], width=1)
    world["space"] = "world"
    world["objects"][0]["box"] = [-10, -3, 7, 8, 6, 22]
    found = objects_of(tmp_path, scan, world)
    np.testing.assert_allclose(found.drawn[1].strokes[0], [[4, 5, 2], [8, 5, 2]])
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
        Objects(np.array([BOX]), scribbles=np.ones(GRID, np.uint8)),
    ):
        with pytest.raises(LiteMedSamError, match="the model boxy takes no scribbles, only: boxes") as error:
            scribbles_of(scan, objects, boxes_only)
        refusals.append(str(error.value))
    assert refusals[0] == refusals[1]


def test_strokes_on_an_image_have_places_of_two_numbers(tmp_path):
    content = {"version": 1, "objects": [{"box": [1, 2, 10, 11], "scribble": {"strokes": [[[4, 5], [8, 5]]]}}]}
    mask = near([(x, 5) for x in range(4, 9)], 3).astype(np.uint8)
    expected = scribbles_of(Scan("image", mask, False), Objects(np.array([[1, 2, 10, 11]]), scribbles=mask))
    np.savez(tmp_path / "image.npz", imgs=mask)
    images = Scan("image", mask, False), FORMATS["npz"].read(tmp_path / "image.npz"), Scan("image", mask[None], True)
    for image in images:
        drawn = scribbles_of(image, objects_of(tmp_path, image, content))
        np.testing.assert_array_equal(drawn[Target(1)], expected[Target(1)])


def named_mask(tmp_path, scan, *comments):
    """Objects 1 and 3, with comments in the header."""
    labels = np.zeros(GRID, np.uint8)
    labels[1, 4:6, 7:11], labels[2, 9, 9], labels[2, 9, 12] = 1, 3, 3
    image = nibabel.Nifti1Image(labels.transpose(), scan.origin.affine)
    for comment in comments:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, comment))
    image.to_filename(tmp_path / "named.nii.gz")
    return tmp_path / "named.nii.gz"


def test_objects_take_the_names_that_a_nifti_mask_keeps(tmp_path, scan):
    file = named_mask(tmp_path, scan)
    written = FORMATS["nifti"].read(file).voxels
    FORMATS["nifti"].write(file, written, scan, ["Leber", "", "kidney left"])
    assert MaskBoxes(file).objects(tmp_path / "scan.nii.gz", scan).names == ("Leber", "kidney left")
    pieces = MaskBoxes(file, pieces=True).objects(tmp_path / "scan.nii.gz", scan)
    assert pieces.names == ("Leber.1", "kidney left.1", "kidney left.2")
    # One object has a name, the other its number.
    FORMATS["nifti"].write(file, written, scan, ["Niere (links), größer", "", ""])
    assert MaskBoxes(file).objects(tmp_path / "scan.nii.gz", scan).names == ("Niere (links), größer", "3")


@pytest.mark.parametrize(
    ("comments", "names"),
    [
        ([b"made by hand"], ("1", "3")),
        ([b"made by hand", b'{"labels": {"3": "spleen"}}'], ("1", "spleen")),
        ([b'{"labels": ["liver"]}'], ("1", "3")),
        ([b"[1]"], ("1", "3")),
        ([b'{"labels": {"one": "liver"}}'], ("1", "3")),
        ([b'{"labels": {"1": ["liver"], "3": ""}}'], ("1", "3")),
        ([b'{"labels": {"1": "\\ud800"}}'], ("?", "3")),
        ([b"\xff\xfe"], ("1", "3")),
        ([b"[" * 100_000], ("1", "3")),
    ],
)
def test_comments_of_others_name_nothing(tmp_path, scan, comments, names):
    found = MaskBoxes(named_mask(tmp_path, scan, *comments)).objects(tmp_path / "scan.nii.gz", scan)
    assert found.names == names


def test_objects_take_the_labels_of_segments(tmp_path):
    volume = stored(phantom(*GRID), (0, 1, 2), (False,) * 3)
    write_series(tmp_path / "series", volume)
    series = FORMATS["dicom"].read(tmp_path / "series")
    labels = np.zeros(GRID, np.uint8)
    labels[1, 4:6, 7:11], labels[2, 9, 9] = 1, 3
    FORMATS["dicom"].write(tmp_path / "mask.dcm", labels, series, ["liver", "spleen", "tumour 2"])
    found = MaskBoxes(tmp_path / "mask.dcm").objects(tmp_path / "series", series)
    assert found.names == ("liver", "tumour 2")
    np.testing.assert_array_equal(found.boxes, [[7, 4, 1, 10, 5, 1], [9, 9, 2, 9, 9, 2]])
    segmentation = pydicom.dcmread(tmp_path / "mask.dcm")
    segmentation.SegmentSequence[0].SegmentLabel = ""
    segmentation.save_as(tmp_path / "mask.dcm")
    assert MaskBoxes(tmp_path / "mask.dcm").objects(tmp_path / "series", series).names == ("1", "tumour 2")
