"""The choice of a precision, a pure function of card, processor and bundle, and its reason in the report."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from litemedsam.engine.backends.registry import BACKENDS, native_precisions
from litemedsam.engine.bundle.card import CARD_KEY, card_to_json, read_card
from litemedsam.engine.bundle.digests import write_manifest
from litemedsam.engine.bundle.info import ENCODER, QUANTISED_ENCODER
from litemedsam.engine.bundle.onnx_metadata import read_metadata
from litemedsam.engine.bundle.packaged import bundle_folder
from litemedsam.engine.bundle.precision import (
    FASTEST_FIRST,
    available,
    choose,
    encoder_file,
    floats_beside,
    resolve,
)
from litemedsam.engine.cli.main import main
from sample_cards import BAD_IN_ONE, GOOD

from litemedsam.errors import LiteMedSamError

MEASURED_IN_F32 = replace(GOOD, floats="f32")
EVERYTHING = {"f32", "bf16", "int8"}
FIRST, SECOND = FASTEST_FIRST


def test_the_fastest_is_taken_where_nothing_speaks_against_it():
    choice = choose({"bf16": GOOD, "int8": GOOD}, EVERYTHING, quantised=True)
    assert choice.precision == FIRST
    assert choice.reason == f"{FIRST} loses at most 0.29 DSC points in any modality of its accuracy card"


def test_one_modality_beyond_the_gate_is_enough():
    choice = choose({FIRST: BAD_IN_ONE, SECOND: GOOD}, EVERYTHING, quantised=True)
    assert choice.precision == SECOND
    assert choice.reason.startswith(f"{FIRST} loses 0.51 DSC points in CT; {SECOND} loses at most 0.29")
    choice = choose({FIRST: BAD_IN_ONE, SECOND: BAD_IN_ONE}, EVERYTHING, quantised=True)
    assert choice.precision == "f32"


@pytest.mark.parametrize(("dsc", "taken"), [(0.995, "bf16"), (0.99499, "f32"), (float("nan"), "f32")])
def test_the_gate_itself(dsc, taken):
    assert choose({"bf16": replace(GOOD, mean_dsc={"CT": dsc})}, EVERYTHING, quantised=False).precision == taken


def test_a_processor_without_bf16_takes_int8_measured_beside_either():
    for agreement in (GOOD, MEASURED_IN_F32):
        assert choose({"bf16": GOOD, "int8": agreement}, {"f32", "int8"}, quantised=True).precision == "int8"


def test_int8_measured_beside_f32_does_not_vouch_for_bf16():
    choice = choose({"int8": MEASURED_IN_F32}, EVERYTHING, quantised=True)
    assert choice.precision == "f32"
    assert "int8 was measured beside f32, not bf16" in choice.reason


@pytest.mark.parametrize(
    ("card", "native", "quantised", "reason"),
    [
        ({}, EVERYTHING, True, "bf16 has no accuracy card"),
        ({"int8": GOOD}, EVERYTHING, False, "int8 is not in the bundle"),
        ({"bf16": GOOD}, {"f32"}, False, "bf16 is not faster on this processor with this back end"),
    ],
)
def test_f32_is_taken_with_the_reasons(card, native, quantised, reason):
    choice = choose(card, native, quantised)
    assert choice.precision == "f32"
    assert reason in choice.reason
    assert choice.text() == f"f32 ({choice.reason})"


def test_floats_beside_int8_follow_the_processor():
    assert floats_beside("int8", EVERYTHING) == "bf16"
    assert floats_beside("int8", {"f32", "int8"}) == "f32"
    assert floats_beside("bf16", {"f32"}) == "bf16"
    assert floats_beside("f32", EVERYTHING) == "f32"


@pytest.mark.parametrize(
    ("files", "native", "expected"),
    [
        ({ENCODER, QUANTISED_ENCODER}, {"f32", "bf16", "int8"}, ["f32", "bf16", "int8"]),
        ({ENCODER}, {"f32", "bf16", "int8"}, ["f32", "bf16"]),
        ({ENCODER, QUANTISED_ENCODER}, {"f32", "int8"}, ["f32", "int8"]),
        (set(), {"f32"}, []),
    ],
)
def test_available_is_what_the_bundle_has_and_the_processor_computes(tmp_path, files, native, expected):
    for name in files:
        (tmp_path / name).touch()
    assert available(tmp_path, native) == expected


@pytest.fixture
def bundle(tmp_path):
    """The default bundle with a card under which every modality passes in bf16, and none in int8."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder("swin-litemedsam"), folder)
    model = onnx.load(folder / ENCODER)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    card = {"bf16": GOOD, "int8": replace(GOOD, mean_dsc={"CT": 0.5})}
    onnx.helper.set_model_props(model, {**properties, CARD_KEY: card_to_json(card)})
    onnx.save(model, folder / ENCODER)
    write_manifest(folder)
    return folder


def test_a_bundle_is_asked_for_its_card(bundle):
    assert read_card(bundle)["bf16"] == GOOD
    assert resolve(bundle, "auto", EVERYTHING).precision == "bf16"
    assert resolve(bundle, "auto", {"f32"}).precision == "f32"
    assert resolve(bundle, "bf16", {"f32"}).reason == "was asked for"


def test_what_cannot_be_is_refused(bundle, tmp_path):
    with pytest.raises(LiteMedSamError, match="expected one of: auto, f32, bf16, int8"):
        resolve(bundle, "f8", EVERYTHING)
    with pytest.raises(LiteMedSamError, match="no such bundle"):
        resolve(tmp_path / "none", "auto", EVERYTHING)
    (bundle / "encoder.int8.onnx").unlink(missing_ok=True)
    with pytest.raises(LiteMedSamError, match="has no int8 encoder"):
        encoder_file(bundle, "int8")


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_back_end_has_f32(backend):
    assert "f32" in native_precisions(backend) <= EVERYTHING


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_report_says_which_and_why(bundle, tmp_path, backend):
    np.savez(tmp_path / "case.npz", imgs=np.eye(40, dtype=np.uint8) * 255, boxes=[[5, 5, 30, 30]])
    arguments = ["case.npz", "--model", bundle, "--backend", backend, "-o", "out", "--report", "run.json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    run = json.loads((tmp_path / "run.json").read_text())["run"]
    expected = choose(read_card(bundle), native_precisions(backend), quantised=(bundle / "encoder.int8.onnx").is_file())
    assert (run["precision"], run["precision_reason"]) == (expected.precision, expected.reason)
    assert run["precision"] == ("bf16" if "bf16" in native_precisions(backend) else "f32")


def test_a_bundle_without_a_card_is_computed_in_f32(bundle):
    model = onnx.load(bundle / ENCODER)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != CARD_KEY}
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, bundle / ENCODER)
    write_manifest(bundle)
    assert CARD_KEY not in read_metadata(bundle / ENCODER)
    choice = resolve(bundle, "auto", EVERYTHING)
    assert choice.precision == "f32"
    assert "bf16 has no accuracy card" in choice.reason
