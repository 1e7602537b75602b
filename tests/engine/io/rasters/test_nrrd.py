"""NRRD files, compared with ITK's reader and writer."""

import gzip

import numpy as np
import pytest
import SimpleITK
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.objects.masks import MaskBoxes
from litemedsam.engine.scan.scan import Scan
from scan_files import content_refusal as refusal
from scan_files import read_content as read
from synthetic_scans import phantom

VOLUME = phantom(4, 5, 6)
LABELS = (VOLUME == 200).astype(np.uint8)
LABELS[0, 0, 0] = 2
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def header(sizes, *lines, kind="uint8", encoding="raw"):
    first = ["NRRD0004", "# made for a test", f"type: {kind}", f"dimension: {len(sizes)}"]
    return "\n".join([*first, f"sizes: {' '.join(map(str, sizes))}", f"encoding: {encoding}", *lines, "\n"]).encode()


PLACED = ("space: left-posterior-superior", "space directions: (2,0,0) (0,3,0) (0,0,4)", "space origin: (10,20,30)")
AFFINE = np.array([[-2.0, 0, 0, -10], [0, -3, 0, -20], [0, 0, 4, 30], [0, 0, 0, 1]])


def test_spaces_and_units(tmp_path):
    data = VOLUME.tobytes()
    np.testing.assert_array_equal(read(tmp_path / "a.nrrd", header((6, 5, 4), *PLACED) + data).geometry.affine, AFFINE)
    for space, signs in (("LPS", (1, 1)), ("RAS", (-1, -1)), ("right-anterior-superior", (-1, -1)), ("LAS", (1, -1))):
        scan = read(tmp_path / "a.nrrd", header((6, 5, 4), f"space: {space}", *PLACED[1:]) + data)
        np.testing.assert_array_equal(scan.geometry.affine, np.diag([*signs, 1, 1.0]) @ AFFINE)
        np.testing.assert_array_equal(scan.voxels, VOLUME)
    units = 'space units: "cm" "cm" "mm"'
    scan = read(tmp_path / "a.nrrd", header((6, 5, 4), *PLACED, units) + data)
    np.testing.assert_array_equal(scan.geometry.affine, np.diag([10, 10, 1, 1.0]) @ AFFINE)
    for lines, spacing in (
        (("space dimension: 3", *PLACED[1:]), [2, 3, 4]),
        (("space: scanner-xyz", *PLACED[1:]), [2, 3, 4]),
        (("spacings: 1.5 2 2.5",), [1.5, 2, 2.5]),
        (("spacings: 1.5 nan 2.5",), None),
        ((), None),
    ):
        scan = read(tmp_path / "a.nrrd", header((6, 5, 4), *lines) + data)
        assert scan.geometry is None
        assert (scan.spacing is None) if spacing is None else (scan.spacing == spacing).all()


