"""A bundle's checksums."""

import shutil

import pytest
from litemedsam.engine.backends.registry import BACKENDS
from litemedsam.engine.bundle.digests import MANIFEST, check_digest, write_manifest
from litemedsam.engine.bundle.info import DECODER
from litemedsam.engine.inference.network import Network

from litemedsam import LiteMedSamError, Predictor


def test_changed_graphs_are_noticed(tmp_path, tiny_bundle):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    Network.load(folder, "onnxruntime", "f32", 1).close()
    write_manifest(folder)
    Network.load(folder, "onnxruntime", "f32", 1).close()
    whole = (folder / DECODER).read_bytes()
    (folder / DECODER).write_bytes(whole.replace(b"bright", b"Bright"))
    for backend in BACKENDS:
        with pytest.raises(LiteMedSamError, match=r"decoder\.onnx: damaged or changed, its SHA-256 is [0-9a-f]{12}…"):
            Predictor(folder, backend=backend)
    (folder / DECODER).write_bytes(whole)
    Network.load(folder, "onnxruntime", "f32", 1).close()
    lines = (folder / MANIFEST).read_text().splitlines()
    (folder / MANIFEST).write_text(lines[1] + "\n")
    with pytest.raises(LiteMedSamError, match=r"decoder\.onnx: not listed in SHA256SUMS"):
        check_digest(folder / DECODER)
    for content in ("text\n", lines[0][:60] + "\n"):
        (folder / MANIFEST).write_text(content)
        with pytest.raises(LiteMedSamError, match="line 1 is not a digest and a file name"):
            check_digest(folder / DECODER)
    (folder / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(LiteMedSamError, match="cannot be read"):
        check_digest(folder / DECODER)


def test_the_default_model_is_the_one_that_was_shipped():
    from litemedsam.engine.bundle.packaged import bundle_folder

    listed = {line.split()[1] for line in (bundle_folder() / MANIFEST).read_text().splitlines()}
    assert listed == {path.name for path in bundle_folder().glob("*.onnx")}
    for name in listed:
        check_digest(bundle_folder() / name)
