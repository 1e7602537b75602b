"""Files of every format and what they hold; the bad ones are refused in one line."""

import gzip
import shutil
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from conftest import DATA
from litemedsam.engine.io.formats import FORMATS, format_of, result_name
from litemedsam.engine.objects.sources import GivenBoxes, MaskBoxes
from litemedsam.engine.scan.scan import Objects, prepare
from PIL import Image
from synthetic_scans import ROOT, dicom_image, oblique, phantom, stored, write_series

from litemedsam import LiteMedSamError

NIBABEL = Path(find_spec("nibabel").origin).parent / "tests" / "data"
PUBLIC = DATA / "public"
needs_data = pytest.mark.skipif(not PUBLIC.is_dir(), reason="real scans are not beside the project")


def read(path, frame=None):
    return format_of(path).read(path, frame)


def block(scan):
    """A label map with one block in the far corner of the last axes."""
    labels = np.zeros(scan.grid, np.uint8)
    labels[tuple(slice(n // 2, None) for n in scan.grid)] = 1
    return labels


def refusal(path, frame=None):
    with pytest.raises(LiteMedSamError) as error:
        prepare(read(path, frame), Objects(np.array([[0.0, 0, 0, 1, 1, 0]])))
    assert "\n" not in str(error.value)
    return str(error.value)


@needs_data
@pytest.mark.parametrize(
    ("nifti", "npz"),
    [
        ("TotalSegExample_ct", "3DBox_CT_TotalSegExample-multiorgan-pseudoGT"),
        ("SCT_t2-cord_image", "3DBox_MR_SCT-t2-cord"),
        ("STS_STS_002_MR_T1_image", "3DBox_MR_STS-sarcoma_STS_002"),
        ("STS_STS_002_PET_image", "3DBox_PET_STS-sarcoma_STS_002"),
        ("STS_STS_015_PET_image", "3DBox_PET_STS-sarcoma_STS_015"),
    ],
)
def test_a_scan_becomes_the_pixels_and_boxes_of_the_same_case_as_npz(nifti, npz):
    path = PUBLIC / "nifti" / f"{nifti}.nii.gz"
    mask = PUBLIC / "nifti" / f"{nifti.replace('_image', '_mask').replace('_ct', '_seg')}.nii.gz"
    scan = read(path)
    prepared = prepare(scan, MaskBoxes(mask).objects(path, scan))
    with np.load(PUBLIC / f"{npz}.npz") as case:
        np.testing.assert_array_equal(prepared.case.pixels, case["imgs"])
        if "TotalSeg" in nifti:
            # The npz file holds the largest organs only, numbered anew.
            assert {tuple(box) for box in case["boxes"]} <= {tuple(box) for box in prepared.case.boxes}
        else:
            np.testing.assert_array_equal(prepared.case.boxes, case["boxes"])
        np.testing.assert_allclose(prepared.case.spacing, case["spacing"], rtol=1e-5)


@needs_data
def test_boxes_from_the_truth_are_every_public_set_s_own():
    paths = sorted(PUBLIC.glob("*.npz"))
    assert len(paths) > 100
    for path in paths:
        scan = FORMATS["npz"].read(path)
        boxes = MaskBoxes(path).objects(path, scan).boxes
        np.testing.assert_array_equal(boxes, scan.boxes, err_msg=path.name)


def test_dicom_ct_is_in_hounsfield_units_and_windowed(tmp_path):
    image = dicom_image(np.array([[0, 1064, 864, 1264]], np.int16).repeat(4, axis=0))
    image.RescaleIntercept = -1024
    image.save_as(tmp_path / "ct.dcm")
    prepared = prepare(
        read(tmp_path / "ct.dcm"), GivenBoxes([(0, 0, 1, 1)]).objects(tmp_path, read(tmp_path / "ct.dcm"))
    )
    np.testing.assert_array_equal(prepared.case.pixels[0], [0, 128, 0, 255])
    assert "level 40, width 400" in prepared.notes[0]


def test_dark_is_bright_in_monochrome1(tmp_path):
    image = dicom_image(np.arange(16, dtype=np.uint8).reshape(4, 4), modality="CR")
    image.PhotometricInterpretation = "MONOCHROME1"
    image.save_as(tmp_path / "cr.dcm")
    prepared = prepare(read(tmp_path / "cr.dcm"), Objects(np.array([[0.0, 0, 1, 1]])))
    np.testing.assert_array_equal(prepared.case.pixels, 255 - np.arange(16).reshape(4, 4))


def test_frames_of_an_enhanced_image_are_ordered_by_place(tmp_path):
    pixels = phantom(4, 8, 10)
    image = dicom_image(pixels[0])
    order = [2, 0, 3, 1]
    image.NumberOfFrames = 4
    image.PixelData = pixels[order].tobytes()
    shared, frames = pydicom.Dataset(), []
    shared.PlaneOrientationSequence = [pydicom.Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = [pydicom.Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [2, 1]
    shared.PixelMeasuresSequence[0].SliceThickness = 3
    for z in order:
        frame = pydicom.Dataset()
        frame.PlanePositionSequence = [pydicom.Dataset()]
        frame.PlanePositionSequence[0].ImagePositionPatient = [5, 6, 3 * z]
        frames.append(frame)
    image.SharedFunctionalGroupsSequence, image.PerFrameFunctionalGroupsSequence = [shared], frames
    image.save_as(tmp_path / "enhanced.dcm")
    scan = read(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(scan.voxels, pixels)
    np.testing.assert_allclose(scan.spacing, [1, 2, 3])
    assert scan.origin.frames == (1, 3, 0, 2)


def test_a_gantry_tilt_shears_the_grid(tmp_path):
    plain = stored(phantom(4, 6, 7), (0, 1, 2), (False,) * 3)
    affine = plain.affine.copy()
    affine[1, 2] = 0.5
    paths = write_series(tmp_path / "tilted", type(plain)(plain.voxels, affine))
    assert len(paths) == 4
    scan = read(tmp_path / "tilted")
    np.testing.assert_allclose(scan.geometry.affine, np.diag([-1, -1, 1, 1]) @ affine, atol=1e-4)
    assert scan.geometry.voxel_volume == pytest.approx(1.2 * 1.0 * 1.4)


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


def test_a_compressed_image_without_a_decoder_is_refused(tmp_path):
    image = dicom_image(phantom(1, 8, 9)[0])
    image.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    image.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    image["PixelData"].is_undefined_length = True
    image.save_as(tmp_path / "compressed.dcm")
    message = refusal(tmp_path / "compressed.dcm")
    assert "decoder" in message
    assert "pip install" in message


def save(path, array, affine=None, **header):
    image = nibabel.Nifti1Image(array, np.diag([2.0, 2, 2, 1]) if affine is None else affine)
    for key, value in header.items():
        image.header[key] = value
    image.to_filename(path)
    return path


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
    prepared = prepare(read(path), Objects(np.array([[0.0, 0, 0, 1, 1, 1]])))
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


def test_pictures_of_every_kind(tmp_path):
    grey = phantom(1, 20, 30)[0]
    colour = np.stack([grey, grey // 2, 255 - grey], axis=-1)
    shown = {
        "grey.png": grey,
        "grey.bmp": grey,
        "colour.png": colour,
        "colour.tif": colour,
        "deep.png": grey.astype(np.uint16) * 100,
        "deep.tif": grey.astype(np.uint16) * 100,
    }
    for name, pixels in shown.items():
        Image.fromarray(pixels).save(tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name).voxels, pixels)
    prepared = prepare(read(tmp_path / "deep.png"), Objects(np.array([[0.0, 0, 5, 5]])))
    assert prepared.case.pixels.max() == 255

    Image.fromarray(colour).convert("RGBA").save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read(tmp_path / "alpha.png").voxels, colour)
    palette = Image.fromarray(colour).quantize(8)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read(tmp_path / "palette.png").voxels, np.array(palette.convert("RGB")))
    Image.fromarray(grey > 100).save(tmp_path / "binary.png")
    np.testing.assert_array_equal(read(tmp_path / "binary.png").voxels, (grey > 100) * 255)

    turned = Image.fromarray(grey)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "camera.jpg", exif=exif, quality=100)
    assert read(tmp_path / "camera.jpg").voxels.shape == (30, 20)

    # A name that lies: the content decides.
    (tmp_path / "colour.png").rename(tmp_path / "scan.nii")
    np.testing.assert_array_equal(read(tmp_path / "scan.nii").voxels, colour)

    pages = [Image.fromarray(page) for page in phantom(3, 20, 30)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    scan = read(tmp_path / "pages.tif")
    np.testing.assert_array_equal(scan.voxels, phantom(3, 20, 30))
    assert read(tmp_path / "pages.tif", 1).voxels.shape == (20, 30)
    FORMATS["png"].write(tmp_path / "mask.tif", block(scan), scan, ())
    np.testing.assert_array_equal(read(tmp_path / "mask.tif").voxels, block(scan))
    with pytest.raises(LiteMedSamError, match="one slice"):
        FORMATS["png"].write(tmp_path / "mask.png", block(scan), scan, ())
    assert not (tmp_path / "mask.png").exists()

    flat = read(tmp_path / "grey.png")
    FORMATS["png"].write(tmp_path / "mask.png", block(flat) * np.uint16(300), flat, ())
    np.testing.assert_array_equal(read(tmp_path / "mask.png").voxels, block(flat) * np.uint16(300))
    cut = tmp_path / "cut.png"
    cut.write_bytes((tmp_path / "deep.png").read_bytes()[:200])
    assert "damaged" in refusal(cut)
    with pytest.raises(LiteMedSamError, match="6 numbers for an image of 30 × 20"):
        prepare(flat, Objects(np.array([[0.0, 0, 0, 1, 1, 1]])))


def test_a_box_for_a_volume_and_an_image_in_colour(tmp_path):
    np.savez(tmp_path / "colour.npz", imgs=np.zeros((20, 30, 3), np.uint8))
    scan = read(tmp_path / "colour.npz")
    with pytest.raises(LiteMedSamError, match="6 numbers for an image in colour"):
        prepare(scan, Objects(np.array([[2.0, 3, 0, 9, 9, 1]])))
    # By the format's own rule this may as well be a volume three voxels wide.
    assert prepare(scan, Objects(np.array([[0.0, 3, 0, 2, 9, 1]]))).case.is_volume
