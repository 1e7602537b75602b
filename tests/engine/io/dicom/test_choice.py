"""Which images of a mixed folder are read."""

import pydicom
import pytest
from litemedsam.engine.io.dicom.format import Dicom
from litemedsam.engine.scan.mask import Mask
from synthetic_scans import ROOT, dicom_image, edit_series, phantom, stored, write_series

from litemedsam import LiteMedSamError

VOLUME = phantom(3, 8, 10)
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
DOSE = "1.2.840.10008.5.1.4.1.1.88.67"


def series(folder, number, description, shift=0, **values):
    """A series of its own in a folder that may hold others."""
    scan = stored(VOLUME + shift, (0, 1, 2), (False,) * 3)
    paths = write_series(folder / "new", scan)
    uid = f"{ROOT}{100 + number}"

    def edit(image):
        image.SeriesInstanceUID, image.SeriesNumber, image.SeriesDescription = uid, number, description
        image.SOPInstanceUID = f"{uid}.{image.InstanceNumber}"
        for key, value in values.items():
            setattr(image, key, value)

    edit_series(paths, edit)
    for path in paths:
        path.rename(folder / f"{number}-{path.name}")
    (folder / "new").rmdir()
    return uid


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mixed").mkdir()
    return tmp_path / "mixed"


def test_a_series_is_chosen_by_number_uid_or_description(folder):
    series(folder, 2, "Axial T1")
    uid = series(folder, 12, "Axial T2 FatSat", shift=5)
    for asked in ("12", uid, "t2", "Fatsat", " Axial T2 "):
        scan = Dicom(series=asked).read(folder)
        assert scan.voxels[0, 0, 0] == VOLUME[0, 0, 0] + 5
        assert len(scan.origin.images) == 3
    assert Dicom(series="2").read(folder).voxels[0, 0, 0] == VOLUME[0, 0, 0]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (None, r"contains 2 series \(2: CT Axial T1, 3 images; 12: CT Axial T2, 3 images\); choose one with --series"),
        ("axial", r"--series axial names 2 series \(2: CT Axial T1.*; give the UID"),
        ("7", r"contains no series 7, but 2: CT Axial T1, 3 images; 12"),
        ("", "contains no series , but"),
    ],
)
def test_without_a_clear_choice_the_series_are_listed(folder, asked, words):
    series(folder, 2, "Axial T1")
    series(folder, 12, "Axial T2")
    with pytest.raises(LiteMedSamError, match=words):
        Dicom(series=asked).read(folder)


def test_two_series_of_one_number_are_told_apart_by_uid(folder):
    uid = series(folder, 3, "first")
    edit_series(folder.iterdir(), lambda image: setattr(image, "SeriesNumber", 4))
    series(folder, 4, "second")
    with pytest.raises(LiteMedSamError, match=f"--series 4 names 2 series .*{uid}"):
        Dicom(series="4").read(folder)
    assert Dicom(series=uid).read(folder).origin.images[0].SeriesDescription == "first"


@pytest.mark.parametrize("own_series", [True, False])
def test_a_localizer_is_left_aside_with_a_note(folder, own_series):
    uid = series(folder, 2, "Axial")
    scout = dicom_image(phantom(1, 30, 20)[0], 77, series=f"{ROOT}1000" if own_series else uid)
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.save_as(folder / "scout")
    scan = Dicom().read(folder)
    assert scan.voxels.shape == VOLUME.shape
    assert [note for note in scan.notes if "left aside localizers: scout" in note]
    if own_series:
        assert Dicom(series=f"{ROOT}1000").read(folder).voxels.shape == (30, 20)


