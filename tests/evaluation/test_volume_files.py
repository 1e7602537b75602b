"""Truths and masks as NIfTI, NRRD and MetaImage, beside npz and mixed with it."""

import csv
import json

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.evaluation.cases import masks_of, read_masks, read_prompted, read_truth
from litemedsam.evaluation.cli import main
from litemedsam.evaluation.evaluate import evaluate_case
from structure import KINDS, Package, engine_room, house_room, reach

from litemedsam import LiteMedSamError

AFFINE = np.diag([-0.8, -0.7, 5.0, 1.0])
SHAPE = (6, 40, 50)


def labels(*objects, shape=SHAPE):
    made = np.zeros(shape, np.uint8)
    for k, (y, x, side) in enumerate(objects, 1):
        made[..., y : y + side, x : x + side] = k
    return made


TRUTH, MASKS = labels((4, 4, 10), (20, 30, 10)), labels((4, 5, 10), (21, 30, 10))


def nifti(folder, name, array, affine=AFFINE, kind=nibabel.Nifti1Image):
    folder.mkdir(exist_ok=True)
    kind(np.ascontiguousarray(array.transpose()), affine).to_filename(folder / name)
    return folder / name


def npz(folder, name, **arrays):
    folder.mkdir(exist_ok=True)
    np.savez(folder / name, **arrays)
    return folder / name


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def rows(path):
    with open(path, newline="") as file:
        return [{key: value for key, value in row.items() if key != "case"} for row in csv.DictReader(file)]


def test_nifti_folders_give_the_figures_of_npz_folders(tmp_path):
    nifti(tmp_path / "gts", "3DBox_MR_a.nii.gz", TRUTH)
    nifti(tmp_path / "segs", "3DBox_MR_a.nii.gz", MASKS.astype(np.float32))
    npz(tmp_path / "npz-gts", "3DBox_MR_a.npz", gts=TRUTH, spacing=np.float32([0.8, 0.7, 5]).astype(float))
    npz(tmp_path / "npz-segs", "3DBox_MR_a.npz", segs=MASKS)
    tables = {}
    for gts, segs in (("gts", "segs"), ("npz-gts", "npz-segs"), ("npz-gts", "segs"), ("gts", "npz-segs")):
        table = tmp_path / f"{gts}-{segs}.csv"
        result = run("-s", tmp_path / segs, "-g", tmp_path / gts, "--csv", table)
        assert result.exit_code == 0, result.output
        assert "MR 3D" in result.stdout
        tables[gts, segs] = rows(table)
    first = tables["gts", "segs"]
    assert len(first) == 2
    assert 0 < float(first[0]["corrected_dsc"]) < 1
    assert all(table == first for table in tables.values())


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_other_volumes_give_the_figures_of_nifti(tmp_path, suffix):
    sitk = pytest.importorskip("SimpleITK")
    pytest.importorskip("nrrd")
    for folder, array in (("gts", TRUTH), ("segs", MASKS)):
        (tmp_path / folder).mkdir()
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((0.8, 0.7, 5.0))
        sitk.WriteImage(image, str(tmp_path / folder / f"a{suffix}"))
    found = evaluate_case(tmp_path / "gts" / f"a{suffix}", tmp_path / "segs" / f"a{suffix}")
    assert found.spacing == pytest.approx((0.8, 0.7, 5.0))
    truth = nifti(tmp_path / "nifti", "a.nii.gz", TRUTH)
    masks = nifti(tmp_path / "masks", "a.nii.gz", MASKS)
    expected = evaluate_case(truth, masks).figures["masks"]["corrected"]
    assert found.figures["masks"]["corrected"].dsc == pytest.approx(expected.dsc)
    assert found.figures["masks"]["corrected"].nsd == pytest.approx(expected.nsd, abs=1e-6)


