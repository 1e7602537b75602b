"""What a DICOM SEG takes over from its images, and which images it can refer to."""

import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.io.dicom.sources import clean_label
from litemedsam.engine.scan.scan import Scan
from synthetic_scans import dicom_image, edit_series, many_frames, phantom, stored, write_series

from litemedsam import LiteMedSamError

VOLUME = phantom(4, 8, 10)
PLACE = {"ImagePositionPatient": [5, 6, 7], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [2, 1]}


@pytest.fixture
def paths(tmp_path):
    return write_series(tmp_path / "series", stored(VOLUME, (0, 1, 2), (False,) * 3))


def result(source, tmp_path, names=("a",)):
    """A SEG of one voxel, once its source was found fit; the voxel comes back."""
    scan = Dicom().read(source)
    labels = np.zeros(scan.grid, np.uint8)
    labels[1, 2, 3] = 1
    Dicom().check_result(tmp_path / "seg.dcm", scan, names)
    Dicom().write(tmp_path / "seg.dcm", labels, scan, names)
    np.testing.assert_array_equal(Dicom().read_mask(tmp_path / "seg.dcm", scan).labels, labels)
    return pydicom.dcmread(tmp_path / "seg.dcm")


TYPE_2 = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)


def test_missing_attributes_become_empty(paths, tmp_path):
    def edit(image):
        for key in (*TYPE_2, "PositionReferenceIndicator", "SeriesNumber", "InstanceNumber", "Manufacturer"):
            delattr(image, key)

    edit_series(paths, edit)
    written = result(paths[0].parent, tmp_path)
    assert [str(written[key].value or "") for key in TYPE_2] == [""] * len(TYPE_2)
    assert written.SeriesNumber == 1000


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("PatientSex", b"UNKNOWN ", ""),
        ("PatientSex", b"m ", ""),
        ("PatientSex", b"F ", "F"),
        ("PatientBirthDate", b"01/02/1960", ""),
        ("StudyDate", b"2020-01-01", ""),
        ("StudyTime", b"noon", ""),
        ("PatientID", b"x" * 70, ""),
        ("AccessionNumber", b"1" * 20, ""),
        ("PatientWeight", b"heavy ", None),
        ("PatientAge", b"60", None),
        ("SeriesNumber", b"third ", 1000),
        ("SeriesNumber", b"2147483640", 1000),
        ("StudyDescription", b"y" * 90, None),
        ("StudyID", b"1234\\", ""),
        ("PatientSize", b"1.7\\1.8", None),
    ],
)
def test_invalid_values_do_not_stop_a_result(paths, tmp_path, key, given, kept):
    def edit(image):
        element = pydicom.dataelem.RawDataElement(
            pydicom.tag.Tag(key), pydicom.datadict.dictionary_VR(key), len(given), given, 0, False, True
        )
        image[key] = element

    edit_series(paths, edit)
    written = result(paths[0].parent, tmp_path)
    assert written.get(key) == kept


@pytest.mark.parametrize(
    ("charset", "encoded"),
    [
        ("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J"),
        ("GB18030", "Yamada^Tarou=山田^太郎".encode("gb18030")),
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎".encode()),
    ],
)
def test_text_of_every_character_set_becomes_utf_8(paths, tmp_path, charset, encoded):
    def edit(image):
        image.SpecificCharacterSet = charset.split("\\")
        image.PatientName = "N" * len(encoded)

    edit_series(paths, edit)
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"N" * len(encoded), encoded))
    written = result(paths[0].parent, tmp_path, ("肝臓 ü",))
    assert written.SpecificCharacterSet == "ISO_IR 192"
    assert str(written.PatientName) == "Yamada^Tarou=山田^太郎"
    assert written.SegmentSequence[0].SegmentLabel == "肝臓 ü"
    assert "肝臓".encode() in (tmp_path / "seg.dcm").read_bytes()


@pytest.mark.parametrize("charset", ["\\ISO 2022 IR 149", "ISO_IR 100", "ISO_IR 13", "ISO-8859-1", "nonsense", None])
def test_other_character_sets_do_not_stop_a_result(paths, tmp_path, charset):
    def edit(image):
        if charset is not None:
            image.SpecificCharacterSet = charset.split("\\")

    edit_series(paths, edit)
    written = result(paths[0].parent, tmp_path, ("Größe µ",))
    assert written.SegmentSequence[0].SegmentLabel == "Größe µ"
    assert written.PatientName == "Phantom"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a\\b", "a b"),
        ("line\nbreak\r\ttab", "line break tab"),
        ("  ", "Object 3"),
        ("", "Object 3"),
        ("\\", "Object 3"),
        ("\x00\x1b[31m", "[31m"),
        ("\ud800x", "x"),
        ("\u2028y", "y"),
        ("x" * 70, "x" * 64),
        ("a" * 63 + " b", "a" * 63),
        ("肝臓", "肝臓"),
    ],
)
def test_labels_are_one_value_of_printable_characters(name, label):
    assert clean_label(name, 3) == label


@pytest.mark.parametrize("name", ["肝\\臓", "a\nb", " ", "\ud800", "é" * 80])
def test_any_name_can_be_written(paths, tmp_path, name):
    label = result(paths[0].parent, tmp_path, (name,)).SegmentSequence[0].SegmentLabel
    assert isinstance(label, str)
    assert label == clean_label(name, 1)


