"""Real scans: segmented from a box, written, read back on the same grid."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of, result_name
from places import PUBLIC, needs_data

from litemedsam import LiteMedSamError, Predictor, segment

NIBABEL = Path(find_spec("nibabel").origin).parent / "tests" / "data"
PYDICOM = Path(find_spec("pydicom").origin).parent / "data" / "test_files"

# Each with its time point, the orientation of its axes and whether it is oblique or of unequal spacing.
SHIPPED = [
    ("anatomical.nii", None, "LAS", False, True),
    ("example4d.nii.gz", 1, "LAS", True, False),
    ("example_nifti2.nii.gz", 0, "LAS", True, False),
    ("functional.nii", 3, "LAS", False, False),
    ("reoriented_anat_moved.nii", None, "RAS", False, True),
    ("standard.nii.gz", None, "RAS", False, False),
]
OWN = [
    ("SCT_t2-cord_image.nii.gz", None, "PSR", False, True),
    ("STS_STS_002_MR_T1_image.nii.gz", None, "LPS", False, False),
    ("STS_STS_002_PET_image.nii.gz", None, "LPS", False, False),
    ("STS_STS_015_PET_image.nii.gz", None, "LPS", False, False),
    ("TotalSegExample_ct.nii.gz", None, "RAS", False, True),
]
NIFTI = [(NIBABEL / name, *rest) for name, *rest in SHIPPED] + [(PUBLIC / "nifti" / name, *rest) for name, *rest in OWN]
# Ends of a box, as shares of the axis.
LOW, HIGH = np.array([0.1, 0.2, 0.3]), np.array([0.7, 0.9, 0.8])


@pytest.fixture(scope="module")
def predictor(untrained_bundle):
    predictor = Predictor(untrained_bundle, threads=1)
    yield predictor
    predictor.close()


def middle_box(scan):
    """A box off the centre, three slices deep along the axis that the slices are taken along."""
    size = np.array(scan.grid[::-1])
    share = slice(0, len(size))
    low, high = np.floor(LOW[share] * size).astype(int), np.floor(HIGH[share] * size).astype(int)
    if scan.is_volume:
        through = scan.view().axes[2]
        high[through] = min(low[through] + 2, high[through])
    return [*low, *high]


def check_inside(labels, box, scan):
    """Voxels are marked, within the slices of the box, and beyond its sides by no more than four hundredths."""
    rank = labels.ndim
    places = np.argwhere(labels)[:, ::-1]
    assert len(places) > 0
    reach = np.full(rank, np.ceil(3 / 64 * max(scan.grid)) + 1)
    if scan.is_volume:
        reach[scan.view().axes[2]] = 0
    assert (places.min(axis=0) >= box[:rank] - reach).all()
    assert (places.max(axis=0) <= box[rank:] + reach).all()


@pytest.mark.parametrize(
    ("path", "frame", "axes", "oblique", "even"), NIFTI, ids=[f"{path.name}" for path, *_ in NIFTI]
)
def test_a_real_nifti_file_is_segmented_on_its_own_grid(path, frame, axes, oblique, even, predictor, tmp_path):
    if not path.exists():
        pytest.skip("this scan is not here")
    before = nibabel.load(path)
    assert "".join(nibabel.aff2axcodes(before.affine)) == axes
    assert bool(np.degrees(nibabel.affines.obliquity(before.affine)).max() > 1) == oblique
    assert np.allclose(nibabel.affines.voxel_sizes(before.affine), before.header.get_zooms()[0], rtol=0.01) == even

    scan = format_of(path).read(path, frame)
    box = middle_box(scan)
    target = tmp_path / result_name(path, FORMATS["nifti"])
    result = segment(path, boxes=[box], frame=frame, output=target, predictor=predictor)
    check_inside(result.labels, box, scan)

    after = nibabel.load(target)
    assert target.name == path.name
    assert after.shape == before.shape[:3]
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-4)
    np.testing.assert_allclose(result.affine, before.affine, atol=1e-4)
    for read in ("get_qform", "get_sform"):
        np.testing.assert_allclose(getattr(after, read)(), getattr(before, read)(), atol=1e-4)
    for key in ("qform_code", "sform_code", "xyzt_units"):
        assert int(after.header[key]) & 7 == int(before.header[key]) & 7
    assert type(after.header) is type(before.header)
    assert after.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(after.dataobj), result.labels.T)


@pytest.mark.parametrize("axes", ["LAS", "LPI", "RAS", "SPL", "AIR"])
def test_a_real_scan_gives_the_same_mask_however_it_is_stored(axes, predictor, tmp_path):
    path = NIBABEL / "anatomical.nii"
    if not path.exists():
        pytest.skip("nibabel was installed without its test files")
    scan = format_of(path).read(path)
    box = middle_box(scan)
    result = segment(path, boxes=[box], predictor=predictor)

    original = nibabel.load(path)
    order = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(original.affine), nibabel.orientations.axcodes2ornt(axes)
    )
    turned = original.as_reoriented(order)
    turned.to_filename(tmp_path / "turned.nii.gz")
    marked = np.zeros(original.shape, np.uint8)
    marked[tuple(slice(a, b + 1) for a, b in zip(box[:3], box[3:], strict=True))] = 1
    places = np.argwhere(nibabel.apply_orientation(marked, order))
    turned_box = [*places.min(axis=0), *places.max(axis=0)]
    segment(tmp_path / "turned.nii.gz", boxes=[turned_box], output=tmp_path / "mask.nii.gz", predictor=predictor)

    mask = nibabel.load(tmp_path / "mask.nii.gz")
    assert "".join(nibabel.aff2axcodes(mask.affine)) == axes
    np.testing.assert_allclose(mask.affine, turned.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(mask.dataobj), nibabel.apply_orientation(result.labels.T, order))


@needs_data
def test_a_real_dicom_series_in_whatever_order_its_files_are(predictor, tmp_path):
    folder = PUBLIC / "dicom" / "STS_002_PET" / "image"
    scan = format_of(folder).read(folder)
    assert scan.modality == "PT"
    assert scan.grid == (48, 27, 30)
    nifti = FORMATS["nifti"].read(PUBLIC / "nifti" / "STS_STS_002_PET_image.nii.gz")
    np.testing.assert_allclose(scan.geometry.affine, nifti.geometry.affine, atol=1e-3)
    np.testing.assert_allclose(scan.voxels, nifti.voxels, rtol=1e-5)

    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    files = sorted(folder.iterdir())
    for number, file in zip(np.random.default_rng(0).permutation(len(files)), files, strict=True):
        shutil.copyfile(file, shuffled / f"{number}")
    boxes = tmp_path / "boxes.json"
    box = [int(v) for v in middle_box(scan)]
    boxes.write_text(json.dumps({"version": 1, "objects": [{"name": "tumour", "box": box}]}))
    results = [
        segment(place, boxes, output=tmp_path / f"{place.name}.dcm", predictor=predictor)
        for place in (folder, shuffled)
    ]
    check_inside(results[0].labels, box, scan)
    assert (tmp_path / "image.dcm").read_bytes() == (tmp_path / "shuffled.dcm").read_bytes()
    np.testing.assert_array_equal(FORMATS["dicom"].read_mask(tmp_path / "image.dcm", scan).labels, results[0].labels)

    segmentation = pydicom.dcmread(tmp_path / "image.dcm")
    source = pydicom.dcmread(files[22], stop_before_pixels=True)
    assert segmentation.SegmentSequence[0].SegmentLabel == "tumour"
    assert segmentation.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Neoplasm"
    assert segmentation.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    np.testing.assert_allclose(orientation, source.ImageOrientationPatient, atol=1e-4)
    np.testing.assert_allclose(shared.PixelMeasuresSequence[0].PixelSpacing, source.PixelSpacing, atol=1e-4)
    positions = {round(float(pydicom.dcmread(file).ImagePositionPatient[2]), 4) for file in files}
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(place[:2], source.ImagePositionPatient[:2], atol=1e-4)
        assert round(float(place[2]), 4) in positions


def test_pydicom_s_own_images(predictor, tmp_path):
    if not PYDICOM.is_dir():
        pytest.skip("pydicom was installed without its test files")
    written, unreadable, unreferable = [], [], []
    folders = [PYDICOM / "dicomdirtests" / name for name in ("77654033/CR1", "98892001/CT5N")]
    for path in [*sorted(PYDICOM.glob("*.dcm")), *folders]:
        target = tmp_path / f"{path.name}.dcm"
        try:
            scan = format_of(path).read(path)
        except LiteMedSamError as error:
            unreadable.append(str(error))
            continue
        box = middle_box(scan)
        labels = segment(path, boxes=[box], predictor=predictor).labels
        check_inside(labels, box, scan)
        try:
            FORMATS["dicom"].write(target, labels, scan, ("",))
        except LiteMedSamError as error:
            unreferable.append(str(error))
            FORMATS["nifti"].write(tmp_path / "mask.nii", labels, scan, ())
            np.testing.assert_array_equal(
                FORMATS["nifti"].read(tmp_path / "mask.nii").voxels.squeeze(), labels.squeeze()
            )
            continue
        written.append(path.name)
        if scan.geometry is not None:
            np.testing.assert_array_equal(FORMATS["dicom"].read_mask(target, scan).labels, labels)
    assert len(written) >= 38
    assert {"CT5N", "MR_small_RLE.dcm", "SC_rgb_rle.dcm"} <= set(written)
    assert len(unreadable) < 35
    assert all("use --format" in refusal for refusal in unreferable)
    assert not any("\n" in refusal for refusal in unreadable + unreferable)
    assert {path.name for path in tmp_path.iterdir()} == {"mask.nii", *(f"{name}.dcm" for name in written)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("77654033/CT2", "slices missing between slices 0 and 1"),
        ("98892001/CT2N", "differ in direction or pixel spacing; put those of one direction"),
        ("98892003/MR1", "contains 3 series"),
    ],
)
def test_pydicom_s_own_bad_folders(name, words):
    folder = PYDICOM / "dicomdirtests" / name
    if not folder.is_dir():
        pytest.skip("pydicom was installed without its test files")
    with pytest.raises(LiteMedSamError, match=words):
        format_of(folder).read(folder)