def test_an_image_of_another_format_is_an_image(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    flat = labels((4, 4, 10), shape=(40, 50))
    sitk.WriteImage(sitk.GetImageFromArray(flat), str(tmp_path / "a.mha"))
    truth = read_truth(tmp_path / "a.mha")
    assert (truth.labels.shape, truth.spacing) == ((40, 50), None)
    np.testing.assert_array_equal(read_masks(tmp_path / "a.mha", truth), flat)
    np.testing.assert_array_equal(read_masks(nifti(tmp_path, "a.nii", flat), truth), flat)
    with pytest.raises(LiteMedSamError, match=r"the name says 3D; begin the name with 2D, or store a volume"):
        read_truth((tmp_path / "a.mha").rename(tmp_path / "3D_CT_a.mha"))


def test_spacing_is_the_header_s(tmp_path):
    path = nifti(tmp_path, "a.nii.gz", TRUTH)
    assert read_truth(path).spacing == pytest.approx((0.8, 0.7, 5.0))
    image = nibabel.Nifti1Image(np.ascontiguousarray(TRUTH.T), np.diag([-0.0008, -0.0007, 0.005, 1]))
    image.header.set_xyzt_units("meter")
    image.to_filename(tmp_path / "metres.nii")
    assert read_truth(tmp_path / "metres.nii").spacing == pytest.approx((0.8, 0.7, 5.0))


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.Nifti1Pair])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_every_kind_of_nifti_is_read(tmp_path, kind, dtype):
    suffix = ".img" if kind is nibabel.Nifti1Pair else ".nii"
    nifti(tmp_path, f"a{suffix}", TRUTH.astype(dtype), kind=kind)
    truth = read_truth(tmp_path / ("a.hdr" if suffix == ".img" else "a.nii"))
    assert truth.labels.dtype == np.uint16
    np.testing.assert_array_equal(truth.labels, TRUTH)


def test_a_flat_file_is_a_single_image(tmp_path):
    """Its distances are pixels, as in npz; results may have one slice."""
    flat = labels((4, 4, 10), shape=(40, 50))
    path = nifti(tmp_path / "gts", "2DBox_US_a.nii.gz", flat)
    truth = read_truth(path)
    assert (truth.labels.shape, truth.spacing) == ((40, 50), None)
    one_slice = nifti(tmp_path / "segs", "2DBox_US_a.nii.gz", flat[None])
    np.testing.assert_array_equal(read_masks(one_slice, truth), flat)
    # The name decides where the header has three axes.
    np.testing.assert_array_equal(read_truth(one_slice).labels, flat)
    volume = read_truth(nifti(tmp_path, "3DBox_US_a.nii.gz", flat[None]))
    assert volume.spacing == pytest.approx((0.8, 0.7, 5))
    as_npz = npz(tmp_path, "2DBox_US_a.npz", segs=flat[None], gts=flat)
    np.testing.assert_array_equal(read_masks(as_npz, truth), flat)
    np.testing.assert_array_equal(read_masks(one_slice, read_truth(as_npz)), flat)
    assert evaluate_case(path, one_slice).figures["masks"]["corrected"].nsd == 1
    with pytest.raises(
        LiteMedSamError, match=r"holds an array \(6, 40, 50\), the name says 2D; begin the name with 3D"
    ):
        read_truth(nifti(tmp_path, "2DBox_US_b.nii.gz", TRUTH))


def moved(mm):
    affine = AFFINE.copy()
    affine[0, 3] += mm
    return affine


@pytest.mark.parametrize(
    ("array", "affine", "words"),
    [
        (MASKS[:5], AFFINE, "has (50, 40, 5) voxels along x, y, z; the scan 3DBox_MR_a.nii.gz has (50, 40, 6)"),
        (MASKS, moved(3), "3 mm away"),
        (MASKS, np.diag([-0.8, -0.7, 2.5, 1.0]), "3DBox_MR_a.nii.gz"),
        (MASKS * np.float32(0.5), AFFINE, "whole numbers"),
        (MASKS.astype(np.int16) * -1, AFFINE, "holds labels -2 to 0, expected 0 to 65535"),
        (np.stack([MASKS, MASKS]), AFFINE, "holds several volumes, expected one label map; store each volume in"),
    ],
)
def test_masks_that_do_not_fit_are_refused(tmp_path, array, affine, words):
    truth = read_truth(nifti(tmp_path / "gts", "3DBox_MR_a.nii.gz", TRUTH))
    with pytest.raises(LiteMedSamError) as error:
        read_masks(nifti(tmp_path / "segs", "3DBox_MR_a.nii.gz", array, affine), truth)
    assert words in str(error.value)
    with pytest.raises(LiteMedSamError, match="no such file; every ground truth needs masks of the same file name"):
        read_masks(tmp_path / "absent.nii.gz", truth)


