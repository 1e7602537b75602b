"""NIfTI files: what is read, written and refused."""

import gzip
import os
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from scan_files import block, read, refusal, refused, save
from synthetic_scans import oblique, phantom, stored, write_series

NIBABEL = Path(find_spec("nibabel").origin).parent / "tests" / "data"


@pytest.fixture
def series(tmp_path):
    folder = tmp_path / "series"
    return folder, write_series(folder, stored(phantom(5, 8, 9), (0, 1, 2), (False,) * 3))


def test_bad_nifti_is_refused_in_one_line(tmp_path):
    volume = phantom(4, 5, 6).transpose()
    holes = volume.astype(np.float32)
    holes[1, 1, 1] = np.nan
    assert "1 of 120 voxels are NaN" in refusal(save(tmp_path / "nan.nii", holes))

    if NIBABEL.is_dir():
        assert "153 of 1071 voxels are NaN" in refusal(NIBABEL / "resampled_anat_moved.nii")
    series = save(tmp_path / "series.nii", np.stack([volume, volume], axis=-1))
    assert "--frame 0 to 1" in refusal(series)
    assert "no frame 2" in refusal(series, 2)

    good = save(tmp_path / "good.nii.gz", np.random.default_rng(0).integers(0, 255, (20, 20, 20), np.uint8))
    for keep in (30, 400, 2000):
        cut = tmp_path / f"cut{keep}.nii.gz"
        cut.write_bytes(good.read_bytes()[:keep])
        assert "damaged" in refusal(cut)
    flat = tmp_path / "flat.nii"
    flat.write_bytes(gzip.decompress(good.read_bytes())[:1000])
    assert "damaged" in refusal(flat)
    (tmp_path / "text.nii").write_text("hello")
    assert "damaged" in refusal(tmp_path / "text.nii")
    assert "real numbers" in refusal(save(tmp_path / "complex.nii", volume.astype(np.complex64)))
    assert "cannot be read" in refusal(tmp_path / "absent.nii")


def test_nifti_intensities_units_and_colours(tmp_path):
    hounsfield = np.full((6, 5, 4), -1000, np.int16)
    hounsfield[2:4] = 40
    path = save(tmp_path / "ct.nii.gz", hounsfield)
    prepared = prepare(read(path), Objects.of_boxes("scan", np.array([[0.0, 0, 0, 1, 1, 1]])))
    assert set(np.unique(prepared.case.pixels)) == {0, 128}
    assert "Hounsfield" in prepared.notes[0]

    scaled = nibabel.Nifti1Image(hounsfield, np.eye(4))
    scaled.header.set_slope_inter(0.5, 10)
    assert read(path).voxels.min() == -1000

    metres = save(tmp_path / "metres.nii", hounsfield, np.diag([0.002, 0.002, 0.003, 1]), xyzt_units=1)
    np.testing.assert_allclose(read(metres).spacing, [2, 2, 3], rtol=1e-5)

    colours = np.zeros((6, 5, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"][1, 2, 3] = 9
    scan = read(save(tmp_path / "rgb.nii", colours))
    assert scan.voxels.shape == (4, 5, 6, 3)
    assert scan.voxels[3, 2, 1].tolist() == [0, 9, 0]
    assert scan.grid == (4, 5, 6)


def test_label_types_grow_with_the_objects(tmp_path):
    scan = read(save(tmp_path / "scan.nii.gz", phantom(4, 5, 6).transpose()))
    for dtype in (np.uint8, np.uint16, np.uint32):
        FORMATS["nifti"].write(tmp_path / "mask.nii.gz", block(scan).astype(dtype), scan, ())
        first = (tmp_path / "mask.nii.gz").read_bytes()
        assert nibabel.load(tmp_path / "mask.nii.gz").get_data_dtype() == dtype
        FORMATS["nifti"].write(tmp_path / "mask.nii.gz", block(scan).astype(dtype), scan, ())
        assert (tmp_path / "mask.nii.gz").read_bytes() == first


def test_oblique_dicom_goes_to_nifti_with_its_geometry(tmp_path):
    source = oblique(phantom(4, 6, 7))
    write_series(tmp_path / "series", source)
    scan = read(tmp_path / "series")
    FORMATS["nifti"].write(tmp_path / "mask.nii.gz", block(scan), scan, ["x"])
    mask = nibabel.load(tmp_path / "mask.nii.gz")
    np.testing.assert_allclose(mask.affine, source.ras, atol=1e-4)
    np.testing.assert_allclose(mask.get_qform(), source.ras, atol=1e-4)


def test_nifti_files(tmp_path):
    path = tmp_path / "a.nii"

    def written(array, affine=None, suffix=".nii", **header):
        image = nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine)
        for key, value in header.items():
            image.header[key] = value
        (tmp_path / f"a{suffix}").write_bytes(image.to_bytes())

    written(np.zeros((2, 2, 2, 2, 2), np.uint8))
    refused(path, "has shape (2, 2, 2, 2, 2)")
    written(np.zeros((2, 2, 2), np.complex64))
    refused(path, "holds complex64 values, expected real numbers or RGB")
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), None)
    image.set_sform(np.diag([1.0, 1, 0, 1]), 1)
    path.write_bytes(image.to_bytes())
    refused(path, "its affine has no inverse")
    image.header["vox_offset"] = 1e9
    path.write_bytes(bytes(image.header.binaryblock) + bytes(100))
    refused(path, "data from byte 1e+09 on")
    second = nibabel.Nifti2Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).header
    second["vox_offset"] = -5
    path.write_bytes(bytes(second.binaryblock) + bytes(100))
    refused(path, "data from byte -5 on")
    frames = nibabel.Nifti1Image(np.zeros((2, 2, 2, 3), np.uint8), np.eye(4))
    path.write_bytes(frames.to_bytes())
    refused(path, "holds 3 volumes; choose one with --frame 0 to 2")
    refused(path, "has no frame 3", frame=3)
    (tmp_path / "b.nii.gz").write_bytes(b"\x1f\x8b" + bytes(50))
    refused(tmp_path / "b.nii.gz", "not a NIfTI file")
    nibabel.MGHImage(np.zeros((2, 2, 2), np.float32), np.eye(4)).to_filename(tmp_path / "c.mgz")
    os.rename(tmp_path / "c.mgz", tmp_path / "c.nii.gz")
    refused(tmp_path / "c.nii.gz", "NIfTI", kind="nifti")


