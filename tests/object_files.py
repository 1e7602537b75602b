"""Objects of a volume in files: boxes, strokes and masks."""

import json

import nibabel
import numpy as np
from litemedsam.engine.bundle.info import BundleInfo
from litemedsam.engine.inference.automatic_prompts import AutomaticPrompts
from litemedsam.engine.objects.json_file import BoxesFile
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.objects.user_prompts import user_prompts

GRID = (6, 20, 30)
MODEL = BundleInfo("any", 256, ("boxes", "points", "scribbles"), (), "", "f32", "single", "", "")
BOX = [1, 2, 0, 10, 11, 5]


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def objects_of(tmp_path, scan, content):
    path = write(tmp_path / "boxes.json", content)
    return BoxesFile(path).objects(tmp_path / "scan.nii.gz", scan)


def scribbled(*strokes, **more):
    """The content of a file with one object and its scribble."""
    return {"version": 1, "objects": [{"box": BOX, "scribble": {"strokes": list(strokes), **more}}]}


def mask_file(tmp_path, mask, affine):
    nibabel.Nifti1Image(mask.transpose(), affine).to_filename(tmp_path / "mask.nii.gz")
    return tmp_path / "mask.nii.gz"


def scribbles_of(scan, objects, model=MODEL):
    return user_prompts(prepare(scan, objects), AutomaticPrompts(), model).scribbles


def near(places, width):
    """The voxels of a slice, bool (H, W), whose centres lie within half a width of a place (x, y)."""
    page = np.zeros(GRID[1:], bool)
    for y, x in np.ndindex(page.shape):
        page[y, x] = any(np.hypot(x - u, y - v) <= width / 2 for u, v in places)
    return page
