"""A mask drawn in a corner comes out in that corner, whatever way the volume is stored."""

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.scan.geometry import View
from synthetic_scans import oblique, phantom, read_segmentation, stored, world, write_series

VOLUME = phantom(5, 6, 7)
ALL = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]
# A box in LPS order, and what is drawn: a corner block and a lone voxel elsewhere.
BOX = np.array([[1.0, 2, 0, 4, 5, 3]])
DRAWN = np.zeros(VOLUME.shape, np.uint8)
DRAWN[0, :2, :3] = 1
DRAWN[4, 5, 0] = 2
IDENTITY = ((0, 1, 2), (False, False, False))


def stored_box(order, flips):
    """`BOX` in the indices of the rearranged volume."""
    low, high = BOX[0, list(order)], BOX[0, [3 + axis for axis in order]]
    last = np.array([VOLUME.shape[2 - axis] - 1 for axis in order])
    flipped = np.array(flips)
    return np.r_[np.where(flipped, last - high, low), np.where(flipped, last - low, high)][None]


def expected(number):
    return world(number == DRAWN, stored(DRAWN, *IDENTITY).affine)


@pytest.mark.parametrize(("order", "flips"), ALL)
def test_nifti_in_every_orientation(order, flips, tmp_path):
    scan = stored(VOLUME, order, flips)
    path = tmp_path / "scan.nii.gz"
    image = nibabel.Nifti1Image(scan.voxels.transpose(), scan.ras)
    image.to_filename(path)

    read = format_of(path).read(path)
    prepared = prepare(read, Objects.of_boxes("scan", stored_box(order, flips)))
    np.testing.assert_array_equal(prepared.case.pixels, VOLUME)
    np.testing.assert_array_equal(prepared.case.boxes, BOX)
    np.testing.assert_allclose(prepared.case.spacing, [1.2, 1.0, 1.4], rtol=1e-6)

    result = tmp_path / "result.nii.gz"
    FORMATS["nifti"].write(result, prepared.restore(DRAWN), read, ("", ""))
    written = nibabel.load(result)
    np.testing.assert_allclose(written.affine, image.affine, atol=1e-4)
    labels = np.asarray(written.dataobj).transpose()
    for number in (1, 2):
        places = world(labels == number, np.diag([-1, -1, 1, 1]) @ written.affine)
        np.testing.assert_allclose(places, expected(number), atol=1e-3)


@pytest.mark.parametrize(("order", "flips"), ALL)
def test_dicom_in_every_orientation(order, flips, tmp_path):
    scan = stored(VOLUME, order, flips)
    write_series(tmp_path / "series", scan, seed=len(ALL))

    read = format_of(tmp_path / "series").read(tmp_path / "series")
    view = read.view()
    np.testing.assert_array_equal(prepare(read, Objects.of_boxes("scan", np.zeros((1, 6)))).case.pixels, VOLUME)

    result = tmp_path / "result.dcm"
    FORMATS["dicom"].write(result, view.restore(DRAWN), read, ("first", "second"))
    frames = read_segmentation(result)
    for number in (1, 2):
        places = np.array(sorted(tuple(p) for segment, found in frames if segment == number for p in found))
        np.testing.assert_allclose(places, expected(number), atol=1e-3)
    np.testing.assert_array_equal(FORMATS["dicom"].read_mask(result, read).labels, view.restore(DRAWN))


def test_an_oblique_volume_goes_by_its_closest_axes(tmp_path):
    scan = oblique(VOLUME)
    image = nibabel.Nifti1Image(scan.voxels.transpose(), scan.ras)
    path = tmp_path / "oblique.nii"
    image.to_filename(path)
    read = format_of(path).read(path)
    assert read.view() == View.identity(read.grid)
    FORMATS["nifti"].write(tmp_path / "mask.nii", DRAWN, read, ())
    np.testing.assert_allclose(nibabel.load(tmp_path / "mask.nii").affine, image.affine, atol=1e-4)

    write_series(tmp_path / "series", scan)
    series = format_of(tmp_path / "series").read(tmp_path / "series")
    np.testing.assert_allclose(series.geometry.affine, scan.ras, atol=1e-4)
    assert series.view() == View.identity(series.grid)
