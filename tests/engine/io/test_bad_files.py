"""What each format refuses, with what it says."""

import io
import os
import struct
import zipfile
import zlib

import nibabel
import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom, holds_dicom
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.sources import GivenBoxes, MaskBoxes, StoredBoxes, read_mask
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Objects, Scan, prepare
from PIL import Image
from synthetic_scans import dicom_image, phantom, stored, write_series

from litemedsam import LiteMedSamError
from litemedsam.archive import BoundedReader, check_unpacked, open_archive

PIXELS = phantom(1, 8, 10)[0]


def refused(path, words, frame=None, kind=None):
    with pytest.raises(LiteMedSamError) as error:
        (format_of(path) if kind is None else FORMATS[kind]).read(path, frame)
    assert words in str(error.value), str(error.value)


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def archive(path, method=zipfile.ZIP_DEFLATED, **entries):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name.replace("_npy", ".npy"), content)
    return path


def test_archives_are_read_by_key_and_checked(tmp_path):
    path = archive(tmp_path / "a.npz", a_npy=npy(PIXELS), b_npy=npy(PIXELS, (2, 0)), c=b"text")
    with open_archive(path) as arrays:
        assert arrays.keys == ("a", "b", "c")
        assert arrays.nbytes("a") == 80 + 128
        np.testing.assert_array_equal(arrays.read("a"), PIXELS)
        np.testing.assert_array_equal(arrays.read("b"), PIXELS)
        with pytest.raises(LiteMedSamError, match="c is not a NumPy array"):
            arrays.read("c")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(PIXELS)[:-1], "do not fit 79 bytes"),
        (npy(PIXELS) + b"\0", "do not fit 81 bytes"),
        (npy(PIXELS).replace(b"(8, 10)", b"(-8,10)"), "shape (-8, 10)"),
        (npy(PIXELS, (3, 0)), "format version (3, 0)"),
        (npy(np.zeros(3, "S0")).replace(b"S1", b"S0").replace(b"(3,)", b"(9,)"), "damaged"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"-" * 9000, "damaged"),
        (b"", "damaged"),
    ],
)
def test_arrays_that_do_not_fit_their_headers(tmp_path, content, words):
    with open_archive(archive(tmp_path / "a.npz", a_npy=content)) as arrays, pytest.raises(LiteMedSamError) as error:
        arrays.read("a")
    assert words in str(error.value)


def test_other_packings_and_other_files_are_refused(tmp_path):
    path = archive(tmp_path / "a.npz", zipfile.ZIP_LZMA, a_npy=npy(PIXELS))
    with open_archive(path) as arrays, pytest.raises(LiteMedSamError, match="compression method 14"):
        arrays.read("a")
    (tmp_path / "b.npz").write_bytes(npy(PIXELS))
    for name, words in (("b.npz", "a single array"), ("none.npz", r"cannot be read \(No such file")):
        with pytest.raises(LiteMedSamError, match=words), open_archive(tmp_path / name):
            pass


def test_sizes_are_in_proportion():
    check_unpacked("a", 270_000_000, 10)
    check_unpacked("a", 2_000_000_000, 10_000_000)
    for unpacked, packed in ((270_000_001, 10), (2_000_000_001, 10_000_000)):
        with pytest.raises(LiteMedSamError, match="expected at most 200 times the file's size"):
            check_unpacked("a", unpacked, packed)


def test_a_bounded_reader_asks_for_no_more_than_there_is(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with BoundedReader(tmp_path / "a") as file:
        assert file.read(4) == b"0123"
        assert file.read(1 << 60) == b"456789"
        assert file.read() == b""
        file.seek(8)
        assert file.read(None) == b"89"
        file.seek(20)
        assert file.read(5) == b""


def test_files_of_no_kind(tmp_path):
    (tmp_path / "a.txt").write_text("text")
    refused(tmp_path / "a.txt", "a file of unknown kind")
    refused(tmp_path, "a folder without DICOM files")
    refused(tmp_path / "none.png", "cannot be read")
    (tmp_path / "a.NII.GZ").write_text("text")
    refused(tmp_path / "a.NII.GZ", "not a NIfTI file")
    (tmp_path / "a.dcm").write_bytes(b"")
    refused(tmp_path / "a.dcm", "holds no image")


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


def test_nifti_under_another_name_is_read_by_its_content(tmp_path):
    import gzip

    content = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4)).to_bytes()
    (tmp_path / "a.dat").write_bytes(content)
    (tmp_path / "b.dat").write_bytes(gzip.compress(content))
    for name in ("a.dat", "b.dat"):
        voxels = format_of(tmp_path / name).read(tmp_path / name).voxels
        np.testing.assert_array_equal(voxels.transpose(), np.arange(8).reshape(2, 2, 2))


