"""NRRD and MetaImage as ITK writes and reads them, in every orientation."""

from itertools import permutations, product

import nibabel
import numpy as np
import pytest
import SimpleITK
from litemedsam.engine.io.formats import FORMATS, format_of, result_name
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare
from synthetic_scans import oblique, phantom, stored

VOLUME = phantom(5, 6, 7)
DRAWN = np.zeros(VOLUME.shape, np.uint8)
DRAWN[0, :2, :3] = 1
DRAWN[4, 5, 0] = 2
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
ALL = [(order, flips) for order in permutations(range(3)) for flips in product((False, True), repeat=3)]


def itk_image(scan):
    """The image of ITK of a synthetic scan, whose affine counts towards left, posterior, superior."""
    affine = LPS @ scan.ras
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(scan.voxels))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def same_place(image, other):
    for part in ("GetSpacing", "GetDirection", "GetOrigin"):
        np.testing.assert_allclose(getattr(image, part)(), getattr(other, part)(), atol=1e-12)


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("order", "flips"), [*ALL[::5], ("oblique", ())])
def test_itk_s_files_in_every_orientation(tmp_path, suffix, packed, order, flips):
    source = oblique(VOLUME) if order == "oblique" else stored(VOLUME, order, flips)
    image = itk_image(source)
    path = tmp_path / f"scan{suffix}"
    SimpleITK.WriteImage(image, str(path), packed)
    scan = format_of(path).read(path)
    np.testing.assert_array_equal(scan.voxels, source.voxels)
    np.testing.assert_allclose(scan.geometry.affine, source.ras, atol=1e-12)

    prepared = prepare(scan, Objects.of_boxes("scan", np.zeros((1, 6))))
    np.testing.assert_array_equal(prepared.case.pixels, VOLUME)
    kind = format_of(path)
    result = tmp_path / "out" / result_name(path, kind)
    assert result.suffix == (".nrrd" if suffix in (".nrrd", ".nhdr") else ".mha")
    result.parent.mkdir()
    kind.write(result, prepared.restore(DRAWN), scan, ("first", "second"))
    written = SimpleITK.ReadImage(str(result))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(written), prepared.restore(DRAWN))
    same_place(written, image)
    np.testing.assert_array_equal(kind.read_mask(result, scan).labels, prepared.restore(DRAWN))


@pytest.mark.parametrize("name", ["nrrd", "mha", "nifti"])
def test_formats_become_each_other(tmp_path, name):
    source = oblique(VOLUME)
    nibabel.Nifti1Image(source.voxels.transpose(), source.ras).to_filename(tmp_path / "a.nii.gz")
    SimpleITK.WriteImage(itk_image(source), str(tmp_path / "a.nrrd"))
    SimpleITK.WriteImage(itk_image(source), str(tmp_path / "a.mha"))
    for path in (tmp_path / "a.nii.gz", tmp_path / "a.nrrd", tmp_path / "a.mha"):
        scan = format_of(path).read(path)
        result = tmp_path / result_name(tmp_path / "b.x", FORMATS[name])
        FORMATS[name].write(result, DRAWN, scan, ())
        written = SimpleITK.ReadImage(str(result))
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(written), DRAWN)
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(written.GetDirection(), (3, 3)) * written.GetSpacing()
        affine[:3, 3] = written.GetOrigin()
        np.testing.assert_allclose(LPS @ affine, source.ras, atol=1e-4)
        # A mask of one format for a scan of another.
        np.testing.assert_array_equal(FORMATS[name].read_mask(result, scan).labels, DRAWN)
