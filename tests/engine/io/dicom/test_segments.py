"""Segments of a DICOM SEG as labels of a scan, whatever kind of SEG it is and however its axes run."""

from itertools import permutations, product

import highdicom
import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan
from pydicom.sr.codedict import codes
from synthetic_scans import dicom_image, many_frames, phantom, stored, write_series

from litemedsam import LiteMedSamError

VOLUME = phantom(3, 8, 10)
PLAIN = (0, 1, 2), (False, False, False)
TURNS = list(product(permutations(range(3)), product((False, True), repeat=3)))


@pytest.fixture
def scan(tmp_path):
    write_series(tmp_path / "series", stored(VOLUME, *PLAIN))
    return Dicom().read(tmp_path / "series")


def write_segmentation(path, scan, pixels, kind, count=1, **options):
    """A SEG by highdicom of some kind, on a scan's own images."""
    algorithm = highdicom.AlgorithmIdentificationSequence("test", codes.DCM.ArtificialIntelligence, "1")
    segments = [
        highdicom.seg.SegmentDescription(
            k, f"organ {k}", codes.SCT.Organ, codes.SCT.Liver, "AUTOMATIC", algorithm_identification=algorithm
        )
        for k in range(1, count + 1)
    ]
    highdicom.seg.Segmentation(
        list(scan.origin.images), pixels, kind, segments, "1.2.3", 1, "1.2.4", 1, "m", "m", "1", "1", **options
    ).save_as(path)
    return path


@pytest.mark.parametrize("largest", [255, 201, 100])
def test_a_fraction_counts_from_half_of_the_largest(scan, tmp_path, largest):
    fractions = np.zeros(scan.grid)
    fractions[1, 2, :6] = [0.01, 0.25, 0.49, 0.51, 0.75, 1]
    path = write_segmentation(tmp_path / "seg.dcm", scan, fractions, "FRACTIONAL", max_fractional_value=largest)
    labels = Dicom().read_mask(path, scan).labels
    np.testing.assert_array_equal(labels[1, 2, :7], [0, 0, 0, 1, 1, 1, 0])
    assert labels.sum() == 3


def test_half_of_the_largest_fraction_counts(scan, tmp_path):
    fractions = np.zeros(scan.grid)
    fractions[0, 0, :2] = [0.5, 0.49]
    path = write_segmentation(tmp_path / "seg.dcm", scan, fractions, "FRACTIONAL", max_fractional_value=100)
    assert Dicom().read_mask(path, scan).labels[0, 0, :2].tolist() == [1, 0]


@pytest.mark.parametrize("numbers", [[1, 2], [3, 300]])
def test_a_label_map_is_read(scan, tmp_path, numbers):
    labels = np.zeros(scan.grid, np.uint16)
    labels[0, 1:3, 4:7], labels[2, 5:, 8:] = numbers
    path = tmp_path / "seg.dcm"
    write_segmentation(
        path, scan, np.where(labels, np.searchsorted(numbers, labels) + 1, 0).astype(np.uint8), "LABELMAP", 2
    )
    image = pydicom.dcmread(path)
    small, large = (np.frombuffer(image.PixelData, np.uint8), np.uint16 if max(numbers) > 255 else np.uint8)
    image.PixelData = np.array([0, *numbers])[small].astype(large).tobytes()
    image.BitsAllocated = image.BitsStored = 8 * np.dtype(large).itemsize
    image.HighBit = image.BitsStored - 1
    for segment, number in zip(image.SegmentSequence[1:], numbers, strict=True):
        segment.SegmentNumber = number
    image.save_as(path)
    mask = Dicom().read_mask(path, scan)
    np.testing.assert_array_equal(mask.labels, labels)
    assert [mask.names[number] for number in numbers] == ["organ 1", "organ 2"]


