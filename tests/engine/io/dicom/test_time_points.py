"""Images at the same places: time points, echoes, copies."""

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from scan_files import read, refused
from synthetic_scans import many_frames, phantom, stored, write_series

VOLUME = phantom(3, 8, 10)


def volumes(count):
    return [VOLUME + np.uint8(10 * k) for k in range(count)]


def write(folder, count, edit, shuffle=True):
    """A series of several volumes at the same places; `edit` marks an image, given slice and volume."""
    folder.mkdir()
    images = []
    for k, volume in enumerate(volumes(count)):
        paths = write_series(folder / f"v{k}", stored(volume, (0, 1, 2), (False,) * 3), modality="MR")
        for path in paths:
            image = pydicom.dcmread(path)
            z = round((float(image.ImagePositionPatient[2]) + 30) / 1.4)
            image.SOPInstanceUID = f"1.2.3.{k}.{z}"
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            image.InstanceNumber = 100 - (k * len(VOLUME) + z)
            edit(image, z, k)
            images.append(image)
            path.unlink()
        (folder / f"v{k}").rmdir()
    numbers = np.random.default_rng(0).permutation(len(images)) if shuffle else range(len(images))
    for number, image in zip(numbers, images, strict=True):
        image.save_as(folder / f"{number:03}")
    return folder


MARKS = {
    "EchoTime": lambda image, z, k: setattr(image, "EchoTime", 2.5 * (k + 1)),
    "TemporalPositionIdentifier": lambda image, z, k: setattr(image, "TemporalPositionIdentifier", k + 1),
    "TriggerTime": lambda image, z, k: setattr(image, "TriggerTime", 100 * k),
    "AcquisitionNumber": lambda image, z, k: setattr(image, "AcquisitionNumber", k + 1),
    "ImageType": lambda image, z, k: setattr(image, "ImageType", ["ORIGINAL", "PRIMARY", "MPRI"[k]]),
    "DiffusionBValue": lambda image, z, k: setattr(image, "DiffusionBValue", [0.0, 500.0, 1000.0][k]),
}


@pytest.mark.parametrize("mark", MARKS)
def test_a_time_point_or_echo_is_chosen(tmp_path, mark):
    folder = write(tmp_path / "series", 3, MARKS[mark])
    refused(folder, f"contains 3 volumes at the same places, which differ in {mark} (")
    refused(folder, "choose one with --frame 0 to 2")
    refused(folder, "has no frame 3, expected 0 to 2", frame=3)
    for k, volume in enumerate(volumes(3)):
        scan = read(folder, k)
        np.testing.assert_array_equal(scan.voxels, volume)
        assert scan.notes == ()
        np.testing.assert_allclose(scan.spacing, [1.2, 1, 1.4])


def test_echoes_of_time_points_go_by_time_first(tmp_path):
    def edit(image, z, k):
        image.TemporalPositionIdentifier, image.EchoTime = k // 2, k % 2 + 1

    folder = write(tmp_path / "series", 4, edit)
    for k, volume in enumerate(volumes(4)):
        np.testing.assert_array_equal(read(folder, k).voxels, volume)


def test_volumes_without_a_mark_go_by_number(tmp_path):
    folder = write(tmp_path / "series", 2, lambda image, z, k: None)
    refused(folder, "contains 2 volumes at the same places; choose one with --frame 0 to 1")
    # The numbers run backwards.
    np.testing.assert_array_equal(read(folder, 0).voxels, volumes(2)[1])
    np.testing.assert_array_equal(read(folder, 1).voxels, volumes(2)[0])


def test_blank_slices_of_time_points_are_no_copies(tmp_path):
    def edit(image, z, k):
        image.EchoTime = k + 1
        if z == 0:
            image.PixelData = bytes(len(image.PixelData))

    folder = write(tmp_path / "series", 2, edit)
    scan = read(folder, 1)
    np.testing.assert_array_equal(scan.voxels[1:], volumes(2)[1][1:])
    assert not scan.voxels[0].any()


@pytest.mark.parametrize("copied", ["one", "two", "all", "all under new names of their own"])
def test_exact_copies_are_left_aside_with_a_note(tmp_path, copied):
    paths = sorted(write_series(tmp_path / "series", stored(VOLUME, (0, 1, 2), (False,) * 3)))
    for number, path in enumerate(paths[: {"one": 1, "two": 2}.get(copied, len(paths))]):
        image = pydicom.dcmread(path)
        if "own" in copied:
            image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
            image.InstanceNumber = 50 + number
        image.save_as(path.with_name(f"{path.name} copy"))
    scan = read(tmp_path / "series")
    np.testing.assert_array_equal(scan.voxels, VOLUME)
    assert len(scan.origin.images) == len(VOLUME)
    assert "left aside exact copies of slices" in scan.notes[0]
    assert " copy" in scan.notes[0]


def test_a_copy_in_another_encoding_is_a_copy(tmp_path):
    paths = write_series(tmp_path / "series", stored(VOLUME, (0, 1, 2), (False,) * 3))
    image = pydicom.dcmread(paths[0])
    image.compress(pydicom.uid.RLELossless)
    image.save_as(tmp_path / "series" / "packed")
    np.testing.assert_array_equal(read(tmp_path / "series").voxels, VOLUME)


def test_a_different_image_at_a_place_is_refused(tmp_path):
    paths = write_series(tmp_path / "series", stored(VOLUME, (0, 1, 2), (False,) * 3))
    image = pydicom.dcmread(paths[0])
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(tmp_path / "series" / "other")
    refused(tmp_path / "series", "2 different images at the same place")


def test_time_points_of_an_enhanced_image(tmp_path):
    def item(**values):
        dataset = pydicom.Dataset()
        for key, value in values.items():
            setattr(dataset, key, value)
        return dataset

    order = [(k, z) for z in range(3) for k in (1, 0)]
    groups = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 2 * z])],
            FrameContentSequence=[item(TemporalPositionIndex=k + 1)],
        )
        for k, z in order
    ]
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=2)],
    )
    image = many_frames(
        np.array([volumes(2)[k][z] for k, z in order]),
        PerFrameFunctionalGroupsSequence=groups,
        SharedFunctionalGroupsSequence=[shared],
        SOPClassUID=pydicom.uid.EnhancedCTImageStorage,
    )
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    path = tmp_path / "enhanced.dcm"
    image.save_as(path)
    refused(path, "contains 2 volumes at the same places, which differ in TemporalPositionIndex (1, 2)")
    scan = read(path, 1)
    np.testing.assert_array_equal(scan.voxels, volumes(2)[1])
    assert scan.origin.frames == (0, 2, 4)
    labels = np.zeros(scan.grid, np.uint8)
    labels[2, 3, 4] = 1
    Dicom().write(tmp_path / "seg.dcm", labels, scan, ("a",))
    frame = pydicom.dcmread(tmp_path / "seg.dcm").PerFrameFunctionalGroupsSequence[0]
    assert frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber == 5
    np.testing.assert_array_equal(Dicom().read_mask(tmp_path / "seg.dcm", scan).labels, labels)


def test_a_time_series_of_one_slice(tmp_path):
    folder = tmp_path / "series"
    folder.mkdir()
    for k in range(4):
        [path] = write_series(tmp_path / f"v{k}", stored(VOLUME[:1] + np.uint8(k), (0, 1, 2), (False,) * 3))
        image = pydicom.dcmread(path)
        image.TriggerTime = 10 * k
        image.save_as(folder / str(k))
    assert read(folder, 3).voxels.shape == (1, 8, 10)
    np.testing.assert_array_equal(read(folder, 3).voxels, VOLUME[:1] + 3)
