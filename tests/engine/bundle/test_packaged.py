"""Bundles of the package have names; any other is a folder."""

from pathlib import Path

import pytest
from litemedsam.engine.bundle import packaged
from litemedsam.engine.bundle.info import DECODER, ENCODER, BundleInfo
from litemedsam.engine.bundle.onnx_metadata import read_metadata
from litemedsam.engine.bundle.packaged import bundle_folder, packaged_bundles
from places import ROOT

from litemedsam import LiteMedSamError, Predictor


def test_the_default_is_in_the_package():
    assert bundle_folder() == packaged_bundles()[packaged.DEFAULT] == bundle_folder(packaged.DEFAULT)


@pytest.mark.parametrize("name", packaged_bundles())
def test_a_name_is_that_of_the_network(name):
    folder = bundle_folder(Path(name))
    assert (folder / DECODER).is_file()
    encoder = folder / ENCODER
    assert BundleInfo.from_metadata(encoder, read_metadata(encoder)).model == name.replace("-", "_")


@pytest.mark.parametrize("name", packaged_bundles())
def test_the_licence_is_that_of_the_notice(name):
    (paragraph,) = (text for text in (ROOT / "NOTICE").read_text().split("\n\n") if f'"{name}"' in text)
    assert "Apache License, Version 2.0" in paragraph
    assert packaged.licence_of(bundle_folder(name)) == "Apache-2.0"


def test_the_licence_of_a_foreign_bundle_is_unknown(tmp_path):
    assert packaged.licence_of(tmp_path) is None


def test_any_other_name_is_a_folder(tmp_path):
    assert bundle_folder("my-bundle") == Path("my-bundle")
    assert bundle_folder(tmp_path / packaged.DEFAULT) == tmp_path / packaged.DEFAULT


def test_a_predictor_takes_a_name():
    with Predictor(packaged.DEFAULT, backend="onnxruntime", precision="f32") as predictor:
        assert predictor.bundle == bundle_folder()


def test_an_installation_without_the_default_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(packaged, "files", lambda _: tmp_path)
    with pytest.raises(LiteMedSamError, match="comes without a default model; give a bundle with --model"):
        Predictor()
