"""A mask lies on the grid of its scan and holds whole numbers."""

import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.scan.scan import Scan
from PIL import Image
from synthetic_scans import phantom

from litemedsam import LiteMedSamError

PIXELS = phantom(1, 8, 10)[0]


def test_masks_hold_whole_numbers(tmp_path):
    scan = Scan("scan", np.zeros((3, 4, 5), np.uint8), True)
    path = tmp_path / "a.npz"
    for array, good in (
        (np.ones((3, 4, 5), bool), True),
        (np.full((3, 4, 5), 7.0, np.float32), True),
        (np.full((3, 4, 5), 7.5), False),
        (np.full((3, 4, 5), 1e12), False),
        (np.full((3, 4, 5), np.nan), False),
        (np.full((3, 4, 5), "a"), False),
    ):
        np.savez(path, segs=array)
        if good:
            assert format_of(path).read_mask(path, scan).labels.dtype.kind in "iu"
            np.testing.assert_array_equal(format_of(path).read_mask(path, scan).labels, array.astype(int))
        else:
            with pytest.raises(LiteMedSamError, match="expected labels"):
                format_of(path).read_mask(path, scan)
    np.savez(path, imgs=PIXELS)
    with pytest.raises(LiteMedSamError, match="lacks a mask; expected the key gts or segs"):
        format_of(path).read_mask(path, scan)


def test_every_format_reads_the_masks_that_it_writes(tmp_path):
    labels = (phantom(4, 8, 10) == 200).astype(np.uint8) * 3
    volume = Scan("scan", np.zeros(labels.shape, np.uint8), True)
    for name, file in (("npz", "a.npz"), ("nifti", "a.nii.gz"), ("png", "a.tif"), ("slices", "slices")):
        path = tmp_path / file
        FORMATS[name].write(path, labels, volume, ("a", "", "c"))
        mask = FORMATS[name].read_mask(path, volume)
        np.testing.assert_array_equal(mask.labels, labels)
        assert mask.names == ({1: "a", 3: "c"} if name == "nifti" else {})
        with pytest.raises(LiteMedSamError, match=r"voxels along x, y, z; the scan scan has \(10, 8, 5\)"):
            FORMATS[name].read_mask(path, Scan("scan", np.zeros((5, 8, 10), np.uint8), True))


def test_the_first_channel_of_a_coloured_mask_counts(tmp_path):
    colours = np.zeros((8, 10, 3), np.uint8)
    colours[1:3, 2:5] = (7, 9, 11)
    Image.fromarray(colours).save(tmp_path / "a.png")
    mask = FORMATS["png"].read_mask(tmp_path / "a.png", Scan("scan", PIXELS, False))
    np.testing.assert_array_equal(mask.labels, colours[..., 0])


def test_masks_of_npz_files_are_the_truth_before_the_result(tmp_path):
    np.savez(tmp_path / "a.npz", segs=np.ones((8, 10), np.uint8), gts=np.full((8, 10), 2, np.uint8))
    assert set(np.unique(FORMATS["npz"].read_mask(tmp_path / "a.npz", Scan("scan", PIXELS, False)).labels)) == {2}
