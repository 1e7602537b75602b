"""Slices in even and uneven rows."""

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.dicom.planes import plane_of
from litemedsam.engine.io.dicom.rows import ordered
from litemedsam.engine.scan.scan import Scan
from scan_files import read
from synthetic_scans import edit_series, phantom, stored, write_series

from litemedsam import LiteMedSamError


def planes(places, decimals=None, direction=(0, 0, 1)):
    """Axial planes whose places along z are stored with so many decimals; others move along a direction."""
    found = []
    for place in places:
        image = pydicom.Dataset()
        where = np.array(direction, float) * place
        image.ImagePositionPatient = [f"{v:.{decimals}f}" if decimals is not None else float(v) for v in where]
        image.ImageOrientationPatient, image.PixelSpacing = [1, 0, 0, 0, 1, 0], [1, 1]
        found.append(plane_of(image, image, image))
    return found


@pytest.mark.parametrize(
    ("spacing", "decimals"), [(0.625, 1), (0.625, 2), (0.25, 1), (1.25, 1), (0.3333333, 1), (2.5, 0), (0.06, 2)]
)
@pytest.mark.parametrize("count", [2, 3, 7, 250])
def test_rounded_places_are_an_even_row(spacing, decimals, count):
    for start in (0, -13.37, 101.02):
        row = ordered("a", planes(start + spacing * np.arange(count), decimals), 1)
        assert row.order == list(range(count))
        assert row.notes == ()
        # Ends that are rounded apart are one unit longer or shorter at most.
        assert abs(row.geometry.spacing[2] - spacing) <= 10.0**-decimals / (count - 1) + 1e-9
        assert abs(row.geometry.affine[2, 3] - start) <= 10.0**-decimals


def test_rounded_places_of_a_tilted_row():
    places = planes(0.625 * np.arange(40), 1, (0, 0.3, 1))
    row = ordered("a", places, 1)
    np.testing.assert_allclose(row.geometry.affine[:3, 2], [0, -0.3 * 0.625, 0.625], atol=1e-3)


@pytest.mark.parametrize(("spacing", "decimals"), [(0.625, 1), (1, 0), (2, 0), (0.5, 1), (3, 4)])
@pytest.mark.parametrize("count", [4, 30, 300])
def test_a_lost_slice_is_no_rounding(spacing, decimals, count):
    for lost in {1, count // 2, count - 2}:
        places = np.delete(spacing * np.arange(count), lost)
        with pytest.raises(LiteMedSamError, match=r"1 slice missing|uneven|even row"):
            ordered("a", planes(places, decimals), 1)


def test_an_exact_row_keeps_its_exact_place():
    row = ordered("a", planes([0.1, 0.4, 0.7, 1.0]), 1)
    assert row.geometry.affine[2, 3] == 0.1


def test_rounded_positions_of_a_series_are_read(tmp_path):
    scan = stored(phantom(9, 8, 10), (0, 1, 2), (False,) * 3)
    affine = scan.affine.copy()
    affine[2, 2], affine[2, 3] = 0.625, -100.25
    paths = write_series(tmp_path / "series", type(scan)(scan.voxels, affine))

    def edit(image):
        image.ImagePositionPatient = [f"{float(value):.1f}" for value in image.ImagePositionPatient]

    edit_series(paths, edit)
    read_back = read(tmp_path / "series")
    assert read_back.spacing[2] == pytest.approx(0.625, abs=0.01)
    np.testing.assert_array_equal(read_back.voxels, scan.voxels)


@pytest.mark.parametrize(
    ("places", "step", "words"),
    [
        ([0, 2, 4, 8, 10], 2, "1 slice missing between slices 2 and 3 (4 mm, usually 2)"),
        ([0, 2, 4, 10.5, 12.5], 2, "2 slices missing"),
        ([0, 2, 4, 6.7, 8.7], 2, "an uneven distance between slices 2 and 3"),
    ],
)
def test_uneven_slices_are_taken_on_request(tmp_path, places, step, words):
    scan = stored(phantom(5, 8, 10), (0, 1, 2), (False,) * 3)
    paths = write_series(tmp_path / "series", scan)
    start = scan.affine[2, 3]

    def edit(image):
        z = round((float(image.ImagePositionPatient[2]) - start) / scan.affine[2, 2])
        image.ImagePositionPatient = [0, 0, places[z]]

    edit_series(paths, edit)
    with pytest.raises(LiteMedSamError) as error:
        read(tmp_path / "series")
    assert words in str(error.value)
    assert "or add --allow-uneven" in str(error.value)
    uneven = Dicom(allow_uneven=True)
    read_back = uneven.read(tmp_path / "series")
    assert read_back.spacing[2] == pytest.approx(step)
    np.testing.assert_array_equal(read_back.voxels, scan.voxels)
    assert words in read_back.notes[0]
    assert "2 mm are counted for each slice" in read_back.notes[0]

    # A DICOM SEG keeps the true place of each slice, and finds it again.
    labels = np.zeros(read_back.grid, np.uint8)
    labels[:, 2, 3] = 1
    uneven.write(tmp_path / "seg.dcm", labels, read_back, ("a",))
    frames = pydicom.dcmread(tmp_path / "seg.dcm").PerFrameFunctionalGroupsSequence
    written = [float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) for frame in frames]
    assert sorted(written) == places
    np.testing.assert_array_equal(uneven.read_mask(tmp_path / "seg.dcm", read_back).labels, labels)
    even = Scan("even", read_back.voxels, True, read_back.geometry)
    with pytest.raises(LiteMedSamError, match="another grid"):
        uneven.read_mask(tmp_path / "seg.dcm", even)


def test_an_even_series_is_the_same_with_the_option(tmp_path):
    write_series(tmp_path / "series", stored(phantom(5, 8, 10), (0, 1, 2), (False,) * 3))
    plain, allowed = (Dicom(allow_uneven=allow).read(tmp_path / "series") for allow in (False, True))
    np.testing.assert_array_equal(plain.geometry.affine, allowed.geometry.affine)
    assert allowed.notes == ()


def test_a_gantry_tilt_shears_the_grid(tmp_path):
    plain = stored(phantom(4, 6, 7), (0, 1, 2), (False,) * 3)
    affine = plain.affine.copy()
    affine[1, 2] = 0.5
    paths = write_series(tmp_path / "tilted", type(plain)(plain.voxels, affine))
    assert len(paths) == 4
    scan = read(tmp_path / "tilted")
    np.testing.assert_allclose(scan.geometry.affine, np.diag([-1, -1, 1, 1]) @ affine, atol=1e-4)
    assert scan.geometry.voxel_volume == pytest.approx(1.2 * 1.0 * 1.4)


def test_two_images_at_one_place_are_refused():
    with pytest.raises(LiteMedSamError, match=r"two images at the same place \(2 mm along the normal\) that are not"):
        ordered("a", planes([0, 2, 2, 4]), 1)
