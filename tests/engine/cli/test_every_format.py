"""``litemedsam-infer`` over scans of every format, with an untrained model."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import nibabel
import numpy as np
import places
import pydicom
import pytest
from click.testing import CliRunner
from litemedsam.engine.cli.main import main
from litemedsam.engine.io.formats import FORMATS
from PIL import Image
from synthetic_scans import ROOT, dicom_image, phantom, stored, write_series, write_slices

from litemedsam import LiteMedSamError, Predictor, segment

VOLUME = phantom(2, 40, 48)
BOX = "9,13,0,29,30,1"
IDENTITY = ((0, 1, 2), (False, False, False))


@pytest.fixture
def infer(untrained_bundle):
    """A function (arguments, exit code expected) to the command's result."""

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, [*map(str, arguments), "--model", str(untrained_bundle), "--threads", "1"])
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One phantom as npz, NIfTI stored backwards, shuffled DICOM, TIFF pages and PNG slices; one slice alone."""
    folder = tmp_path_factory.mktemp("phantom")
    boxes = np.array([[float(v) for v in BOX.split(",")]])
    np.savez(folder / "volume.npz", imgs=VOLUME, boxes=boxes, spacing=[1.2, 1.0, 1.4])
    np.savez(folder / "slice.npz", imgs=VOLUME[1], boxes=boxes[:, [0, 1, 3, 4]])
    plain = stored(VOLUME, *IDENTITY)
    turned = stored(VOLUME, (2, 0, 1), (True, False, True))
    nibabel.Nifti1Image(turned.voxels.transpose(), turned.ras).to_filename(folder / "turned.nii.gz")
    nibabel.Nifti1Image(plain.voxels.transpose(), plain.ras).to_filename(folder / "plain.nii.gz")
    write_series(folder / "series", plain)
    pages = [Image.fromarray(page) for page in VOLUME]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    write_slices(folder / "slices", VOLUME)
    Image.fromarray(VOLUME[1]).save(folder / "slice.png")
    dicom_image(VOLUME[1], modality="OT").save_as(folder / "flat.dcm")
    return folder


def test_the_same_phantom_gives_the_same_masks_in_every_format(infer, folder, tmp_path):
    infer(folder / "volume.npz", folder / "slice.npz", "-o", tmp_path)
    volume = np.load(tmp_path / "volume.npz")["segs"]
    flat = np.load(tmp_path / "slice.npz")["segs"]
    # More than the box drawn again.
    assert 0.2 < volume[:, 13:31, 9:30].mean() < 0.8
    assert flat.any()

    infer(
        folder / "plain.nii.gz", folder / "series", folder / "pages.tif", folder / "slices", "--stack",
        "-o", tmp_path, "--box", BOX,
        "--window", "none", "--html", tmp_path / "run.html",
        "--csv", tmp_path / "objects.csv", "--report", tmp_path / "report.json", "--overlay",
    )  # fmt: skip
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "plain.nii.gz").dataobj).transpose(), volume)
    np.testing.assert_array_equal(FORMATS["png"].read(tmp_path / "pages.tif").voxels, volume)
    stack = FORMATS["slices"].read(folder / "slices")
    np.testing.assert_array_equal(FORMATS["slices"].read_mask(tmp_path / "slices", stack).labels, volume)
    series = FORMATS["dicom"].read(folder / "series")
    np.testing.assert_array_equal(FORMATS["dicom"].read_mask(tmp_path / "series.dcm", series).labels, volume)

    # Backwards along its first axis (superior) and its third (posterior): the box goes along.
    infer(folder / "turned.nii.gz", "-o", tmp_path, "--box", "0,9,9,1,29,26", "--window", "none")
    turned = np.asarray(nibabel.load(tmp_path / "turned.nii.gz").dataobj).transpose()
    np.testing.assert_array_equal(turned, stored(volume, (2, 0, 1), (True, False, True)).voxels)

    flat_box = "9,13,29,30"
    infer(folder / "slice.png", folder / "flat.dcm", "-o", tmp_path, "--box", flat_box, "--format", "png")
    for name in ("slice.png", "flat.png"):
        found = FORMATS["png"].read_mask(tmp_path / name, FORMATS["png"].read(folder / "slice.png"))
        np.testing.assert_array_equal(found.labels, flat)

    with open(tmp_path / "objects.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["voxels"] for row in rows] == [str(np.count_nonzero(volume))] * 4
    assert float(rows[0]["volume_ml"]) == pytest.approx(np.count_nonzero(volume) * 1.68 / 1000, abs=1e-4)
    assert rows[0]["box"] == "9 13 0 29 30 1"
    reports = json.loads((tmp_path / "report.json").read_text())["cases"]
    assert [report["shape"] for report in reports] == [[2, 40, 48]] * 4
    assert reports[0]["volumes_ml"] == reports[1]["volumes_ml"]
    assert reports[2]["volumes_ml"] == []
    assert (tmp_path / "plain.png").exists()
    page = (tmp_path / "run.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "4 of 4 segmented" in page
    assert 'src="http' not in page
    assert "href" not in page
    assert (tmp_path / "pages.overlay.png").exists()


def test_bad_input_fails_in_one_line_and_leaves_nothing(infer, folder, tmp_path):
    mixed = tmp_path / "mixed"
    paths = write_series(mixed, stored(VOLUME, *IDENTITY))
    dicom_image(VOLUME[0], series=ROOT + "9").save_as(mixed / "other")
    gap = tmp_path / "gap"
    write_series(gap, stored(phantom(5, 40, 48), *IDENTITY))[2].unlink()
    (tmp_path / "cut.nii.gz").write_bytes((folder / "plain.nii.gz").read_bytes()[:400])
    (tmp_path / "cut.dcm").write_bytes(paths[0].read_bytes()[:-40])
    holes = np.full((9, 9, 9), np.nan, np.float32)
    nibabel.Nifti1Image(holes, np.eye(4)).to_filename(tmp_path / "nan.nii")
    (tmp_path / "text.txt").write_text("hello")
    compressed = dicom_image(VOLUME[0])
    compressed.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
    compressed.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    compressed["PixelData"].is_undefined_length = True
    compressed.save_as(tmp_path / "compressed.dcm")
    slices = write_slices(tmp_path / "slices", phantom(5, 40, 48))
    (slices / "slice_002.png").unlink()
    bad = [tmp_path / "compressed.dcm", slices]
    bad += [mixed, gap, tmp_path / "cut.nii.gz", tmp_path / "cut.dcm", tmp_path / "nan.nii", tmp_path / "text.txt"]
    bad += [folder / "slice.png", tmp_path / "absent.nii"]
    output = tmp_path / "out"
    result = infer(*bad, "-o", output, "--box", "0,0,0,5,5,1", "--stack", code=1)
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == len(bad)
    assert all(line.startswith("Error: ") for line in lines)
    for words in (
        "2 series",
        "missing",
        "damaged",
        "NaN",
        "unknown kind",
        "6 numbers for an image",
        "cannot be read",
        "no decoder here",
        "slices missing",
    ):
        assert words in result.stderr
    assert list(output.iterdir()) == []


def test_usage_errors_exit_with_2(infer, folder, tmp_path):
    for arguments in (
        ["--box", "1,2,3"],
        ["--box", "a,b,c,d"],
        ["--box", "1,2,3,4", "--boxes", "x.json"],
        ["--pieces"],
        ["--boxes-from", "x", "--box-space", "world"],
        ["-i", "x"],
        ["--format", "jpeg"],
        ["--overlay=avi"],
    ):
        infer(folder / "slice.png", *arguments, "-o", tmp_path, code=2)
    assert "unknown window" in infer(folder / "slice.png", "--window", "liver", "-o", tmp_path, code=1).output
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    names = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"]
    for name in names:
        name.write_bytes((folder / "slice.png").read_bytes())
    assert "would both become x.png" in infer(*names, "-o", tmp_path, code=2).output


def test_folders_and_patterns(infer, folder, tmp_path):
    cohort = tmp_path / "cohort"
    for patient in ("one", "two"):
        write_series(cohort / patient / "ct", stored(VOLUME[:1], *IDENTITY))
    Image.fromarray(VOLUME[0]).save(cohort / "two" / "photo.png")
    (cohort / "notes.txt").write_text("not a scan")
    result = infer(cohort, "-o", tmp_path / "out", "--box", "9,13,29,30", "--format", "png")
    assert "3 of 3 segmented, 0 failed" in result.output
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert found == ["one/ct.png", "two/ct.png", "two/photo.png"]
    result = infer(cohort, "-o", tmp_path / "out", "--box", "9,13,29,30", "--format", "png", "--skip-existing")
    assert result.output.count("skipped, its result exists") == 3
    # Results within the searched folder are no scans.
    infer(cohort, "-o", cohort / "two" / "out", "--box", "9,13,29,30", "--format", "png")
    result = infer(cohort, "-o", cohort / "two" / "out", "--box", "9,13,29,30", "--format", "png", "--skip-existing")
    assert "0 of 0 segmented, 0 failed, 3 skipped" in result.output
    infer(f"{cohort}/*/photo.png", "-o", tmp_path / "matched", "--box", "9,13,29,30")
    assert (tmp_path / "matched" / "photo.png").exists()
    assert "no file matches" in infer(f"{cohort}/*.nii", "-o", tmp_path, "--box", "1,2,3,4", code=1).output


def test_workers_give_the_same_bytes_and_report_what_failed(infer, folder, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes((folder / "slice.png").read_bytes())
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    cases = [tmp_path / f"{name}.png" for name in ("a", "broken", "b", "c")]
    box = ["--box", "9,13,29,30"]
    one, two = tmp_path / "one", tmp_path / "two"
    infer(cases[0], *box, "-o", one)
    two.mkdir()
    (two / "b.png").write_bytes(b"of an interrupted run")
    result = infer(*cases, *box, "-o", two, "--workers", "2", "--skip-existing", "--report", two / "run.json", code=1)
    assert "b.png: skipped" in result.output
    assert "2 of 3 segmented, 1 failed" in result.output
    assert "broken.png" in result.stderr
    for name in ("a", "c"):
        assert (two / f"{name}.png").read_bytes() == (one / "a.png").read_bytes()
    assert (two / "b.png").read_bytes() == b"of an interrupted run"
    reports = json.loads((two / "run.json").read_text())["cases"]
    assert [Path(report["case"]).name for report in reports] == ["a.png", "broken.png", "c.png"]


def test_segment_in_python_is_the_command(infer, folder, untrained_bundle, tmp_path):
    predictor = Predictor(untrained_bundle, threads=1)
    infer(folder / "turned.nii.gz", "-o", tmp_path, "--box", "0,9,9,1,29,26", "--window", "none")
    written = nibabel.load(tmp_path / "turned.nii.gz")
    again = tmp_path / "again.nii.gz"
    box = [0, 9, 9, 1, 29, 26]
    result = segment(folder / "turned.nii.gz", [box], window="none", output=again, predictor=predictor)
    np.testing.assert_array_equal(result.labels.T, np.asarray(written.dataobj))
    np.testing.assert_allclose(result.affine, written.affine)
    np.testing.assert_array_equal(result.masks[0], result.labels == 1)
    assert again.read_bytes() == (tmp_path / "turned.nii.gz").read_bytes()
    with pytest.raises(LiteMedSamError, match="there are no boxes"):
        segment(folder / "slice.png", predictor=predictor)


def test_overlay_films_and_their_proportions(infer, folder, tmp_path):
    sagittal = stored(phantom(12, 40, 48), *IDENTITY)
    affine = sagittal.ras @ np.diag([1, 1, 3, 1])
    nibabel.Nifti1Image(sagittal.voxels.transpose(), affine).to_filename(tmp_path / "thick.nii.gz")
    for kind in ("gif", "mp4"):
        infer(
            tmp_path / "thick.nii.gz", "--overlay", kind, "--box", "10,12,4,28,30,5", "-o", tmp_path / kind,
            "--window", "none",
        )  # fmt: skip
        assert (tmp_path / kind / "thick.png").stat().st_size > 0
    with Image.open(tmp_path / "gif" / "thick.gif") as gif:
        assert gif.n_frames == 2
        width, height = gif.size
    assert width / height == pytest.approx(48 * 1.2 / 40, rel=0.01)
    film = cv2.VideoCapture(str(tmp_path / "mp4" / "thick.mp4"))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == 2
    good, frame = film.read()
    assert good
    assert frame.max() > 150


def test_npz_starts_without_the_libraries_of_other_formats(folder, untrained_bundle, tmp_path):
    code = (
        "import sys; from litemedsam.engine.cli.main import main\n"
        f"given = ['{folder / 'slice.npz'}', '-o', '{tmp_path}', '--model', '{untrained_bundle}', '--threads', '1']\n"
        "try: main(given)\n"
        "except SystemExit as end: assert end.code == 0\n"
        "loaded = {'nibabel', 'pydicom', 'highdicom', 'PIL', 'scipy', 'torch', 'onnx'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_missing_library_is_named_with_its_remedy(infer, folder, tmp_path, monkeypatch):
    for module, case, extra in (("pydicom", "series", "dicom"), ("PIL.Image", "slice.png", "images")):
        monkeypatch.setitem(sys.modules, module, None)
        result = infer(folder / case, "-o", tmp_path, "--box", "1,2,3,4", code=1)
        assert f'pip install "litemedsam[{extra}]"' in result.stderr


def test_the_readme_s_commands_run(infer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (places.ROOT / "README.md").read_text()
    (block,) = (part.split("```")[0] for part in text.split("```bash\n") if "litemedsam-infer scan.nii.gz" in part)
    commands = [line.split() for line in block.splitlines() if line.startswith("litemedsam-infer")]
    volume = phantom(33, 130, 160).astype(np.int16)
    nibabel.Nifti1Image(volume.transpose(), np.eye(4)).to_filename("scan.nii.gz")
    write_series(Path("dicom-series"), stored(VOLUME, *IDENTITY))
    objects = [{"name": "phantom", "box": [float(v) for v in BOX.split(",")]}]
    Path("boxes.json").write_text(json.dumps({"version": 1, "objects": objects}))
    for folder in ("cohort", "lesion-masks"):
        Path(folder).mkdir()
    Image.fromarray(VOLUME[1]).save("cohort/one.png")
    Image.fromarray((VOLUME[1] == 200).astype(np.uint8)).save("lesion-masks/one.png")
    assert len(commands) == 3
    for command in commands:
        infer(*command[1:])
    written = sorted(path.name for path in Path("outputs").iterdir())
    assert written == ["dicom-series.dcm", "dicom-series.png", "one.png", "scan.gif", "scan.nii.gz", "scan.png"]
    assert "phantom" in Path("report.html").read_text()
