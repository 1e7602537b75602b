"""Unusual numbers and shapes behave as docs/scans.md says, with nothing on the error stream."""

import subprocess
import sys
import warnings

import cv2
import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.engine.cli.main import main
from PIL import Image

from litemedsam import Predictor


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    return Predictor(tiny_bundle, backend="onnxruntime", threads=1)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def whole(shape):
    """The box of all of an image or volume."""
    high = [n - 1 for n in shape[::-1]]
    return [[0] * len(shape) + high]


NUMBERS = {
    "black": np.zeros((40, 30), np.uint8),
    "white": np.full((40, 30), 255, np.uint8),
    "grey": np.full((40, 30), 7, np.uint8),
    "one pixel": np.array([[9]], np.uint8),
    "one row": np.arange(250, dtype=np.uint8)[None],
    "one column": np.arange(250, dtype=np.uint8)[:, None],
    "wide": np.tile(np.arange(200, dtype=np.uint8), (3, 25)),
    "tall": np.tile(np.arange(200, dtype=np.uint8), (2, 30)).T,
    "black volume": np.zeros((3, 20, 30), np.uint8),
    "one voxel": np.array([[[200]]], np.uint8),
    "one slice": np.tile(np.arange(30, dtype=np.uint8), (1, 20, 1)),
    "needle": np.full((300, 1, 1), 90, np.uint8),
    "half": np.linspace(0, 255, 1200).reshape(40, 30).astype(np.float16),
    "float": np.linspace(0, 255, 1200).reshape(40, 30),
    "16 bit": np.arange(1200, dtype=np.uint16).reshape(40, 30) // 5,
    "signed": np.arange(1200, dtype=np.int64).reshape(40, 30) // 5,
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("protocol", ["corrected", "published"])
def test_unusual_images_give_masks(tiny_bundle, name, protocol):
    imgs = NUMBERS[name]
    predictor = Predictor(tiny_bundle, backend="onnxruntime", threads=1, protocol=protocol)
    result = predictor.segment(imgs, whole(imgs.shape))
    assert result.labels.shape == imgs.shape
    assert set(np.unique(result.labels)) <= {0, 1}
    assert np.isfinite(result.scores).all()
    predictor.close()


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_constant_image_is_black_to_the_model(predictor, level):
    """The level makes no difference: the model sees zeros, and no foreground for prompts."""
    expected = predictor.segment(np.zeros((40, 30), np.uint8), whole((40, 30)))
    result = predictor.segment(np.full((40, 30), level, np.uint8), whole((40, 30)))
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.scores, expected.scores)


def test_floats_and_16_bits_are_the_nearest_of_256_levels(predictor):
    levels = np.random.default_rng(0).integers(0, 256, (40, 30)).astype(np.uint8)
    expected = predictor.segment(levels, [[2, 2, 25, 35]]).labels
    for other in (levels.astype(np.uint16), levels.astype(np.float32) + 0.2, levels.astype(np.int32)):
        other = np.minimum(other, 255)
        np.testing.assert_array_equal(predictor.segment(other, [[2, 2, 25, 35]]).labels, expected)


def scans(folder):
    """The same unusual numbers as scans, whose intensities are scaled; with what is said of the bad ones."""
    ramp = np.linspace(-50, 60, 1200).reshape(40, 30)

    def nifti(name, array):
        nibabel.Nifti1Image(array, np.eye(4)).to_filename(folder / name)

    nifti("zeros.nii.gz", np.zeros((8, 9, 3), np.int16))
    nifti("constant.nii.gz", np.full((8, 9, 3), 1000, np.int16))
    nifti("float.nii.gz", np.repeat(ramp[..., None], 2, 2).astype(np.float32))
    nifti("large.nii.gz", np.repeat(ramp[..., None], 2, 2) * 1e300)
    nifti("needle.nii.gz", np.arange(70, dtype=np.int16).reshape(1, 1, 70))
    nifti("voxel.nii.gz", np.full((1, 1, 1), 5, np.int16))
    Image.fromarray((ramp * 100 + 9000).astype(np.uint16)).save(folder / "deep.png")
    Image.fromarray(ramp.astype(np.float32)).save(folder / "float.tif")
    Image.fromarray(np.zeros((40, 30), bool)).save(folder / "bits.png")
    Image.fromarray(np.array([[3]], np.uint8)).save(folder / "pixel.png")
    cv2.imwrite(str(folder / "wide.bmp"), np.tile(np.arange(250, dtype=np.uint8), (2, 8)))
    hole = ramp.copy()
    hole[3, 4] = np.nan
    nifti("nan.nii.gz", np.repeat(hole[..., None], 2, 2))
    hole[3, 4] = np.inf
    nifti("infinity.nii.gz", np.repeat(hole[..., None], 2, 2))
    np.savez(folder / "nan.npz", imgs=np.full((9, 9), np.nan), boxes=[[1, 1, 5, 5]])
    return {"nan.nii.gz": "NaN or infinite", "infinity.nii.gz": "NaN or infinite", "nan.npz": "holds NaN or infinity"}


def test_unusual_scans_give_masks_and_bad_ones_one_line(tiny_bundle, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    bad = scans(folder)
    for path in sorted(folder.iterdir()):
        flat = path.suffix != ".gz" or path.name in ("voxel.nii.gz",)
        box = "0,0,0,0" if flat else "0,0,0,0,0,1" if path.name != "needle.nii.gz" else "0,0,0,0,0,69"
        given = [] if path.suffix == ".npz" else ["--box", box]
        arguments = [path, "-o", tmp_path / "results", "--model", tiny_bundle, "--threads", 1, "--overlay", *given]
        run = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if path.name in bad:
            assert run.exit_code == 1, path
            (line,) = run.stderr.splitlines()
            assert line.startswith("Error: ")
            assert bad[path.name] in line
        else:
            assert run.exit_code == 0, (path, run.output)
            assert run.stderr == ""


def test_a_process_says_nothing_on_its_error_stream(tiny_bundle, tmp_path):
    """Unlike the tests above, with what is said by libraries that are not written in Python."""
    folder = tmp_path / "cases"
    folder.mkdir()
    for name, imgs in NUMBERS.items():
        np.savez(folder / f"{name}.npz", imgs=imgs, boxes=whole(imgs.shape))
    for backend in ("openvino", "onnxruntime"):
        command = [sys.executable, "-W", "always", "-m", "litemedsam", "-i", folder, "-o", tmp_path / backend]
        command += ["--model", tiny_bundle, "--backend", backend, "--overlay"]
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, "")
        assert len(list((tmp_path / backend).glob("*.npz"))) == len(NUMBERS)