@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz", "bzip2", "bz2", "ascii", "txt"])
@pytest.mark.parametrize(
    "kind", ["uint8", "signed char", "short", "unsigned short", "int", "double", "float", "uint64"]
)
def test_encodings_and_types(tmp_path, encoding, kind):
    import bz2

    from litemedsam.engine.io.rasters.nrrd import _TYPES

    values = (VOLUME // 2).astype(_TYPES[kind])
    for endian, order in (("little", "<"), ("big", ">")):
        data = values.astype(values.dtype.newbyteorder(order)).tobytes()
        if encoding.startswith("g"):
            data = gzip.compress(data)
        elif encoding.startswith("b"):
            data = bz2.compress(data)
        elif encoding != "raw":
            data = "\n".join(str(value) for value in values.ravel()).encode()
        scan = read(tmp_path / "a.nrrd", header((6, 5, 4), f"endian: {endian}", kind=kind, encoding=encoding) + data)
        assert scan.voxels.dtype == values.dtype
        np.testing.assert_array_equal(scan.voxels, values)


def test_volumes_in_lists_and_colours(tmp_path):
    frames = np.stack([VOLUME, VOLUME // 2, VOLUME // 3])
    directions = "(2,0,0) (0,3,0) (0,0,4)"
    interleaved = (
        header((3, 6, 5, 4), PLACED[0], f"space directions: none {directions}", "kinds: list domain domain domain")
        + np.ascontiguousarray(np.moveaxis(frames, 0, -1)).tobytes()
    )
    behind = (
        header((6, 5, 4, 3), PLACED[0], f"space directions: {directions} none", "kinds: domain domain domain list")
        + frames.tobytes()
    )
    for content in (interleaved, behind):
        assert "holds 3 volumes; choose one with --frame 0 to 2" in refusal(tmp_path / "a.nrrd", content)
        assert "has no frame 3" in refusal(tmp_path / "a.nrrd", content, 3)
        scan = read(tmp_path / "a.nrrd", content, 1)
        np.testing.assert_array_equal(scan.voxels, frames[1])
        np.testing.assert_array_equal(scan.spacing, [2, 3, 4])
        FORMATS["nrrd"].write(tmp_path / "b.nrrd", LABELS, scan, ())
        np.testing.assert_array_equal(read(tmp_path / "b.nrrd").geometry.affine, scan.geometry.affine)
    for channels, kind in ((3, "RGB-color"), (4, "RGBA-color"), (3, "vector")):
        colours = np.stack([VOLUME, VOLUME // 2, 255 - VOLUME, VOLUME][:channels], -1)
        lines = (PLACED[0], f"space directions: none {directions}", f"kinds: {kind} domain domain domain")
        scan = read(tmp_path / "a.nrrd", header((channels, 6, 5, 4), *lines) + colours.tobytes())
        assert scan.coloured
        np.testing.assert_array_equal(scan.voxels, colours[..., :3])
    said = refusal(tmp_path / "a.nrrd", header((2, 6, 5, 4), *lines) + bytes(240))
    assert "holds 2 values of uint8 per voxel" in said
    single = header((1, 6, 5, 4), *lines[:2], "kinds: vector domain domain domain") + VOLUME.tobytes()
    np.testing.assert_array_equal(read(tmp_path / "a.nrrd", single).voxels, VOLUME)


def test_two_axes_are_an_image(tmp_path):
    lines = ("space dimension: 2", "space directions: (0.5,0) (0,0.25)", "space origin: (1,2)")
    scan = read(tmp_path / "a.nrrd", header((6, 5), *lines) + VOLUME[0].tobytes())
    assert (scan.is_volume, scan.grid, scan.geometry) == (False, (5, 6), None)
    np.testing.assert_array_equal(scan.spacing, [0.5, 0.25])
    FORMATS["nrrd"].write(tmp_path / "b.nrrd", LABELS[0], scan, ())
    image = SimpleITK.ReadImage(str(tmp_path / "b.nrrd"))
    assert (image.GetSpacing(), image.GetOrigin()) == ((0.5, 0.25), (1, 2))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), LABELS[0])
    np.testing.assert_array_equal(FORMATS["nrrd"].read_mask(tmp_path / "b.nrrd", scan).labels, LABELS[0])


def test_voxels_in_a_file_beside_the_header(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.raw").write_bytes(b"##" + VOLUME.tobytes())
    (tmp_path / "secret.raw").write_bytes(VOLUME.tobytes())
    for name, skip in (("a.raw", 2), ("./a.raw", -1)):
        content = header((6, 5, 4), *PLACED, f"byte skip: {skip}", f"data file: {name}")
        np.testing.assert_array_equal(read(folder / "a.nhdr", content).voxels, VOLUME)
    (folder / "link.raw").symlink_to(tmp_path / "secret.raw")
    for name in ("../secret.raw", str(tmp_path / "secret.raw"), "link.raw", "..\\secret.raw", "a.nhdr"):
        said = refusal(folder / "a.nhdr", header((6, 5, 4), f"data file: {name}"))
        assert "for its voxels, expected one in the same folder" in said
    said = refusal(folder / "a.nhdr", header((6, 5, 4), "data file: none.raw"))
    assert "'none.raw', which is not beside it; copy both files" in said
    for name in ("LIST", "a%03d.raw 1 4 1"):
        assert "in several files" in refusal(folder / "a.nhdr", header((6, 5, 4), f"data file: {name}"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"NRRD0004\n", "has the size [] in None dimensions"),
        (header((6, 5, 4)) + bytes(100), "100 bytes of voxels, expected 120"),
        (header((6, 5, 4), encoding="gzip") + gzip.compress(bytes(100)), "100 bytes of voxels, expected 120"),
        (header((6, 5, 4), encoding="gzip") + b"\x1f\x8b" + bytes(30), "not an NRRD file, or a damaged one"),
        (header((6, 5, 4), encoding="hex"), "in the encoding 'hex', which is not read"),
        (header((6, 5, 4), kind="block"), "holds 'block'"),
        (header((0, 5, 4)), "has the size (0, 5, 4), expected positive numbers"),
        (header((6, 5, 4), "line skip: 1"), "lines to skip"),
        (header((6, 5, 4), "byte skip: -2"), "a byte skip of -2"),
        (header((60000, 60000, 60000)), "declare 216000000 MB of data"),
        (header((10**30, 5, 4)), "expected positive numbers"),
        (header((6, 5, 4), PLACED[0], "space directions: (2,0,0) (0,0,0) (0,0,4)") + bytes(120), "no inverse"),
        (header((6, 5, 4), PLACED[0], "space directions: (2,0,0) (0,3,0)") + bytes(120), "damaged"),
        (header((6, 5, 4, 2, 2, 2)), "in 6 dimensions, expected 2 to 5"),
        (header((6,)), "in 1 dimensions"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, content, words):
    assert words in refusal(tmp_path / "a.nrrd", content)


def test_segments_of_slicer_keep_their_names(tmp_path):
    lines = (
        "Segment0_Name:=left kidney",
        "Segment0_LabelValue:=2",
        "Segment1_Name:=Tumor: 1",
        "Segment1_LabelValue:=1",
    )
    (tmp_path / "scan.seg.nrrd").write_bytes(header((6, 5, 4), *PLACED, *lines) + LABELS.tobytes())
    scan = read(tmp_path / "scan.nrrd", header((6, 5, 4), *PLACED) + VOLUME.tobytes())
    assert FORMATS["nrrd"].read_mask(tmp_path / "scan.seg.nrrd", scan).names == {2: "left kidney", 1: "Tumor: 1"}
    (tmp_path / "masks").mkdir()
    (tmp_path / "scan.seg.nrrd").rename(tmp_path / "masks" / "scan.seg.nrrd")
    found = MaskBoxes(tmp_path / "masks").objects(tmp_path / "scan.nrrd", scan)
    assert found.names == ("Tumor: 1", "left kidney")
    FORMATS["nrrd"].write(tmp_path / "b.nrrd", LABELS, scan, ("a\nb:=c", "größe"))
    mask = FORMATS["nrrd"].read_mask(tmp_path / "b.nrrd", scan)
    assert mask.names == {1: "a b:=c", 2: "größe"}
    np.testing.assert_array_equal(mask.labels, LABELS)
    first = (tmp_path / "b.nrrd").read_bytes()
    FORMATS["nrrd"].write(tmp_path / "b.nrrd", LABELS, scan, ("a\nb:=c", "größe"))
    assert (tmp_path / "b.nrrd").read_bytes() == first


def test_results_of_other_formats(tmp_path):
    for spacing, expected in ((None, (1, 1, 1)), (np.array([0.5, 1.25, 3.0]), (0.5, 1.25, 3))):
        FORMATS["nrrd"].write(tmp_path / "a.nrrd", LABELS, Scan("a", VOLUME, True, spacing=spacing), ())
        image = SimpleITK.ReadImage(str(tmp_path / "a.nrrd"))
        assert image.GetSpacing() == expected
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), LABELS)
    for dtype in (np.uint16, np.uint32):
        FORMATS["nrrd"].write(tmp_path / "a.nrrd", LABELS.astype(dtype) * 300, Scan("a", VOLUME, True), ())
        found = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "a.nrrd")))
        np.testing.assert_array_equal(found, LABELS.astype(dtype) * 300)


def test_kinds_say_which_axes_are_those_of_space(tmp_path):
    scan = read(tmp_path / "a.nrrd", header((3, 6, 5), "kinds: RGB-color domain domain") + bytes(range(90)))
    np.testing.assert_array_equal(scan.voxels, np.arange(90).reshape(5, 6, 3))
    words = refusal(tmp_path / "a.nrrd", header((3, 6), "kinds: RGB-color domain") + bytes(18))
    assert "has 1 axes of space, expected 2 or 3" in words