def test_pictures(tmp_path):
    pages = [Image.new("L", (4, 5)), Image.new("L", (5, 4))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    refused(tmp_path / "a.tif", "its pages differ in size; choose one with --frame")
    assert format_of(tmp_path / "a.tif").read(tmp_path / "a.tif", 1).voxels.shape == (4, 5)
    refused(tmp_path / "a.tif", "has no page 2, expected 0 to 1", frame=2)
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    data = struct.pack(">I", 10) + b"IDAT" + bytes(14)
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + data)
    refused(tmp_path / "b.png", "too large a picture")
    scan = Scan("a", PIXELS, False)
    with pytest.raises(LiteMedSamError, match="a picture holds at most 65535 objects"):
        FORMATS["png"].write(tmp_path / "c.png", PIXELS.astype(np.uint32), scan, ())


def test_dicom_files(tmp_path):
    path = tmp_path / "a.dcm"

    def written(**changes):
        image = dicom_image(PIXELS)
        for key, value in changes.items():
            setattr(image, key, value)
        image.save_as(path)
        return path

    refused(written(Rows=-1 & 0xFFFF, Columns=60000), "declare")
    refused(written(NumberOfFrames=-3), "a negative size")
    # Beyond 32 bits, whole numbers become floats.
    voxels = Dicom().read(written(RescaleSlope="1e9", RescaleIntercept="0")).voxels
    np.testing.assert_allclose(voxels, PIXELS * 1e9, rtol=1e-6)
    assert Dicom().read(written(RescaleSlope="3", RescaleIntercept="-7")).voxels.dtype == np.int32
    refused(written(), "has no frame 4, expected 0 to 0", frame=4)
    path.write_bytes(written().read_bytes()[:200])
    refused(path, "holds no image")
    flat = dicom_image(PIXELS)
    flat.PixelSpacing = [0, 0]
    flat.ImagePositionPatient, flat.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    flat.save_as(path)
    read = Dicom().read(path)
    assert read.geometry is None
    assert read.spacing is None
    assert holds_dicom(tmp_path)


def test_a_lookup_table_is_applied(tmp_path):
    image = dicom_image(np.zeros((4, 4), np.uint8) + np.arange(4, dtype=np.uint8))
    table = pydicom.Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 0, 16], "US"
    table["LUTDescriptor"].VR = "US"
    table.add_new("LUTData", "US", [10, 30, 20, 500])
    del image.RescaleSlope, image.RescaleIntercept
    image.ModalityLUTSequence = [table]
    image.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(Dicom().read(tmp_path / "a.dcm").voxels, [[10, 30, 20, 500]] * 4)


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


def test_segments_belong_to_their_scan(tmp_path):
    folder = tmp_path / "series"
    write_series(folder, stored(phantom(3, 8, 10), (0, 1, 2), (False, False, False)))
    scan = Dicom().read(folder)
    labels = (scan.voxels > 100).astype(np.uint8)
    path = tmp_path / "mask.dcm"
    Dicom().write(path, labels, scan, ("a",))
    np.testing.assert_array_equal(read_mask(path, scan).labels, labels)
    flat = Scan("flat", PIXELS, False)
    moved = Scan(
        "moved", scan.voxels, True, Geometry(scan.geometry.affine + np.diag([0, 0, 0, 0]) + np.eye(4, k=3) * 0.4)
    )
    for other, words in ((flat, "does not say where it lies"), (moved, "lies on another grid")):
        with pytest.raises(LiteMedSamError, match=words):
            Dicom().read_mask(path, other)
    smaller = Scan("smaller", scan.voxels[:, :4], True, scan.geometry)
    with pytest.raises(LiteMedSamError, match="its frames are not slices of the scan"):
        Dicom().read_mask(path, smaller)
    dicom_image(PIXELS).save_as(tmp_path / "b.dcm")
    with pytest.raises(LiteMedSamError, match="not a DICOM SEG"):
        Dicom().read_mask(tmp_path / "b.dcm", scan)
    with pytest.raises(LiteMedSamError, match="a DICOM SEG holds at most 65535 segments"):
        Dicom().write(path, labels.astype(np.uint32), scan, ())


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
            assert read_mask(path, scan).labels.dtype.kind in "iu"
            np.testing.assert_array_equal(read_mask(path, scan).labels, array.astype(int))
        else:
            with pytest.raises(LiteMedSamError, match="expected labels"):
                read_mask(path, scan)
    np.savez(path, imgs=PIXELS)
    with pytest.raises(LiteMedSamError, match="lacks a mask; expected the key gts or segs"):
        read_mask(path, scan)