@pytest.mark.parametrize("shape", [(4, 5, 6, 1), (4, 5, 6, 1, 1), (4, 5, 1, 1, 1), (4, 5, 6, 1, 1, 1), (4, 5)])
def test_trailing_axes_of_length_one_are_dropped(tmp_path, shape):
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    image = nibabel.Nifti1Image(values, np.diag([2.0, 2, 2, 1]))
    image.to_filename(tmp_path / "a.nii.gz")
    scan = read(tmp_path / "a.nii.gz")
    whole = (*shape, 1)[:3]
    assert scan.grid == whole[::-1]
    np.testing.assert_array_equal(scan.voxels, values.reshape(whole).transpose())
    FORMATS["nifti"].write(tmp_path / "b.nii.gz", block(scan), scan, ())
    written = nibabel.load(tmp_path / "b.nii.gz")
    assert written.shape == shape[:3]
    np.testing.assert_array_equal(np.asarray(written.dataobj).reshape(whole), block(scan).transpose())
    np.testing.assert_array_equal(FORMATS["nifti"].read_mask(tmp_path / "b.nii.gz", scan).labels, block(scan))


def test_time_points_behind_axes_of_length_one(tmp_path):
    values = np.arange(4 * 5 * 6 * 3, dtype=np.int16).reshape(4, 5, 6, 3, 1)
    save(tmp_path / "a.nii", values)
    refused(tmp_path / "a.nii", "holds 3 volumes; choose one with --frame 0 to 2")
    np.testing.assert_array_equal(read(tmp_path / "a.nii", 2).voxels, values[..., 2, 0].transpose())


def test_nifti_under_another_name_is_read_by_its_content(tmp_path):
    import gzip

    content = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4)).to_bytes()
    (tmp_path / "a.dat").write_bytes(content)
    (tmp_path / "b.dat").write_bytes(gzip.compress(content))
    for name in ("a.dat", "b.dat"):
        voxels = format_of(tmp_path / name).read(tmp_path / name).voxels
        np.testing.assert_array_equal(voxels.transpose(), np.arange(8).reshape(2, 2, 2))
