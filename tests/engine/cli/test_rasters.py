"""``litemedsam-infer`` over NRRD and MetaImage."""

import csv

import numpy as np
import pytest
import SimpleITK
from litemedsam.engine.io.formats import format_of
from sample_scans import BOX, labels

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")


@pytest.fixture
def cohort(scans, tmp_path):
    """The NIfTI scan and its mask as ITK writes them in other formats."""
    for name in ("scan", "mask", "strokes"):
        image = SimpleITK.ReadImage(str(scans / f"{name}.nii.gz"))
        for suffix in SUFFIXES:
            folder = tmp_path / name / suffix[1:]
            folder.mkdir(parents=True)
            SimpleITK.WriteImage(image, str(folder / f"scan{suffix}"))
    return tmp_path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_scan_gives_the_masks_of_its_nifti(infer, scans, cohort, suffix):
    path = cohort / "scan" / suffix[1:] / f"scan{suffix}"
    infer(scans / "scan.nii.gz", "--box", BOX)
    infer(path, "--box", BOX, "--overlay", "--csv", cohort / "objects.csv")
    result = cohort / "results" / ("scan.nrrd" if suffix in (".nrrd", ".nhdr") else "scan.mha")
    written = SimpleITK.ReadImage(str(result))
    nifti = SimpleITK.ReadImage(str(cohort / "results" / "scan.nii.gz"))
    assert SimpleITK.GetArrayFromImage(written).any()
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(written), labels(cohort / "results" / "scan.nii.gz"))
    for part in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(written, part)(), getattr(nifti, part)(), atol=1e-5)
    assert (cohort / "results" / "scan.png").is_file()
    with open(cohort / "objects.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["volume_ml"]) > 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_masks_strokes_and_folders_of_any_format(infer, cohort, suffix):
    scan, other = cohort / "scan" / suffix[1:], ".mha" if suffix == ".nrrd" else ".nrrd"
    masks, strokes = cohort / "mask" / other[1:], cohort / "strokes" / suffix[1:]
    run = infer(scan, "--boxes-from", masks, "--scribbles", strokes, "--format", "nifti")
    assert "1 of 1 segmented" in run.output or "2 objects" in run.output
    assert set(np.unique(labels(cohort / "results" / "scan.nii.gz"))) == {0, 1, 2}


@pytest.mark.parametrize("name", ["nrrd", "mha"])
def test_other_scans_become_nrrd_and_mha(infer, scans, tmp_path, name):
    for source in ("scan.nii.gz", "series", "volume.npz"):
        infer(scans / source, *(() if source.endswith("npz") else ("--box", BOX)), "--format", name)
        stem = source.partition(".")[0]
        found = tmp_path / "results" / f"{stem}.{name}"
        assert format_of(found).name == name
        assert SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(found))).any()
