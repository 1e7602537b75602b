"""Series of DICOM files: whole and of one kind, with what is wrong in one line."""

import shutil

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.dicom.series import read_series
from scan_files import refusal, refused
from synthetic_scans import ROOT, dicom_image, phantom, stored, write_series

from litemedsam import LiteMedSamError


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "series"
    return folder, write_series(folder, stored(phantom(5, 8, 9), (0, 1, 2), (False,) * 3))


def test_bad_dicom_is_refused_in_one_line(series, tmp_path):
    folder, paths = series
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    dicom_image(phantom(1, 8, 9)[0], series=ROOT + "9").save_as(mixed / "other")
    assert "2 series" in refusal(mixed)

    paths[2].unlink()
    assert "1 slice missing between slices 1 and 2" in refusal(folder)

    twice = tmp_path / "twice"
    shutil.copytree(mixed, twice, ignore=shutil.ignore_patterns("other"))
    other = pydicom.dcmread(twice / paths[0].name)
    other.PixelData = bytes(len(other.PixelData))
    other.save_as(twice / "copy")
    assert "2 different images at the same place" in refusal(twice)

    cut = tmp_path / "cut.dcm"
    cut.write_bytes(paths[0].read_bytes()[:-20])
    assert "damaged" in refusal(cut)
    cut.write_bytes(paths[0].read_bytes()[:300])
    assert "contains no image" in refusal(cut)

    localizer = tmp_path / "localizer"
    shutil.copytree(twice, localizer, ignore=shutil.ignore_patterns("copy"))
    dicom_image(phantom(1, 4, 9)[0], 77).save_as(localizer / "scout")
    assert "images of one size" in refusal(localizer)

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "without DICOM" in refusal(empty)


def test_dicom_series(tmp_path):
    scan = stored(phantom(4, 8, 10), (0, 1, 2), (False, False, False))
    folder = tmp_path / "series"
    paths = write_series(folder, scan)
    refused(folder, "is a single volume, has no frame 1; leave --frame out", frame=1)

    def changed(path, **changes):
        image = pydicom.dcmread(path)
        for key, value in changes.items():
            if value is None:
                delattr(image, key)
            else:
                setattr(image, key, value)
        image.save_as(path)

    whole = {path: path.read_bytes() for path in paths}
    for changes, words in (
        ({"ImagePositionPatient": None}, "does not say where it lies"),
        ({"NumberOfFrames": 2}, "many frames in a series of several files"),
        ({"ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, "differ in direction or pixel spacing"),
        ({"ImagePositionPatient": [90, 20, -27.2]}, "its slices do not lie in an even row"),
        ({"SeriesInstanceUID": "1.2.3"}, "contains 2 series"),
        ({"Rows": 4}, "10 × 4 pixels in a series of 10 × 8"),
    ):
        changed(paths[2], **changes)
        with pytest.raises(LiteMedSamError) as error:
            Dicom().read(folder)
        assert words in str(error.value) or "10 × 8 pixels in a series of 10 × 4" in str(error.value)
        paths[2].write_bytes(whole[paths[2]])
    for path in paths:
        changed(path, Modality="SEG")
    refused(folder, "contains no DICOM images")
    refused(paths[0], "a segmentation, expected an image")


def test_a_mosaic_is_refused_with_its_remedy(tmp_path):
    image = dicom_image(phantom(1, 8, 9)[0])
    image.ImageType = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    image.save_as(tmp_path / "mosaic.dcm")
    refused(tmp_path / "mosaic.dcm", "a Siemens mosaic", kind="dicom")


def test_of_a_single_file_no_series_is_chosen(tmp_path):
    dicom_image(phantom(1, 8, 9)[0]).save_as(tmp_path / "a.dcm")
    with pytest.raises(LiteMedSamError, match="from which no series is chosen; leave --series out"):
        read_series(tmp_path / "a.dcm", None, "1")


def test_slices_padded_by_the_scanner_stay_padded_in_their_places(tmp_path):
    paths = write_series(tmp_path / "series", stored(phantom(3, 8, 9).astype(np.int16), (0, 1, 2), (False,) * 3))
    top = max(paths, key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    image = pydicom.dcmread(top)
    pixels = image.pixel_array.copy()
    pixels[:2] = -2000
    image.PixelData = pixels.tobytes()
    image.add_new("PixelPaddingValue", "SS", -2000)
    image.save_as(top)
    scan = read_series(tmp_path / "series", None)
    expected = np.zeros((3, 8, 9), bool)
    expected[2, :2] = True
    np.testing.assert_array_equal(scan.padding, expected)