def test_localizers_alone_are_read(folder):
    series(folder, 1, "Scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert Dicom().read(folder).voxels.shape == VOLUME.shape


def test_dose_reports_are_left_aside_with_a_note(folder):
    series(folder, 2, "Axial")
    picture = dicom_image(phantom(1, 30, 20)[0], 78, series=f"{ROOT}1001")
    picture.SOPClassUID, picture.SeriesDescription = CAPTURE, "Dose Report"
    picture.save_as(folder / "picture")
    report = dicom_image(phantom(1, 8, 10)[0], 79, series=f"{ROOT}1002", modality="SR")
    report.SOPClassUID = DOSE
    del report.PixelData
    report.save_as(folder / "report")
    (folder / "notes.txt").write_text("seen by me")
    (folder / ".hidden").write_text("")
    scan = Dicom().read(folder)
    assert scan.voxels.shape == VOLUME.shape
    notes = " | ".join(scan.notes)
    assert "left aside captured screens and reports: picture" in notes
    assert "objects without an image (X-Ray Radiation Dose SR Storage): report" in notes
    assert "left aside files that are not DICOM: notes.txt" in notes
    assert "hidden" not in notes
    assert len(scan.notes) == 3


@pytest.mark.parametrize("kept", [300, -2000, -161])
def test_a_slice_that_was_cut_off_is_not_left_aside(folder, kept):
    series(folder, 2, "Axial")
    path = max(folder.iterdir(), key=lambda path: pydicom.dcmread(path).ImagePositionPatient[2])
    image = pydicom.dcmread(path)
    image.add_new(0x7FE00001, "OB", bytes(1900))
    image.save_as(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(LiteMedSamError, match=r"cut off|damaged"):
        Dicom().read(folder)


def test_a_segmentation_beside_its_series_is_named(folder):
    series(folder, 2, "Axial")
    scan = Dicom().read(folder)
    assert scan.notes == ()
    Dicom().write(folder / "seg.dcm", (scan.voxels > 100).astype("uint8"), scan, ("a",))
    again = Dicom().read(folder)
    assert again.notes == (f"{folder}: left aside segmentations: seg.dcm",)
    assert isinstance(Dicom().read_mask(folder / "seg.dcm", again), Mask)


def test_long_lists_of_files_are_cut(folder):
    series(folder, 2, "Axial")
    for number in range(10):
        (folder / f"{number}.txt").write_text("")
    [note] = Dicom().read(folder).notes
    assert note.endswith("left aside files that are not DICOM: 0.txt, 1.txt, 2.txt and 7 more")


def test_a_captured_picture_alone_is_read(folder):
    picture = dicom_image(phantom(1, 30, 20)[0], 78)
    picture.SOPClassUID = CAPTURE
    picture.save_as(folder / "picture")
    assert Dicom().read(folder).voxels.shape == (30, 20)


def test_a_single_file_has_no_series_to_choose(folder):
    dicom_image(VOLUME[0]).save_as(folder / "a.dcm")
    with pytest.raises(LiteMedSamError, match="leave --series out"):
        Dicom(series="1").read(folder / "a.dcm")


def test_a_report_alone_is_refused_by_its_name(folder):
    report = dicom_image(phantom(1, 8, 10)[0], modality="SR")
    report.SOPClassUID = DOSE
    del report.PixelData
    report.save_as(folder / "report.dcm")
    with pytest.raises(LiteMedSamError, match=r"contains no image \(X-Ray Radiation Dose SR Storage\)"):
        Dicom().read(folder / "report.dcm")
    with pytest.raises(LiteMedSamError, match="contains no DICOM images"):
        Dicom().read(folder)


def test_a_mosaic_is_refused_with_a_way_on(folder):
    series(folder, 2, "fMRI", ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    with pytest.raises(LiteMedSamError, match=r"a Siemens mosaic.*dcm2niix"):
        Dicom().read(folder)
    path = next(folder.iterdir())
    with pytest.raises(LiteMedSamError, match=r"a Siemens mosaic.*dcm2niix"):
        Dicom().read(path)
    assert pydicom.dcmread(path).ImageType[-1] == "MOSAIC"


def test_series_of_one_number_are_listed_with_their_uids(folder):
    uids = [series(folder, number, "Pilot", SeriesNumber=1) for number in (1, 2)]
    with pytest.raises(LiteMedSamError) as error:
        Dicom().read(folder)
    assert all(uid in str(error.value) for uid in uids)
    assert Dicom(series=uids[1]).read(folder).voxels.shape == VOLUME.shape
