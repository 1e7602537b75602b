"""Folders of DICOM files: one series each, whole and in order."""

import shutil

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from synthetic_scans import ROOT, dicom_image, phantom, stored, write_series

from litemedsam import LiteMedSamError


def read(path, frame=None):
    return format_of(path).read(path, frame)


def refusal(path, frame=None):
    with pytest.raises(LiteMedSamError) as error:
        prepare(read(path, frame), Objects.of_boxes("scan", np.array([[0.0, 0, 0, 1, 1, 0]])))
    assert "\n" not in str(error.value)
    return str(error.value)


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
    shutil.copy(twice / paths[0].name, twice / "copy")
    assert "same place" in refusal(twice)

    cut = tmp_path / "cut.dcm"
    cut.write_bytes(paths[0].read_bytes()[:-20])
    assert "damaged" in refusal(cut)
    cut.write_bytes(paths[0].read_bytes()[:300])
    assert "cut off" in refusal(cut)

    localizer = tmp_path / "localizer"
    shutil.copytree(twice, localizer, ignore=shutil.ignore_patterns("copy"))
    dicom_image(phantom(1, 4, 9)[0], 77).save_as(localizer / "scout")
    assert "localizers" in refusal(localizer)

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "without DICOM" in refusal(empty)


def refused(path, words, frame=None, kind=None):
    with pytest.raises(LiteMedSamError) as error:
        (format_of(path) if kind is None else FORMATS[kind]).read(path, frame)
    assert words in str(error.value), str(error.value)


def test_dicom_series(tmp_path):
    scan = stored(phantom(4, 8, 10), (0, 1, 2), (False, False, False))
    folder = tmp_path / "series"
    paths = write_series(folder, scan)
    refused(folder, "a series of single images has no frames; leave --frame out", frame=1)

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
        ({"SeriesInstanceUID": "1.2.3"}, "holds 2 series"),
        ({"Rows": 4}, "10 × 4 pixels in a series of 10 × 8"),
    ):
        changed(paths[2], **changes)
        with pytest.raises(LiteMedSamError) as error:
            Dicom().read(folder)
        assert words in str(error.value) or "10 × 8 pixels in a series of 10 × 4" in str(error.value)
        paths[2].write_bytes(whole[paths[2]])
    for path in paths:
        changed(path, Modality="SEG")
    refused(folder, "holds no DICOM images")
    refused(paths[0], "a segmentation, expected an image")
