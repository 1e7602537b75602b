"""Remedies of the engine beside those of files and boxes: whoever does what a message says gets masks."""

import json
import shutil
from contextlib import closing

import numpy as np
import pytest
from litemedsam.engine.bundle.digests import write_manifest

from litemedsam import LiteMedSamError, Predictor, segment

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 48), np.uint8)
VOLUME = np.stack([IMAGE] * 4)
FLAT, DEEP = [[6, 5, 34, 31]], [[6, 5, 1, 34, 31, 2]]


def predicted(predictor):
    return predictor.open(IMAGE).predict(FLAT).masks


def of_points(predictor):
    session = predictor.open(IMAGE)
    return session.correct(session.begin(FLAT[0]), add=[[20, 20]]).mask


def sliced(predictor, z):
    session = predictor.open(VOLUME, volume=True)
    return session.correct(session.begin(DEEP[0]), z, add=[[20, 20]]).mask


# What is done to a bundle that takes corrections, what is asked of it, the remedy, and what it says to ask instead.
PREDICTORS = {
    "runtime": (lambda b: predicted(Predictor(b, "tensorrt")), "expected one of: openvino", lambda b: Predictor(b)),
    "precision": (lambda b: Predictor(b, precision="f16"), "expected one of: auto, f32", lambda b: Predictor(b)),
    "bf16": (
        lambda b: Predictor(b, "onnxruntime", "bf16"),
        "use --backend openvino",
        lambda b: Predictor(b, "openvino", "bf16"),
    ),
    "int8": (lambda b: Predictor(b, precision="int8"), "use another --precision", lambda b: Predictor(b)),
    "protocol": (
        lambda b: Predictor(b, protocol="old"),
        "expected one of: corrected, published",
        lambda b: Predictor(b),
    ),
    "folder": (lambda b: Predictor(b / "x"), "make one with litemedsam-export", lambda b: Predictor(b)),
    "threads": (lambda b: Predictor(b, threads=0), "expected a whole number", lambda b: Predictor(b, threads=1)),
}


@pytest.mark.parametrize(("wrong", "remedy", "right"), PREDICTORS.values(), ids=PREDICTORS)
def test_how_a_predictor_is_made(correctable_bundle, wrong, remedy, right):
    with pytest.raises(LiteMedSamError, match=remedy):
        wrong(correctable_bundle)
    with closing(right(correctable_bundle)) as predictor:
        assert predicted(predictor).shape == (1, 40, 48)


CALLS = {
    "no image": (lambda p: p.predict(FLAT), "call set_image", lambda p: (p.set_image(IMAGE), p.predict(FLAT))[1].masks),
    "no box": (lambda p: p.open(IMAGE).predict(), r"give boxes=\[\[x_min", predicted),
    "colours first": (
        lambda p: p.open(np.stack([IMAGE] * 3), volume=False),
        r"image.transpose\(1, 2, 0\)",
        lambda p: p.open(np.stack([IMAGE] * 3).transpose(1, 2, 0), volume=False).predict(FLAT).masks,
    ),
    "transparency": (
        lambda p: p.open(np.stack([IMAGE] * 4, axis=-1), volume=False),
        r"image\[\.\.\., :3\]",
        lambda p: p.open(np.stack([IMAGE] * 4, axis=-1)[..., :3], volume=False).predict(FLAT).masks,
    ),
    "scaled to 0..1": (
        lambda p: p.open(IMAGE / 255),
        "multiply it by 255",
        lambda p: p.open(IMAGE / 255 * 255).predict(FLAT).masks,
    ),
    "volume as image": (
        lambda p: p.set_image(VOLUME),
        r"use open\(volume, volume=True\)",
        lambda p: p.open(VOLUME, volume=True).predict(DEEP).masks,
    ),
    "corners swapped": (
        lambda p: p.open(IMAGE).predict([[34, 5, 6, 31]]),
        "give the smaller corner first",
        predicted,
    ),
    "two boxes to begin": (lambda p: p.open(IMAGE).begin(FLAT * 2), "call begin once for each object", of_points),
    "points as first prompts": (
        lambda p: p.open(IMAGE).predict(FLAT, points=[[[20, 20]]]),
        "give the points as corrections of the first mask",
        of_points,
    ),
    "a correction of nothing": (
        lambda p: (lambda s: s.correct(s.begin(FLAT[0])))(p.open(IMAGE)),
        "give add, remove or a stroke",
        of_points,
    ),
    "a slice beside the box": (lambda p: sliced(p, 3), "draw a box that covers the slice", lambda p: sliced(p, 2)),
}


