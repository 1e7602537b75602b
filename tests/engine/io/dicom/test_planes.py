"""Where the images and frames of DICOM files lie."""

import nibabel
import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.dicom.planes import flat_spacing
from litemedsam.engine.io.formats import FORMATS
from scan_files import read
from synthetic_scans import dicom_image, many_frames, phantom

from litemedsam import LiteMedSamError

VOLUME = phantom(4, 8, 10)
PLACE = {"ImagePositionPatient": [5, 6, 7], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [2, 1]}


def item(**values):
    dataset = pydicom.Dataset()
    for key, value in values.items():
        setattr(dataset, key, value)
    return dataset


def enhanced(order, **shared):
    """An enhanced image of the volume's slices in some order, each with its own place."""
    frames = [item(PlanePositionSequence=[item(ImagePositionPatient=[5, 6, 3 * z])]) for z in order]
    return many_frames(
        np.ascontiguousarray(VOLUME[order]),
        SharedFunctionalGroupsSequence=[item(**shared)],
        PerFrameFunctionalGroupsSequence=frames,
    )


SHARED = {
    "PlaneOrientationSequence": [item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    "PixelMeasuresSequence": [item(PixelSpacing=[2, 1], SliceThickness=3)],
}


def test_frames_of_an_enhanced_image_are_ordered_by_place(tmp_path):
    enhanced([2, 0, 3, 1], **SHARED).save_as(tmp_path / "enhanced.dcm")
    scan = read(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(scan.voxels, VOLUME)
    np.testing.assert_allclose(scan.spacing, [1, 2, 3])
    assert scan.origin.frames == (1, 3, 0, 2)
    assert scan.notes == ()


@pytest.mark.parametrize("top", ["PlaneOrientationSequence", "PixelMeasuresSequence"])
def test_what_functional_groups_lack_is_read_from_the_image(tmp_path, top):
    image = enhanced([0, 1, 2, 3], **{key: value for key, value in SHARED.items() if key != top})
    for key in PLACE:
        setattr(image, key, PLACE[key])
    image.save_as(tmp_path / "enhanced.dcm")
    scan = read(tmp_path / "enhanced.dcm")
    np.testing.assert_allclose(scan.geometry.affine, [[-1, 0, 0, -5], [0, -2, 0, -6], [0, 0, 3, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("values", "step", "start"),
    [
        ({"SliceThickness": 3}, 3, 7),
        ({"SpacingBetweenSlices": 2.5, "SliceThickness": 3}, 2.5, 7),
        ({"SpacingBetweenSlices": -2.5}, 2.5, -0.5),
        ({"GridFrameOffsetVector": [0, 2, 4, 6], "SliceThickness": 3}, 2, 7),
        ({"GridFrameOffsetVector": [7, 9, 11, 13]}, 2, 7),
        ({"GridFrameOffsetVector": [0, -2, -4, -6]}, 2, 1),
        ({"SpacingBetweenSlices": 2, "SliceVector": [4, 3, 2, 1], "FrameIncrementPointer": 0x00540080}, 2, 1),
    ],
)
def test_frames_follow_the_one_place_of_their_image(tmp_path, values, step, start):
    many_frames(VOLUME, **PLACE, **values).save_as(tmp_path / "cone.dcm")
    scan = read(tmp_path / "cone.dcm")
    expected = np.array([[-1, 0, 0, -5], [0, -2, 0, -6], [0, 0, step, start], [0, 0, 0, 1]])
    np.testing.assert_allclose(scan.geometry.affine, expected)
    np.testing.assert_allclose(scan.spacing, [1, 2, step])
    backwards = start < 7
    np.testing.assert_array_equal(scan.voxels, VOLUME[::-1] if backwards else VOLUME)
    assert scan.notes == ()
    FORMATS["nifti"].write(tmp_path / "mask.nii", (scan.voxels > 100).astype(np.uint8), scan, ())
    written = nibabel.load(tmp_path / "mask.nii")
    np.testing.assert_allclose(written.affine, expected)
    np.testing.assert_allclose(written.header.get_zooms(), [1, 2, step])


def test_the_place_of_nuclear_medicine_is_its_detector_s(tmp_path):
    place = dict(PLACE)
    detector = item(**{key: place.pop(key) for key in ("ImagePositionPatient", "ImageOrientationPatient")})
    many_frames(VOLUME, **place, SpacingBetweenSlices=4, DetectorInformationSequence=[detector]).save_as(
        tmp_path / "nm.dcm"
    )
    scan = read(tmp_path / "nm.dcm")
    np.testing.assert_allclose(scan.spacing, [1, 2, 4])
    np.testing.assert_allclose(scan.geometry.affine[:3, 3], [-5, -6, 7])


@pytest.mark.parametrize(
    "values",
    [
        {},
        PLACE,
        {**PLACE, "SliceThickness": 3, "FrameTime": 33},
        {**PLACE, "SliceThickness": 0},
        {**PLACE, "SliceThickness": 3, "PixelSpacing": [0, 1]},
        {**PLACE, "SliceThickness": 3, "ImageOrientationPatient": [1, 1, 0, 0, 1, 0]},
    ],
)
def test_frames_without_a_place_are_named_in_a_note(tmp_path, values):
    many_frames(VOLUME, **values).save_as(tmp_path / "frames.dcm")
    scan = Dicom().read(tmp_path / "frames.dcm")
    assert scan.geometry is None
    assert scan.spacing is None
    assert "does not say where its 4 frames lie" in scan.notes[0]


@pytest.mark.parametrize(
    ("regions", "spacing"),
    [
        ([(1, 3, 3, 0.012, 0.034)], [0.12, 0.34]),
        ([(1, 3, 3, 0.02, -0.02), (2, 4, 0, 1, 1), (1, 3, 3, 0.02, 0.02)], [0.2, 0.2]),
        ([(1, 3, 3, 0.02, 0.02), (1, 3, 3, 0.05, 0.05)], None),
        ([(2, 4, 0, 1, 1)], None),
        ([(1, 4, 3, 0.02, 0.02)], None),
        ([(1, 3, 3, 0, 0.02)], None),
        ([], None),
    ],
)
def test_the_spacing_of_ultrasound_is_that_of_its_regions(tmp_path, regions, spacing):
    image = dicom_image(VOLUME[0], modality="US")
    image.SequenceOfUltrasoundRegions = [
        item(
            RegionSpatialFormat=form,
            PhysicalUnitsXDirection=x,
            PhysicalUnitsYDirection=y,
            PhysicalDeltaX=float(dx),
            PhysicalDeltaY=float(dy),
        )
        for form, x, y, dx, dy in regions
    ]
    image.save_as(tmp_path / "us.dcm")
    found = read(tmp_path / "us.dcm").spacing
    assert (None if found is None else np.round(found, 6).tolist()) == spacing


def test_stated_spacing_goes_before_regions(tmp_path):
    image = dicom_image(VOLUME[0], modality="US")
    region = item(RegionSpatialFormat=1, PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3)
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.1
    image.SequenceOfUltrasoundRegions, image.PixelSpacing = [region], [0.5, 0.25]
    np.testing.assert_allclose(flat_spacing(image), [0.25, 0.5])
    del image.PixelSpacing
    image.NominalScannedPixelSpacing = [3, 4]
    np.testing.assert_allclose(flat_spacing(image), [4, 3])


def test_too_few_groups_are_refused(tmp_path):
    image = enhanced([0, 1, 2, 3], **SHARED)
    image.PerFrameFunctionalGroupsSequence = image.PerFrameFunctionalGroupsSequence[:2]
    image.save_as(tmp_path / "enhanced.dcm")
    with pytest.raises(LiteMedSamError):
        read(tmp_path / "enhanced.dcm")


@pytest.mark.parametrize("key", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_a_place_of_too_few_numbers_is_no_place(tmp_path, key):
    image = dicom_image(VOLUME[0])
    for name in PLACE:
        setattr(image, name, PLACE[name])
    setattr(image, key, PLACE[key][:2])
    image.save_as(tmp_path / "a.dcm")
    assert read(tmp_path / "a.dcm").geometry is None
