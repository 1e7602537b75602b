"""A file's format is found by its content, a result's by its name."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from litemedsam.engine.io.formats import (
    FORMATS,
    SUFFIXES,
    format_by_suffix,
    format_for_result,
    format_of,
    has_known_suffix,
    result_name,
)
from litemedsam.engine.scan.scan import Scan
from scan_files import read, refused, save
from synthetic_scans import dicom_image, phantom

from litemedsam import LiteMedSamError


def test_files_of_no_kind(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    refused(tmp_path / "a.txt", "a file of unknown kind")
    refused(tmp_path, "a folder without DICOM files")
    refused(tmp_path / "none.png", "cannot be read")
    (tmp_path / "a.NII.GZ").write_text("text")
    refused(tmp_path / "a.NII.GZ", "not a NIfTI file")
    (tmp_path / "a.dcm").write_bytes(b"")
    refused(tmp_path / "a.dcm", "contains no image")


def test_the_content_decides_not_the_name(tmp_path):
    volume = phantom(4, 5, 6)
    for name, other in (("a.nii.gz", "b.nii"), ("c.nii", "d.nii.gz"), ("e.nii.gz", "f.dcm"), ("g.nii", "h")):
        (save(tmp_path / name, volume.transpose())).rename(tmp_path / other)
        scan = read(tmp_path / other)
        np.testing.assert_array_equal(scan.voxels, volume)
        assert format_of(tmp_path / other).name == "nifti"
    dicom_image(volume[0]).save_as(tmp_path / "i.png")
    np.testing.assert_array_equal(read(tmp_path / "i.png").voxels, volume[0])
    assert result_name(tmp_path / "i.png", FORMATS["dicom"]) == "i.dcm"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.npz", "npz"),
        ("a.nii", "nifti"),
        ("scan.v2.NII.GZ", "nifti"),
        ("a.dcm", "dicom"),
        ("a.png", "png"),
        ("a.TIFF", "png"),
    ],
)
def test_the_name_of_a_result_says_its_format(name, kind):
    for usual in (None, *FORMATS.values()):
        assert format_for_result(Path(name), usual) is FORMATS[kind]


def test_names_that_no_result_may_have():
    for name in ("a.txt", "a", "a.hdr", "a.jpg", "a.gz"):
        for usual in (None, FORMATS["nifti"]):
            with pytest.raises(LiteMedSamError) as error:
                format_for_result(Path("out") / name, usual)
            assert f"out/{name}: no format of results has this suffix, expected one of: .nii.gz, .nii, .npz" in str(
                error.value
            )
    assert format_for_result(Path("a"), FORMATS["slices"]) is FORMATS["slices"]
    with pytest.raises(LiteMedSamError, match="no format of results"):
        format_for_result(Path("a.bmp"), FORMATS["slices"])


def test_every_suffix_belongs_to_one_format_and_can_be_searched_for():
    assert len(set(SUFFIXES)) == len(SUFFIXES)
    for kind in FORMATS.values():
        assert set(kind.result_suffixes) <= set(kind.suffixes)
        for suffix in kind.suffixes:
            assert format_by_suffix(Path(f"a{suffix.upper()}")) is kind
            assert has_known_suffix(Path(f"a{suffix}"))
    assert format_by_suffix(Path("a.txt")) is None
    assert not has_known_suffix(Path("a.txt"))


@pytest.mark.parametrize("module", ["npz", "formats"])
def test_reading_files_loads_neither_the_network_nor_opencv(module):
    code = f"""
import sys, litemedsam.engine.io.{module}
rooms = ("litemedsam.engine.inference", "litemedsam.engine.backends", "litemedsam.engine.objects")
heavy = ("cv2", "openvino", "onnxruntime", "torch", "nibabel", "pydicom", "highdicom", "PIL", "click")
print([name for name in sys.modules if name.startswith(rooms) or name in heavy])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_every_format_says_before_computing_what_it_cannot_contain(kind, tmp_path):
    flat = Scan("scan", np.zeros((4, 5), np.uint8), False)
    path = tmp_path / f"result{(*kind.result_suffixes, '')[0]}"
    if kind.name == "dicom":
        with pytest.raises(LiteMedSamError, match="needs DICOM images"):
            kind.check_result(path, flat, ("a",))
    else:
        kind.check_result(path, flat, ("a",))
        kind.write(path, np.ones((4, 5), np.uint8), flat, ("a",))
        assert path.exists()
