"""Every remedy that refused objects name: whoever does what it says is no longer refused."""

from pathlib import Path

import numpy as np
import pytest
from form_files import COLUMNS, ROWS, asked, picture
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.objects.masks import MaskBoxes
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.sources import GivenBoxes, StoredBoxes
from litemedsam.engine.objects.user_prompts import user_prompts
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan

from litemedsam import LiteMedSamError

MODEL = BundleInfo("any", 256, ("boxes", "points", "scribbles"), (), "", "f32", "single", "", "")
IMAGE = picture()
PLACED = Scan("case.png", np.zeros((6, ROWS, COLUMNS), np.uint8), True, Geometry(np.diag([1.0, 1, 2, 1])))
UNPLACED = Scan("case.png", np.zeros((6, ROWS, COLUMNS), np.uint8), True)


def own(*objects, **more):
    return {"version": 1, "objects": list(objects), **more}


def coco(image=None, **more):
    box = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 8, 8]}
    return {"images": [{"id": 1, "file_name": "case.png", **(image or {})}], "annotations": [box], **more}


def labelme(shape=None, **more):
    return {"shapes": [{"label": "a", "points": [[1, 2], [9, 9]], "shape_type": "rectangle", **(shape or {})}], **more}


def roi(**more):
    return {"type": "ROI", "center": [-9, -9, 6], "size": [4, 4, 4], **more}


BOX, LONG = {"box": [1, 2, 9, 9]}, {"box": [1, 2, 0, 9, 9, 3]}
STROKES = [[[2, 3, 1], [4, 5, 1]], [[4, 5, 2]]]
TWICE = [{"id": 1, "file_name": "a/case.png"}, {"id": 2, "file_name": "a/case.png"}]
APART = [{"id": 1, "file_name": "b/case.png"}, {"id": 2, "file_name": "set/a/case.png"}]
SECOND = {"annotations": [{"image_id": 2, "bbox": [1, 2, 8, 8]}]}
POINT = {"type": "point", "data": [3, 4]}
RECTANGLES = [{"type": "rectangle", "data": [1, 2, 9, 9]}] * 2


@pytest.mark.parametrize(
    ("scan", "refused", "remedy", "accepted"),
    [
        (IMAGE, {"version": 2, "objects": [BOX]}, "write version 1", own(BOX)),
        (IMAGE, own({"box": [9, 2, 1, 9]}), "give the smaller corner first", own(BOX)),
        (PLACED, own({**LONG, "z": [0, 3]}), "leave z out", own(LONG)),
        (PLACED, own({**BOX, "z": [0, 3]}, BOX), "give all boxes the same form", own(LONG, LONG)),
        (PLACED, own({**BOX, "points": [[3, 4]]}), "give one number per axis", own({**LONG, "points": [[3, 4, 1]]})),
        (PLACED, own(BOX), "give x0,y0,z0,x1,y1,z1", own(LONG)),
        (IMAGE, own(LONG), "give x0,y0,x1,y1", own(BOX)),
        (UNPLACED, own(LONG, space="world"), "give boxes in voxels", own(LONG)),
        (UNPLACED, {"markups": [roi()]}, "give boxes in voxels", own(LONG)),
        (
            PLACED,
            own({**LONG, "scribble": {"strokes": [[*STROKES[0], *STROKES[1]]]}}),
            "give each slice strokes of its own",
            own({**LONG, "scribble": {"strokes": STROKES}}),
        ),
        (
            IMAGE,
            [*RECTANGLES, POINT],
            "give the points inside their object, in the form with version and objects",
            own({**BOX, "points": [[3, 4]]}, BOX),
        ),
        (IMAGE, coco({"file_name": "b.png"}), "or correct file_name", coco()),
        (IMAGE, coco({"width": 99}), "or correct this number", coco({"width": COLUMNS})),
        (IMAGE, coco(annotations=[]), "annotate this picture", coco()),
        (IMAGE, coco(images=TWICE), "give file_name the folders, too", coco(images=APART, **SECOND)),
        (IMAGE, coco()["annotations"], "put them under annotations, beside the images", coco()),
        (IMAGE, labelme(imagePath="b.png"), "or correct imagePath", labelme(imagePath="case.png")),
        (IMAGE, labelme(imageHeight=9), "or correct this number", labelme(imageHeight=ROWS)),
        (IMAGE, labelme({"shape_type": "line"}), "draw a rectangle around each object", labelme()),
        (PLACED, {"markups": [{"type": "Line"}]}, "draw a Markups ROI around each object", {"markups": [roi()]}),
        (PLACED, {"markups": [roi(insideOut=True)]}, "clear Inside out", {"markups": [roi(insideOut=False)]}),
    ],
)
def test_the_remedy_of_a_boxes_file_works(tmp_path, scan, refused, remedy, accepted):
    def used(content):
        prepared = prepare(scan, asked(tmp_path, content, scan, "set/a/case.png"))
        return user_prompts(prepared, AutomaticPrompts(), MODEL)

    with pytest.raises(LiteMedSamError) as error:
        used(refused)
    assert remedy in str(error.value).partition("; ")[2]
    assert used(accepted) is not None


@pytest.mark.parametrize("content", [coco(), labelme()])
def test_without_box_space_pixels_are_pixels(tmp_path, content):
    with pytest.raises(LiteMedSamError, match="; leave --box-space out"):
        asked(tmp_path, content, IMAGE, world=True)
    assert asked(tmp_path, content, IMAGE).prompts


def test_the_remedies_of_masks_work(tmp_path):
    scan, path = picture("case.npz"), Path("case.npz")
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    np.savez(tmp_path / "mask.npz", segs=mask)
    with pytest.raises(LiteMedSamError, match="an empty mask; mark at least one object"):
        MaskBoxes(tmp_path / "mask.npz").objects(path, scan)
    mask[3:9, 4:8] = 1
    np.savez(tmp_path / "mask.npz", segs=mask)
    assert len(MaskBoxes(tmp_path / "mask.npz").objects(path, scan).prompts) == 1


def test_the_remedies_of_noise_and_of_absent_boxes_work(tmp_path, monkeypatch):
    from litemedsam.engine.objects import masks

    monkeypatch.setattr(masks, "LARGEST_NUMBER", 3)
    scan, path = picture("case.npz"), Path("case.npz")
    noise = np.zeros((ROWS, COLUMNS), np.uint8)
    noise[::9, ::9] = 1
    np.savez(tmp_path / "mask.npz", segs=noise)
    with pytest.raises(LiteMedSamError, match="remove noise from the mask first"):
        MaskBoxes(tmp_path / "mask.npz", pieces=True).objects(path, scan)
    noise[9:] = 0
    noise[0, 3:] = 0
    np.savez(tmp_path / "mask.npz", segs=noise)
    assert MaskBoxes(tmp_path / "mask.npz", pieces=True).objects(path, scan).prompts

    with pytest.raises(LiteMedSamError, match="give --box, --boxes or --boxes-from"):
        StoredBoxes().objects(path, scan)
    assert GivenBoxes([[1, 2, 9, 9]]).objects(path, scan).prompts
    assert asked(tmp_path, [[1, 2, 9, 9]], scan).prompts