@pytest.fixture(scope="module")
def predictor(correctable_bundle):
    with Predictor(correctable_bundle, threads=1) as made:
        yield made


@pytest.mark.parametrize(("wrong", "remedy", "right"), CALLS.values(), ids=CALLS)
def test_how_a_predictor_is_called(predictor, wrong, remedy, right):
    with pytest.raises(LiteMedSamError, match=remedy):
        wrong(predictor)
    assert np.asarray(right(predictor)).shape[-2:] == (40, 48)


def test_a_file_is_segmented_by_its_own_function(predictor, scans):
    with pytest.raises(LiteMedSamError, match=r"use litemedsam\.segment for files"):
        predictor.open(str(scans / "slice.png"))
    assert segment(scans / "slice.png", FLAT, predictor=predictor).labels.shape == (40, 48)


def flip_a_weight(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: flip_a_weight(folder / "encoder.onnx"), "damaged or changed"),
        (lambda folder: (folder / "SHA256SUMS").write_text("nothing\n"), "line 1 is not a digest and a file name"),
        (lambda folder: (folder / "SHA256SUMS").write_text(""), "not listed in SHA256SUMS"),
    ],
)
def test_a_damaged_bundle_is_copied_again(correctable_bundle, tmp_path, damage, words):
    bundle = tmp_path / "bundle"
    shutil.copytree(correctable_bundle, bundle)
    write_manifest(bundle)
    damage(bundle)
    with pytest.raises(LiteMedSamError, match=f"{words}.*copy or export the bundle again"):
        predicted(Predictor(bundle))
    shutil.rmtree(bundle)
    shutil.copytree(correctable_bundle, bundle)
    with Predictor(bundle, threads=1) as made:
        assert predicted(made).shape == (1, 40, 48)


COMMANDS = {
    "a result that exists": ((), "add --overwrite or --skip-existing", ("--overwrite",)),
    "the same, left alone": ((), "add --overwrite or --skip-existing", ("--skip-existing",)),
    "a spacing that the file has": (("--overwrite", "--spacing", "1,1,1"), "leave --spacing out", ("--overwrite",)),
    "an unknown window": (("--overwrite", "--window", "skin"), "one of abdomen", ("--overwrite", "--window", "40,400")),
    "a report over a scan": (("--overwrite", "--report", "SCAN"), "another name", ("--overwrite", "--report", "NEW")),
    "a table over a report": (("--overwrite", "--csv", "JSON"), "give another name", ("--overwrite", "--csv", "NEW")),
    "no part": (("--overwrite", "--part", "9/3"), "expected K/N with K from 1 to N", ("--overwrite", "--part", "1/1")),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "remedy", "right"), COMMANDS.values(), ids=COMMANDS)
def test_how_the_command_is_called(infer, scans, tmp_path, wrong, remedy, right):
    scan = shutil.copy(scans / "scan.nii.gz", tmp_path / "scan.nii.gz")
    (tmp_path / "notes.json").write_text(json.dumps({"no": "report"}))
    names = {"SCAN": scan, "JSON": tmp_path / "notes.json", "NEW": tmp_path / "new"}
    given = [scan, "--box", "9,13,1,29,30,3"]
    infer(*given)
    failed = infer(*given, *(names.get(word, word) for word in wrong), code=None)
    assert failed.exit_code in (1, 2)
    assert remedy in failed.output
    infer(*given, *(names.get(word, word) for word in right))