def test_too_many_objects_of_a_mask(tmp_path, monkeypatch):
    from litemedsam.engine.objects import sources as boxes

    monkeypatch.setattr(boxes, "LARGEST_NUMBER", 3)
    scan = Scan("scan", np.zeros((9, 9), np.uint8), False)
    dots = np.zeros((9, 9), np.uint8)
    dots[::4, ::4] = 1
    np.savez(tmp_path / "a.npz", segs=dots)
    with pytest.raises(LiteMedSamError, match="more than 3 objects; clean the mask from noise first"):
        MaskBoxes(tmp_path / "a.npz", pieces=True).objects(tmp_path / "scan", scan)


def test_boxes_that_need_more_than_the_scan_tells(tmp_path):
    scan = Scan("scan", np.zeros((3, 4, 5), np.uint8), True, Geometry(np.eye(4)))
    with pytest.raises(LiteMedSamError, match="a box of 4 numbers, expected 6 in millimetres"):
        GivenBoxes([[1, 1, 2, 2]], world=True).objects(tmp_path, scan)
    with pytest.raises(LiteMedSamError, match="outside the scan of 5 × 4 × 3 voxels"):
        GivenBoxes([[1, 1, 1, 2, 9, 2]], world=True).objects(tmp_path, scan)
    np.savez(tmp_path / "a.npz", imgs=PIXELS)
    read = format_of(tmp_path / "a.npz").read(tmp_path / "a.npz")
    with pytest.raises(LiteMedSamError, match="lacks boxes; expected the keys imgs, boxes, got imgs"):
        StoredBoxes().objects(tmp_path / "a.npz", read)


def test_values_without_a_window():
    from litemedsam.engine.scan.intensity import Unchanged, scaling_named

    floats = np.float32([[0.4, 254.6], [100.5, 7]])
    np.testing.assert_array_equal(Unchanged().pixels("a", floats), [[0, 255], [100, 7]])
    np.testing.assert_array_equal(Unchanged().pixels("a", np.int16([[0, 255]])), [[0, 255]])
    for bad in (np.int16([[-1, 4]]), np.int16([[0, 256]])):
        with pytest.raises(LiteMedSamError, match=r"expected 0\.\.255 without a window; choose another --window"):
            scaling_named("none").pixels("a", bad)


def test_strokes_of_another_shape_and_of_no_object():
    from litemedsam.engine.inference.prompt import AutomaticPrompts
    from litemedsam.engine.objects.placed import placed_prompts
    from small_bundle import INFO

    scan = Scan("scan", PIXELS, False)
    prepared = prepare(scan, Objects(np.array([[1, 1, 6, 6]]), scribbles=np.zeros((2, 2), np.uint8)))
    with pytest.raises(LiteMedSamError, match=r"scribbles have shape \(2, 2\), expected \(8, 10\)"):
        placed_prompts(prepared, AutomaticPrompts(), INFO)
    strokes = np.zeros((8, 10), np.uint8)
    strokes[2, 2] = 5
    prepared = prepare(scan, Objects(np.array([[1, 1, 6, 6]]), scribbles=strokes))
    with pytest.raises(LiteMedSamError, match="a scribble of object 5, of which there is no box"):
        placed_prompts(prepared, AutomaticPrompts(), INFO)
