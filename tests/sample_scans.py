"""One phantom as a scan of every format, with its boxes, mask and strokes."""

import json
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from synthetic_scans import phantom, stored, write_series, write_slices

VOLUME = phantom(5, 40, 48)
BOX = "9,13,1,29,30,3"


def write_scans(folder: Path) -> Path:
    """Write them into a folder and return it."""
    plain = stored(VOLUME, (0, 1, 2), (False, False, False))
    nibabel.Nifti1Image(plain.voxels.transpose(), plain.ras).to_filename(folder / "scan.nii.gz")
    mask = (plain.voxels == 200).astype(np.uint8)
    mask[4, 35:39, 40:46] = 2
    nibabel.Nifti1Image(mask.transpose(), plain.ras).to_filename(folder / "mask.nii.gz")
    strokes = np.zeros_like(mask)
    strokes[2, 20:23, 15:25] = 1
    nibabel.Nifti1Image(strokes.transpose(), plain.ras).to_filename(folder / "strokes.nii.gz")
    write_series(folder / "series", plain)
    write_slices(folder / "stack", VOLUME)
    Image.fromarray(VOLUME[2]).save(folder / "slice.png")
    pages = [Image.fromarray(page) for page in VOLUME]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    np.savez(folder / "flat.npz", imgs=VOLUME[2], boxes=[[9, 13, 29, 30], [1, 1, 20, 30]], spacing=[1.5, 2.0, 1.0])
    np.savez(folder / "volume.npz", imgs=VOLUME, boxes=[[9, 13, 1, 29, 30, 3]], spacing=[1.0, 2.0, 3.0])
    named = {"version": 1, "objects": [{"name": "liver", "box": [9, 13, 1, 29, 30, 3], "points": [[18, 22, 2]]}]}
    (folder / "boxes.json").write_text(json.dumps(named))
    return folder


def labels(path: Path) -> np.ndarray:
    """The label map of a NIfTI file, (D, H, W)."""
    return np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj).transpose()