@pytest.mark.parametrize(("order", "flips"), [*TURNS[:: len(TURNS) // 12 + 1], ((1, 0, 2), (False,) * 3)])
def test_the_same_grid_along_other_axes_is_turned(scan, tmp_path, order, flips):
    marked = np.zeros(VOLUME.shape, np.uint8)
    marked[1, 2:4, 5:9] = 1
    turned = stored(marked, order, flips)
    write_series(tmp_path / "turned", stored(VOLUME, order, flips))
    other = Dicom().read(tmp_path / "turned")
    # Slices are read along their normal, which may go against the stored order.
    np.testing.assert_array_equal(np.sort(other.voxels, axis=None), np.sort(VOLUME, axis=None))
    labels = turned.voxels if np.array_equal(other.voxels, stored(VOLUME, order, flips).voxels) else turned.voxels[::-1]
    Dicom().write(tmp_path / "mask.dcm", labels, other, ("a",))
    np.testing.assert_array_equal(Dicom().read_mask(tmp_path / "mask.dcm", scan).labels, marked)


def edited(path, edit):
    image = pydicom.dcmread(path)
    edit(image, image.SharedFunctionalGroupsSequence[0])
    image.save_as(path)


@pytest.mark.parametrize(
    "what", ["twice the spacing", "one spacing", "turned by 10 degrees", "moved", "half the columns", "between slices"]
)
def test_another_grid_is_refused_with_both(scan, tmp_path, what):
    path = tmp_path / "mask.dcm"
    labels = (scan.voxels > 100).astype(np.uint8)
    Dicom().write(path, labels, scan, ("a",))

    def edit(image, shared):
        measures = shared.PixelMeasuresSequence[0]
        c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
        places = [frame.PlanePositionSequence[0] for frame in image.PerFrameFunctionalGroupsSequence]
        if what == "twice the spacing":
            measures.PixelSpacing = [2 * float(value) for value in measures.PixelSpacing]
        elif what == "one spacing":
            measures.PixelSpacing = [float(measures.PixelSpacing[0]) * 1.1, measures.PixelSpacing[1]]
        elif what == "turned by 10 degrees":
            shared.PlaneOrientationSequence[0].ImageOrientationPatient = [c, s, 0, -s, c, 0]
        elif what == "half the columns":
            pages = np.ascontiguousarray(image.pixel_array.reshape(-1, 8, 10)[:, :, ::2])
            image.Columns, image.PixelData = 5, pydicom.pixels.pack_bits(pages)
        for place in places:
            x, y, z = map(float, place.ImagePositionPatient)
            if what == "moved":
                place.ImagePositionPatient = [x + 0.4, y, z]
            elif what == "between slices":
                place.ImagePositionPatient = [x, y, z + 0.7]

    edited(path, edit)
    with pytest.raises(LiteMedSamError, match=r"on another grid than the scan .*: a frame of .* expected slices of"):
        Dicom().read_mask(path, scan)


def test_segments_belong_to_their_scan(scan, tmp_path):
    path = tmp_path / "mask.dcm"
    Dicom().write(path, (scan.voxels > 100).astype(np.uint8), scan, ("a",))
    flat = Scan("flat", VOLUME[0], False)
    moved = Scan("moved", scan.voxels, True, Geometry(scan.geometry.affine + np.eye(4, k=3) * 0.4))
    smaller = Scan("smaller", scan.voxels[:, :4], True, scan.geometry)
    for other, words in (
        (flat, "does not say where it lies"),
        (moved, "lies on another grid"),
        (smaller, r"a frame of 10 × 8 pixels .*, expected slices of 10 × 4 pixels"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            Dicom().read_mask(path, other)
    dicom_image(VOLUME[0]).save_as(tmp_path / "b.dcm")
    with pytest.raises(LiteMedSamError, match="not a DICOM SEG"):
        Dicom().read_mask(tmp_path / "b.dcm", scan)


def test_a_scan_without_a_place_takes_masks_of_its_shape(scan, tmp_path):
    Dicom().write(tmp_path / "seg.dcm", (scan.voxels > 100).astype(np.uint8), scan, ("a",))
    dicom_image(VOLUME[0], modality="CR").save_as(tmp_path / "flat.dcm")
    many_frames(VOLUME, Modality="US").save_as(tmp_path / "frames.dcm")
    for name, kind, mask in (("flat", "png", VOLUME[0] > 100), ("frames", "npz", VOLUME > 100)):
        lost = Dicom().read(tmp_path / f"{name}.dcm")
        with pytest.raises(LiteMedSamError, match="does not say where it lies; give the mask as a picture or an npz"):
            Dicom().read_mask(tmp_path / "seg.dcm", lost)
        path = tmp_path / f"mask.{kind}"
        FORMATS[kind].write(path, mask.astype(np.uint8), lost, ("a",))
        np.testing.assert_array_equal(FORMATS[kind].read_mask(path, lost).labels, mask)


def test_frames_without_a_segment_or_in_colours_are_refused(scan, tmp_path):
    labels = np.zeros(scan.grid, np.uint8)
    labels[0, 1:3, 4:7] = 1
    path = write_segmentation(tmp_path / "seg.dcm", scan, labels, "BINARY")
    image = pydicom.dcmread(path)
    for item in (*image.PerFrameFunctionalGroupsSequence, *image.SharedFunctionalGroupsSequence):
        item.pop("SegmentIdentificationSequence", None)
    image.save_as(path)
    with pytest.raises(LiteMedSamError, match="its frame 0 names no segment; export it from its program again"):
        Dicom().read_mask(path, scan)
    path = write_segmentation(tmp_path / "fractions.dcm", scan, labels.astype(float), "FRACTIONAL")
    image = pydicom.dcmread(path)
    image.SamplesPerPixel, image.PlanarConfiguration, image.PhotometricInterpretation = 3, 0, "RGB"
    image.PixelData = image.PixelData * 3
    image.save_as(path)
    with pytest.raises(LiteMedSamError, match="a segmentation in colours, expected one number per voxel"):
        Dicom().read_mask(path, scan)
