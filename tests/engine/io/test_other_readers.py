"""What others make of the files: highdicom's reader, and where they are installed dcmqi (as in 3D Slicer) and ITK."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from litemedsam.engine.io.formats import FORMATS
from synthetic_scans import oblique, phantom, stored, write_series

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NAMES = ["kidney left", "tumour"]
CONVERTER = shutil.which("segimage2itkimage") or shutil.which("segimage2itkimage", path=Path(sys.executable).parent)


@pytest.fixture(params=["oblique", "turned", "thick slices", "no thickness"])
def scan(request, tmp_path):
    """A series and labels with a block in each of two corners and nothing on the slices between."""
    volume = phantom(6, 8, 9)
    turned = request.param == "turned"
    source = stored(volume, (2, 0, 1), (True, False, True)) if turned else oblique(volume)
    for path in write_series(tmp_path / "series", source):
        image = pydicom.dcmread(path)
        image.SliceThickness = {"thick slices": 5, "no thickness": None}.get(request.param, image.SliceThickness)
        image.save_as(path)
    read = FORMATS["dicom"].read(tmp_path / "series")
    labels = np.zeros(read.grid, np.uint8)
    labels[0, :2, :3] = 1
    labels[-2, -3:, -2:] = 2
    return read, labels


def places(labels, affine):
    """Where the voxels of a label map [z, y, x] are, with their label."""
    z, y, x = np.nonzero(labels)
    points = np.c_[x, y, z, np.ones(len(x))] @ affine.T
    return np.array(sorted((*np.round(p[:3], 3), n) for p, n in zip(points, labels[z, y, x], strict=True)))


def test_highdicom_reads_a_segmentation_back(scan, tmp_path):
    scan, labels = scan
    FORMATS["dicom"].write(tmp_path / "seg.dcm", labels, scan, NAMES)
    segmentation = highdicom.seg.segread(tmp_path / "seg.dcm")
    volume = segmentation.get_volume(combine_segments=True)
    # Its axes are slice, row, column.
    affine = volume.affine[:, [2, 1, 0, 3]]
    np.testing.assert_allclose(places(volume.array, affine), places(labels, LPS @ scan.geometry.affine), atol=2e-3)
    kidney, tumour = (segmentation.get_segment_description(number) for number in (1, 2))
    assert (kidney.segment_label, tumour.segment_label) == tuple(NAMES)
    assert kidney.segmented_property_type.meaning == "Kidney"
    side = kidney.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0]
    assert side.CodeMeaning == "Left"
    assert tumour.segmented_property_category.meaning == "Morphologically Abnormal Structure"
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SpacingBetweenSlices) == pytest.approx(scan.geometry.spacing[2])
    assert segmentation.get_source_image_uids()


@pytest.mark.skipif(CONVERTER is None, reason="dcmqi is not installed")
def test_dcmqi_reads_a_segmentation_back(scan, tmp_path):
    itk = pytest.importorskip("SimpleITK")
    scan, labels = scan
    FORMATS["dicom"].write(tmp_path / "seg.dcm", labels, scan, NAMES)
    (tmp_path / "out").mkdir()
    command = [CONVERTER, "--inputDICOM", "seg.dcm", "--outputDirectory", "out", "-t", "nii", "--mergeSegments"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    image = itk.ReadImage(str(tmp_path / "out" / "1.nii.gz"))
    found = places(itk.GetArrayFromImage(image), itk_affine(image))
    np.testing.assert_allclose(found, places(labels, LPS @ scan.geometry.affine), atol=2e-3)
    kidney, tumour = json.loads((tmp_path / "out" / "meta.json").read_text())["segmentAttributes"][0]
    assert (kidney["SegmentLabel"], tumour["SegmentLabel"]) == tuple(NAMES)
    assert kidney["SegmentedPropertyTypeModifierCodeSequence"]["CodeMeaning"] == "Left"


def test_itk_reads_a_nifti_mask_where_the_series_is(scan, tmp_path):
    itk = pytest.importorskip("SimpleITK")
    scan, labels = scan
    FORMATS["nifti"].write(tmp_path / "mask.nii.gz", labels, scan, NAMES)
    image = itk.ReadImage(str(tmp_path / "mask.nii.gz"))
    found = places(itk.GetArrayFromImage(image), itk_affine(image))
    np.testing.assert_allclose(found, places(labels, LPS @ scan.geometry.affine), atol=2e-3)
    names = itk.ImageSeriesReader.GetGDCMSeriesFileNames(scan.name)
    series = itk.ReadImage(names)
    np.testing.assert_array_equal(itk.GetArrayFromImage(series), scan.voxels)
    np.testing.assert_allclose(itk_affine(series), itk_affine(image), atol=1e-3)


def itk_affine(image):
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return affine
