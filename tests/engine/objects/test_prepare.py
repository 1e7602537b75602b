"""A scan becomes the case that the model sees."""

import numpy as np
import pytest
from litemedsam.engine.objects.masks import MaskBoxes
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from places import PUBLIC, needs_data
from scan_files import read

from litemedsam import LiteMedSamError


@needs_data
@pytest.mark.parametrize(
    ("nifti", "npz"),
    [
        ("TotalSegExample_ct", "3DBox_CT_TotalSegExample-multiorgan-pseudoGT"),
        ("SCT_t2-cord_image", "3DBox_MR_SCT-t2-cord"),
        ("STS_STS_002_MR_T1_image", "3DBox_MR_STS-sarcoma_STS_002"),
        ("STS_STS_002_PET_image", "3DBox_PET_STS-sarcoma_STS_002"),
        ("STS_STS_015_PET_image", "3DBox_PET_STS-sarcoma_STS_015"),
    ],
)
def test_a_scan_becomes_the_pixels_and_boxes_of_the_same_case_as_npz(nifti, npz):
    path = PUBLIC / "nifti" / f"{nifti}.nii.gz"
    mask = PUBLIC / "nifti" / f"{nifti.replace('_image', '_mask').replace('_ct', '_seg')}.nii.gz"
    scan = read(path)
    prepared = prepare(scan, MaskBoxes(mask).objects(path, scan))
    with np.load(PUBLIC / f"{npz}.npz") as case:
        np.testing.assert_array_equal(prepared.case.pixels, case["imgs"])
        if "TotalSeg" in nifti:
            # The npz file holds the largest organs only, numbered anew.
            assert {tuple(box) for box in case["boxes"]} <= {tuple(box) for box in prepared.case.boxes}
        else:
            np.testing.assert_array_equal(prepared.case.boxes, case["boxes"])
        np.testing.assert_allclose(prepared.case.spacing, case["spacing"], rtol=1e-5)


def test_a_box_for_a_volume_and_an_image_in_colour(tmp_path):
    np.savez(tmp_path / "colour.npz", imgs=np.zeros((20, 30, 3), np.uint8))
    scan = read(tmp_path / "colour.npz")
    with pytest.raises(LiteMedSamError, match="6 numbers for an image in colour"):
        prepare(scan, Objects.of_boxes("scan", np.array([[2.0, 3, 0, 9, 9, 1]])))
    # By the format's own rule this may as well be a volume three voxels wide.
    assert prepare(scan, Objects.of_boxes("scan", np.array([[0.0, 3, 0, 2, 9, 1]]))).case.is_volume
