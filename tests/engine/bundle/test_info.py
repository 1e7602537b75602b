"""A bundle's metadata, and folders that are not bundles."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from litemedsam.engine.bundle.info import DECODER, BundleInfo
from tiny_bundle import INFO, write_tiny_bundle

from litemedsam import LiteMedSamError, Predictor

METADATA = INFO.to_metadata()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"litemedsam.format_version": None}, "no format version"),
        ({"litemedsam.format_version": "9"}, "bundle format version 9, expected 1"),
        ({"litemedsam.model": None}, "the metadata lack model"),
        ({"litemedsam.frame": "²"}, "metadata frame is '²', expected a number"),
        ({"litemedsam.frame": "9" * 5000}, "expected a number"),
        ({"litemedsam.frame": "15"}, "a frame of 15 pixels, expected 16 to 4096"),
        ({"litemedsam.frame": "4097"}, "a frame of 4097 pixels"),
    ],
)
def test_bad_metadata_are_explained(changes, words):
    entries = {key: value for key, value in {**METADATA, **changes}.items() if value is not None}
    with pytest.raises(LiteMedSamError) as error:
        BundleInfo.from_metadata(Path("a.onnx"), entries)
    assert words in str(error.value)
    assert "export the checkpoint again" in str(error.value)


def test_metadata_come_back_whole_and_older_ones_too():
    assert BundleInfo.from_metadata(Path("a"), METADATA) == INFO
    del (older := dict(METADATA))["litemedsam.published_protocol"]
    assert BundleInfo.from_metadata(Path("a"), older).published_protocol == "swin_litemedsam"
    for frame in ("16", "4096"):
        assert BundleInfo.from_metadata(Path("a"), {**METADATA, "litemedsam.frame": frame}).frame == int(frame)


def test_bundles_of_two_checkpoints_or_unknown_prompts_are_refused(own_bundle, tmp_path):
    other = write_tiny_bundle(tmp_path / "other", replace(INFO, weights_sha256="1" * 64))
    shutil.copyfile(other / DECODER, own_bundle / DECODER)
    with pytest.raises(LiteMedSamError, match="encoder and decoder come from different checkpoints"):
        Predictor(own_bundle)
    write_tiny_bundle(own_bundle, replace(INFO, prompts=("boxes", "words")))
    with pytest.raises(
        LiteMedSamError, match="its decoder takes words; this version makes boxes, points, labels, scribbles"
    ):
        Predictor(own_bundle)
    with pytest.raises(LiteMedSamError, match="no such bundle folder"):
        Predictor(tmp_path / "none")