def test_frames_that_share_one_place_can_be_referred_to(tmp_path):
    many_frames(VOLUME, **PLACE, SpacingBetweenSlices=2.5).save_as(tmp_path / "frames.dcm")
    written = result(tmp_path / "frames.dcm", tmp_path)
    frame = written.PerFrameFunctionalGroupsSequence[0]
    assert [float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient] == [5, 6, 9.5]
    source = frame.DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedFrameNumber == 2
    assert source.ReferencedSOPClassUID == pydicom.uid.CTImageStorage
    classes = {e.value for e in written.iterall() if e.keyword == "ReferencedSOPClassUID"}
    assert classes == {pydicom.uid.CTImageStorage}


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("StudyInstanceUID", "its images lack StudyInstanceUID"),
        ("SOPInstanceUID", "its images lack SOPInstanceUID"),
        ("SOPClassUID", "its images lack SOPClassUID"),
        ("FrameOfReferenceUID", "its 4 images have no frame of reference"),
    ],
)
def test_images_that_cannot_be_referred_to_are_refused_in_words(paths, tmp_path, missing, words):
    edit_series(paths, lambda image: delattr(image, missing))
    scan = Dicom().read(paths[0].parent)
    with pytest.raises(LiteMedSamError, match=f"{words}.*use --format nifti") as error:
        Dicom().check_result(tmp_path / "seg.dcm", scan, ("a",))
    assert "attribute" not in str(error.value)


def test_a_film_of_ultrasound_is_refused_in_words(tmp_path):
    image = many_frames(VOLUME, FrameTime=33, Modality="US", SOPClassUID="1.2.840.10008.5.1.4.1.1.3.1")
    del image.FrameOfReferenceUID
    image.save_as(tmp_path / "cine.dcm")
    for frame in (None, 2):
        scan = Dicom().read(tmp_path / "cine.dcm", frame)
        with pytest.raises(LiteMedSamError, match="its 4 images have no frame of reference"):
            Dicom().check_result(tmp_path / "seg.dcm", scan, ("a",))


def test_images_of_different_frames_of_reference_and_no_images(paths, tmp_path):
    image = pydicom.dcmread(paths[0])
    image.FrameOfReferenceUID = "1.2.3"
    image.save_as(paths[0])
    with pytest.raises(LiteMedSamError, match="its images differ in FrameOfReferenceUID"):
        Dicom().check_result(tmp_path / "seg.dcm", Dicom().read(paths[0].parent), ("a",))
    with pytest.raises(LiteMedSamError, match="needs DICOM images to refer to"):
        Dicom().check_result(tmp_path / "seg.dcm", Scan("scan", VOLUME, True), ("a",))
    many = Dicom().read(paths[1])
    with pytest.raises(LiteMedSamError, match="at most 65535 segments"):
        Dicom().check_result(tmp_path / "seg.dcm", many, ("a",) * 65536)


def test_a_flat_image_without_frame_of_reference_can_be_referred_to(tmp_path):
    image = dicom_image(VOLUME[0], modality="CR")
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = pydicom.uid.ComputedRadiographyImageStorage
    del image.FrameOfReferenceUID
    image.save_as(tmp_path / "cr.dcm")
    scan = Dicom().read(tmp_path / "cr.dcm")
    Dicom().check_result(tmp_path / "seg.dcm", scan, ("a",))
    Dicom().write(tmp_path / "seg.dcm", (scan.voxels > 100).astype(np.uint8), scan, ("a",))
    assert pydicom.dcmread(tmp_path / "seg.dcm").pixel_array.sum() == (scan.voxels > 100).sum()


def test_a_single_frame_of_a_class_for_many_can_be_referred_to(tmp_path):
    image = many_frames(VOLUME[:1], **PLACE, SliceThickness=3, Modality="RTDOSE")
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = pydicom.uid.RTDoseStorage
    image.save_as(tmp_path / "dose.dcm")
    scan = Dicom().read(tmp_path / "dose.dcm")
    Dicom().check_result(tmp_path / "seg.dcm", scan, ("a",))
    labels = (scan.voxels > 100).astype(np.uint8)
    Dicom().write(tmp_path / "seg.dcm", labels, scan, ("a",))
    np.testing.assert_array_equal(Dicom().read_mask(tmp_path / "seg.dcm", scan).labels, labels)


def test_identifiers_of_an_unknown_type_are_refused_in_one_line(paths, tmp_path):
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content.replace(b"\x20\x00\x0d\x00UI", b"\x20\x00\x0d\x00UM"))
        assert path.read_bytes() != content
    scan = Dicom().read(paths[0].parent)
    with pytest.raises(LiteMedSamError, match="no DICOM SEG can refer to it"):
        Dicom().check_result(tmp_path / "seg.dcm", scan, ("a",))


def test_frames_without_places_are_refused_in_words(tmp_path):
    many_frames(VOLUME).save_as(tmp_path / "a.dcm")
    with pytest.raises(LiteMedSamError, match="its 4 images do not say where they lie"):
        Dicom().check_result(tmp_path / "seg.dcm", Dicom().read(tmp_path / "a.dcm"), ("a",))
