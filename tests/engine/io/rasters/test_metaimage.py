"""MHA and MHD files, compared with ITK's reader and writer."""

import zlib

import numpy as np
import pytest
import SimpleITK
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.scan.scan import Scan
from scan_files import content_refusal as refusal
from scan_files import read_content as read
from synthetic_scans import phantom

VOLUME = phantom(4, 5, 6)
LABELS = (VOLUME == 200).astype(np.uint8)


def header(sizes=(6, 5, 4), kind="MET_UCHAR", data="LOCAL", **entries):
    lines = {"ObjectType": "Image", "NDims": len(sizes), "BinaryData": True, **entries}
    lines |= {"DimSize": " ".join(map(str, sizes)), "ElementType": kind, "ElementDataFile": data}
    return "".join(f"{name} = {value}\n" for name, value in lines.items()).encode()


@pytest.mark.parametrize("storage", ["raw", "packed", "text", "big"])
@pytest.mark.parametrize(
    "kind", ["MET_CHAR", "MET_UCHAR", "MET_SHORT", "MET_ULONG", "MET_LONG_LONG", "MET_FLOAT", "MET_DOUBLE"]
)
def test_storages_and_types(tmp_path, storage, kind):
    from litemedsam.engine.io.rasters.metaimage import _TYPES

    values = (VOLUME // 2).astype(_TYPES[kind])
    data, entries = values.astype(values.dtype.newbyteorder("<")).tobytes(), {}
    if storage == "packed":
        data, entries = zlib.compress(data), {"CompressedData": True}
    elif storage == "text":
        data, entries = " ".join(str(value) for value in values.ravel()).encode(), {"BinaryData": False}
    elif storage == "big":
        data, entries = values.astype(values.dtype.newbyteorder(">")).tobytes(), {"BinaryDataByteOrderMSB": True}
    scan = read(tmp_path / "a.mha", header(kind=kind, **entries) + data)
    assert scan.voxels.dtype == values.dtype
    np.testing.assert_array_equal(scan.voxels, values)


@pytest.mark.parametrize("components", [3, 4])
def test_colours(tmp_path, components):
    colours = np.stack([VOLUME, VOLUME // 2, 255 - VOLUME, VOLUME][:components], -1)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(colours, isVector=True), str(tmp_path / "a.mha"))
    scan = read(tmp_path / "a.mha")
    assert scan.coloured
    np.testing.assert_array_equal(scan.voxels, colours[..., :3])


def test_series_and_images(tmp_path):
    frames = np.stack([VOLUME, VOLUME // 2, VOLUME // 3])
    content = header((6, 5, 4, 3), ElementSpacing="2 3 4 1", Offset="1 2 3 0") + frames.tobytes()
    assert "holds 3 volumes; choose one with --frame 0 to 2" in refusal(tmp_path / "a.mha", content)
    scan = read(tmp_path / "a.mha", content, 2)
    np.testing.assert_array_equal(scan.voxels, frames[2])
    np.testing.assert_array_equal(scan.spacing, [2, 3, 4])
    single = read(tmp_path / "a.mha", header((6, 5, 4, 1)) + VOLUME.tobytes())
    assert single.grid == (4, 5, 6)
    flat = read(tmp_path / "a.mha", header((6, 5), ElementSpacing="0.5 0.25", Offset="1 2") + VOLUME[0].tobytes())
    assert (flat.is_volume, flat.grid, flat.geometry) == (False, (5, 6), None)
    np.testing.assert_array_equal(flat.spacing, [0.5, 0.25])
    FORMATS["mha"].write(tmp_path / "b.mha", LABELS[0], flat, ())
    image = SimpleITK.ReadImage(str(tmp_path / "b.mha"))
    assert (image.GetSpacing(), image.GetOrigin()) == ((0.5, 0.25), (1, 2))
    np.testing.assert_array_equal(FORMATS["mha"].read_mask(tmp_path / "b.mha", flat).labels, LABELS[0])


def test_voxels_in_a_file_beside_the_header(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.raw").write_bytes(b"##" + VOLUME.tobytes())
    (tmp_path / "secret.raw").write_bytes(VOLUME.tobytes())
    for skip in (2, -1):
        np.testing.assert_array_equal(read(folder / "a.mhd", header(data="a.raw", HeaderSize=skip)).voxels, VOLUME)
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    for name in ("../secret.raw", str(tmp_path / "secret.raw"), "link.raw", "..\\secret.raw", "a.mhd"):
        assert "expected one in the same folder" in refusal(folder / "a.mhd", header(data=name))
    assert "which is not beside it; copy both files" in refusal(folder / "a.mhd", header(data="none.raw"))
    for name in ("LIST", "a%03d.raw 1 4 1"):
        assert "in several files, expected one; save it as .mha" in refusal(folder / "a.mhd", header(data=name))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header() + bytes(100), "100 bytes of voxels, expected 120"),
        (header(CompressedData=True) + zlib.compress(bytes(100)), "100 bytes of voxels, expected 120"),
        (header(CompressedData=True) + b"x" * 100, "not a MetaImage, or a damaged one"),
        (header(kind="MET_STRING"), "voxels of 'MET_STRING', which is no type of number"),
        (header((60000, 60000, 60000)), "declare 216000000 MB of data"),
        (header((6, 0, 4)), "expected positive numbers"),
        (header((6,)), "has the size [6] in 1 dimensions, expected 2 to 4"),
        (header(ElementNumberOfChannels=2) + bytes(240), "holds 2 values of uint8 per voxel"),
        (header(TransformMatrix="1 0 0 0 1 0 0 0 0") + bytes(120), "no inverse"),
        (header(Offset="1 2") + bytes(120), "Offset of 2 numbers, expected 3"),
        (header(ElementSpacing="1 2 nan") + bytes(120), "damaged"),
        (b"ObjectType = Image\nNDims = 3\n", "no ElementDataFile"),
        (b"ObjectType = Image\nwhat is this\n", "a header line without ="),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, content, words):
    assert words in refusal(tmp_path / "a.mha", content)


def test_results_of_other_formats(tmp_path):
    for spacing, expected in ((None, (1, 1, 1)), (np.array([0.5, 1.25, 3.0]), (0.5, 1.25, 3))):
        FORMATS["mha"].write(tmp_path / "a.mha", LABELS, Scan("a", VOLUME, True, spacing=spacing), ("x",))
        image = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
        assert image.GetSpacing() == expected
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), LABELS)
    for dtype in (np.uint16, np.uint32):
        FORMATS["mha"].write(tmp_path / "a.mha", LABELS.astype(dtype) * 300, Scan("a", VOLUME, True), ())
        found = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "a.mha")))
        np.testing.assert_array_equal(found, LABELS.astype(dtype) * 300)
        assert found.dtype == dtype


def test_a_comment_may_come_first(tmp_path):
    scan = read(tmp_path / "a.bin", b"Comment = made by hand\n" + header() + VOLUME.tobytes())
    np.testing.assert_array_equal(scan.voxels, VOLUME)