def test_bad_truths_are_refused(tmp_path):
    for array, words in (
        (TRUTH * np.float32(0.5), "whole numbers"),
        (np.stack([TRUTH, TRUTH]), "holds several volumes"),
        (TRUTH.astype(np.int32) * 70000, "holds labels 0 to 140000"),
    ):
        with pytest.raises(LiteMedSamError, match=words):
            read_truth(nifti(tmp_path, "a.nii.gz", array))
    (tmp_path / "torn.nii").write_bytes((nifti(tmp_path, "whole.nii", TRUTH)).read_bytes()[:900])
    with pytest.raises(LiteMedSamError, match="not a NIfTI file, or a damaged one"):
        read_truth(tmp_path / "torn.nii")


def test_rivals_need_npz(tmp_path):
    path = nifti(tmp_path / "gts", "3DBox_MR_a.nii.gz", TRUTH)
    with pytest.raises(LiteMedSamError, match="holds no imgs and boxes, which rivals need; leave --rivals out"):
        read_prompted(path, SHAPE)
    nifti(tmp_path / "segs", "3DBox_MR_a.nii.gz", MASKS)
    assert run("-s", tmp_path / "segs", "-g", tmp_path / "gts", "--rivals").exit_code == 1
    # The remedy.
    assert run("-s", tmp_path / "segs", "-g", tmp_path / "gts").exit_code == 0


def test_masks_of_nnu_net_s_images_belong_to_its_labels(tmp_path):
    nifti(tmp_path / "gts", "case.nii.gz", TRUTH)
    nifti(tmp_path / "segs", "case_0000.nii.gz", TRUTH)
    result = run("-s", tmp_path / "segs", "-g", tmp_path / "gts", "--csv", tmp_path / "a.csv")
    assert result.exit_code == 0, result.output
    assert [float(row["corrected_dsc"]) for row in rows(tmp_path / "a.csv")] == [1, 1]
    # The plain name comes first.
    plain = nifti(tmp_path / "segs", "case.nii", TRUTH)
    assert masks_of(tmp_path / "segs", "case.nii.gz") == plain


def test_masks_stored_in_another_direction_are_turned(tmp_path):
    truth = read_truth(nifti(tmp_path / "gts", "a.nii.gz", TRUTH))
    turned = AFFINE.copy()
    turned[:, 0] *= -1
    turned[0, 3] = AFFINE[0, 0] * (SHAPE[2] - 1)
    flipped = nifti(tmp_path / "segs", "a.nii.gz", MASKS[..., ::-1], turned)
    np.testing.assert_array_equal(read_masks(flipped, truth), MASKS)


def test_masks_without_a_truth_are_failures(tmp_path):
    nifti(tmp_path / "gts", "a.nii.gz", TRUTH)
    nifti(tmp_path / "segs", "a.nii.gz", MASKS)
    npz(tmp_path / "segs", "b.npz", segs=MASKS)
    result = run("-s", tmp_path / "segs", "-g", tmp_path / "gts", "--json", tmp_path / "a.json")
    assert result.exit_code == 1
    assert "b.npz: no ground truth of this name" in result.stderr
    document = json.loads((tmp_path / "a.json").read_text())
    assert [case["name"] for case in document["cases"]] == ["a.nii.gz"]
    assert [failure["name"] for failure in document["failures"]] == ["b.npz"]
    # The remedy.
    (tmp_path / "segs" / "b.npz").unlink()
    assert run("-s", tmp_path / "segs", "-g", tmp_path / "gts").exit_code == 0


def test_the_evaluation_shares_readers_with_the_engine_and_makes_masks_for_clicks_alone():
    package = Package()
    graph = package.graph(*KINDS)
    clicking = {"interaction", "click_report", "cli"}
    for module in package.paths:
        if house_room(module) == "evaluation" and module.rpartition(".")[2] not in clicking:
            rooms = {engine_room(name) for name in reach(graph, module)} - {None}
            assert rooms <= {"io", "scan", "case", "system"}, module


def test_a_volume_without_spacing_is_refused(tmp_path):
    fields = ["NRRD0004", "type: uint8", "dimension: 3", "sizes: 50 40 6", "encoding: raw", "", ""]
    path = tmp_path / "3DBox_MR_a.nrrd"
    path.write_bytes("\n".join(fields).encode() + TRUTH.tobytes())
    with pytest.raises(LiteMedSamError, match="does not state how far its voxels are apart; write its spacing"):
        read_truth(path)
